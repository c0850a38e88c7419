package workload

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
)

const (
	// Container is the name of the container that runs the Function.
	Container = "function"
	// TemporaryDir is the only directory that the Function can write to.
	TemporaryDir = "/tmp"

	temporaryVolume = "tmp-dir"

	port     = 8080
	portName = "http"
	// drainSeconds lets the endpoints forget a Pod before its server stops.
	drainSeconds = 2
)

// Config is the same for all Functions.
type Config struct {
	ServiceAccount, TraceCollectorEndpoint, PublisherProxyAddress string
	// TargetCPUUtilization is what automatic scaling aims at, in percent of the requested CPU.
	TargetCPUUtilization int32
}

// ConfigMap stores the inline source (contract/functions.md 3.2).
func ConfigMap(fn *v1alpha2.Function, dependencies string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: objectMeta(fn, ChildName(fn)),
		Data:       map[string]string{"source": fn.Spec.Source.Inline.Source, "dependencies": dependencies},
	}
}

// Service gives the Function its address (contract/functions.md 2.6).
func Service(fn *v1alpha2.Function) *corev1.Service {
	meta := objectMeta(fn, fn.Name)
	meta.Annotations = map[string]string{
		"prometheus.io/port": "8080", "prometheus.io/path": "/metrics", "prometheus.io/scrape": "true",
	}
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Selector: SelectorLabels(fn),
			Ports: []corev1.ServicePort{{
				Name: portName, Port: 80, TargetPort: intstr.FromInt32(port), Protocol: corev1.ProtocolTCP,
			}},
		},
	}
}

// Deployment runs the image (contract/functions.md 3.5). The old Pods serve
// until new ones are ready.
func Deployment(fn *v1alpha2.Function, rt runtime.Runtime, image string, resources corev1.ResourceRequirements, config Config) *appsv1.Deployment {
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: objectMeta(fn, ChildName(fn)),
		Spec: appsv1.DeploymentSpec{
			Replicas:             ptr.To(Replicas(fn)),
			RevisionHistoryLimit: ptr.To(int32(0)),
			Selector:             &metav1.LabelSelector{MatchLabels: SelectorLabels(fn)},
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: ptr.To(intstr.FromInt32(0)), MaxSurge: ptr.To(intstr.FromString("25%")),
				},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: podLabels(fn), Annotations: podAnnotations(fn)},
				Spec:       podSpec(fn, rt, image, resources, config),
			},
		},
	}
}

func podSpec(fn *v1alpha2.Function, rt runtime.Runtime, image string, resources corev1.ResourceRequirements, config Config) corev1.PodSpec {
	volumes, mounts := secretVolumes(fn.Spec.SecretMounts)
	return corev1.PodSpec{
		ServiceAccountName:        config.ServiceAccount,
		SecurityContext:           overlay(RestrictedPod(), fn.Spec.PodSecurityContext),
		TopologySpreadConstraints: topologySpread(fn),
		Volumes: append([]corev1.Volume{{
			Name:         temporaryVolume,
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: resource.NewQuantity(100<<20, resource.BinarySI)}},
		}}, volumes...),
		Containers: []corev1.Container{{
			Name:            Container,
			Image:           image,
			ImagePullPolicy: corev1.PullIfNotPresent,
			Env:             env(fn, rt, config),
			Resources:       resources,
			SecurityContext: overlay(RestrictedContainer(), fn.Spec.ContainerSecurityContext),
			VolumeMounts:    append([]corev1.VolumeMount{{Name: temporaryVolume, MountPath: TemporaryDir}}, mounts...),
			Ports:           []corev1.ContainerPort{{ContainerPort: port, Protocol: corev1.ProtocolTCP}},
			// Tried each second, not each fifth, so that a start is noticed
			// within one; the 150 s that a start may take stay.
			StartupProbe:   probe(corev1.Probe{PeriodSeconds: 1, FailureThreshold: 150, SuccessThreshold: 1}),
			ReadinessProbe: probe(corev1.Probe{PeriodSeconds: 5, FailureThreshold: 1, TimeoutSeconds: 2}),
			LivenessProbe:  probe(corev1.Probe{PeriodSeconds: 5, FailureThreshold: 3, TimeoutSeconds: 4}),
			Lifecycle:      &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: drainSeconds}}},
		}},
	}
}

func probe(probe corev1.Probe) *corev1.Probe {
	probe.ProbeHandler = corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(port)}}
	return &probe
}

// env is the user's variables, then the system's, which win: names that
// aren't reserved may be in both (contract/functions.md 3.5, 6.4).
func env(fn *v1alpha2.Function, rt runtime.Runtime, config Config) []corev1.EnvVar {
	all := append([]corev1.EnvVar{}, fn.Spec.Env...)
	all = append(all, corev1.EnvVar{Name: "FUNC_RUNTIME", Value: string(rt.Name)})
	all = append(all, rt.Env...)
	all = append(all,
		corev1.EnvVar{Name: "FUNC_NAME", Value: fn.Name},
		corev1.EnvVar{Name: "SERVICE_NAMESPACE", Value: fn.Namespace},
		corev1.EnvVar{Name: "TRACE_COLLECTOR_ENDPOINT", Value: config.TraceCollectorEndpoint},
		corev1.EnvVar{Name: "PUBLISHER_PROXY_ADDRESS", Value: config.PublisherProxyAddress},
		corev1.EnvVar{Name: "FUNC_HANDLER", Value: "main"},
		corev1.EnvVar{Name: "MOD_NAME", Value: "handler"},
		corev1.EnvVar{Name: "FUNC_PORT", Value: "8080"},
	)
	last := map[string]int{}
	for i, variable := range all {
		last[variable.Name] = i
	}
	// Server-side apply takes each name once.
	unique := all[:0]
	for i, variable := range all {
		if last[variable.Name] == i {
			unique = append(unique, variable)
		}
	}
	return unique
}

func podLabels(fn *v1alpha2.Function) map[string]string {
	labels := maps.Clone(fn.Spec.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels["app.kubernetes.io/name"] = fn.Name
	maps.Copy(labels, SelectorLabels(fn))
	return labels
}

func podAnnotations(fn *v1alpha2.Function) map[string]string {
	annotations := maps.Clone(fn.Spec.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, MarketAnnotations())
	annotations["proxy.istio.io/config"] = `{ "holdApplicationUntilProxyStarts": true }`
	return annotations
}

func objectMeta(fn *v1alpha2.Function, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: fn.Namespace, Labels: Labels(fn), OwnerReferences: OwnerReferences(fn)}
}

package build

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8svalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/access"
	"kyma-project.io/serverless/internal/fips"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/workload"
)

// LabelDependencies on a Job holds the start of the tag of its layer, so
// that Functions which need the same layer wait for one Job.
const LabelDependencies = "serverless.kyma-project.io/dependencies"

// annotationAttempt counts how often the same build was tried.
const annotationAttempt = "serverless.kyma-project.io/build-attempt"

const (
	workspace    = "/workspace"
	packageCreds = "/registry-config"
	pushCreds    = "/push-credentials"
	pushToken    = "token"
	// tokenLife is the least that Kubernetes gives; the kubelet replaces a token
	// that gets old while its Pod runs.
	tokenLife = 10 * time.Minute
	// deadline ends a build that hangs.
	deadline = 15 * time.Minute
	// retention keeps a finished build's log at hand, then lets it go.
	retention = time.Hour
	// certificatesKey of the package registry Secret holds more CA certificates to trust.
	certificatesKey = "ca.crt"
)

// diskLimit is what a build may write of packages, and again of temporary
// files: an image larger than that is no Function any more, and a build that
// fills the node's disk would have the node evict Pods of others.
var diskLimit = resource.MustParse("2Gi")

// JobInput is what a dependency build needs to know.
type JobInput struct {
	Function        *v1alpha2.Function
	Runtime         runtime.Runtime
	Plan            Plan
	Resources       corev1.ResourceRequirements
	PackageRegistry map[string][]byte
	// Target is the image reference that the layer is pushed to.
	Target string
	// Source is the image reference of the published source, which has the lock file.
	Source    string
	PlainHTTP bool
	// ByToken has the Job push with a token of its Pod, not with credentials.
	ByToken bool
	// Certificates has it trust those of the registry's Secret.
	Certificates bool
	// Attempt is 1 for the first try.
	Attempt int
	JobConfig
}

// JobConfig is the same for all builds.
type JobConfig struct {
	BuilderImage, ServiceAccount, RegistrySecret, PackageRegistrySecret string
	// FIPS has the builder run in FIPS mode.
	FIPS bool
}

// environment of the builder, with more variables.
func (c JobConfig) environment(more ...corev1.EnvVar) []corev1.EnvVar {
	if !c.FIPS {
		return more
	}
	return append(more, corev1.EnvVar{Name: fips.Variable, Value: "true"}, corev1.EnvVar{Name: fips.DebugVariable, Value: fips.DebugValue})
}

// DependenciesLabel is the value of LabelDependencies for the tag.
func DependenciesLabel(tag string) string {
	return tag[:min(len(tag), 40)]
}

// JobName is the name of a Function's build of the dependency layer. A Job's
// name becomes a label, so that the end of a long Function's name is left out:
// the tag tells builds apart.
func JobName(function, tag string) string {
	suffix := "-build-" + tag[:min(len(tag), 10)]
	return function[:min(len(function), k8svalidation.DNS1123LabelMaxLength-len(suffix))] + suffix
}

// Job installs the dependencies in the runtime's own image as the Function's
// user, and then publishes what was installed as a layer. Only the builder
// sees the credential to push, and nobody an API token
// (design: the way of a Function, 4).
func Job(in JobInput) *batchv1.Job {
	return newJob(in.Function, in.Plan.Dependencies, in.Attempt, podSpec(in))
}

// newJob publishes the layer of the tag by what the Pod does.
func newJob(fn *v1alpha2.Function, tag string, attempt int, pod corev1.PodSpec) *batchv1.Job {
	labels := workload.Labels(fn)
	labels[LabelDependencies] = DependenciesLabel(tag)
	return &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name:            JobName(fn.Name, tag),
			Namespace:       fn.Namespace,
			Labels:          labels,
			Annotations:     map[string]string{annotationAttempt: attemptText(attempt)},
			OwnerReferences: workload.OwnerReferences(fn),
		},
		Spec: batchv1.JobSpec{
			Parallelism:             ptr.To(int32(1)),
			Completions:             ptr.To(int32(1)),
			BackoffLimit:            ptr.To(int32(0)),
			ActiveDeadlineSeconds:   ptr.To(int64(deadline / time.Second)),
			TTLSecondsAfterFinished: ptr.To(int32(retention / time.Second)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      podLabels(labels),
					Annotations: podAnnotations(),
				},
				Spec: pod,
			},
		},
	}
}

// podLabels are the Job's (contract/functions.md 2.6) but for those that would
// take its Pod for one that serves, or for another Job's.
func podLabels(ofJob map[string]string) map[string]string {
	labels := maps.Clone(ofJob)
	for _, name := range []string{v1alpha2.LabelResource, batchv1.JobNameLabel, batchv1.ControllerUidLabel, "job-name", "controller-uid"} {
		delete(labels, name)
	}
	return labels
}

func podAnnotations() map[string]string {
	annotations := workload.MarketAnnotations()
	annotations["sidecar.istio.io/inject"] = "false"
	return annotations
}

func podSpec(in JobInput) corev1.PodSpec {
	install := corev1.Container{
		Name:            "install",
		Image:           in.Runtime.Image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		WorkingDir:      workspace,
		Command:         []string{"/bin/sh", "-ec", installScript(in)},
		Env:             installEnv(in),
		Resources:       in.Resources,
		SecurityContext: workload.RestrictedContainer(),
		// The installer's own words are the reason of a failure.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts: []corev1.VolumeMount{
			{Name: "workspace", MountPath: workspace},
			{Name: "tmp", MountPath: "/tmp"},
			{Name: "package-registry", MountPath: packageCreds, ReadOnly: true},
		},
	}
	before := []corev1.Container{install}
	if in.Plan.Lock.File != "" {
		before = []corev1.Container{lockContainer(in), install}
	}
	return publishingPod(in.JobConfig, in.Resources, before, pushArgs(in), in.login(), corev1.Volume{Name: "package-registry", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: in.PackageRegistrySecret, Optional: ptr.To(true)}}})
}

// lockContainer takes the lock file from the published source, which may be
// larger than anything that a Pod's specification can hold. It has ended when
// the first stranger's code runs.
func lockContainer(in JobInput) corev1.Container {
	file := in.Plan.Lock.File
	args := []string{"lock", "--from=" + in.Source, "--file=" + path.Join(in.Runtime.FunctionDir, file), "--to=" + path.Join(workspace, file)}
	if in.PlainHTTP {
		args = append(args, "--plain-http")
	}
	return registryContainer(in.JobConfig, "lock", in.Resources, args, in.login(), corev1.VolumeMount{Name: "workspace", MountPath: workspace})
}

// registryContainer runs the builder with the credential to pull and push.
func registryContainer(config JobConfig, name string, resources corev1.ResourceRequirements, args []string, by login, mount corev1.VolumeMount) corev1.Container {
	environment := config.environment(corev1.EnvVar{Name: "DOCKER_CONFIG", Value: pushCreds})
	if by.certificates {
		// It talks to this registry only, and Go adds what its system trusts.
		environment = append(environment, corev1.EnvVar{Name: "SSL_CERT_FILE", Value: path.Join(pushCreds, image.CertificatesKey)})
	}
	if by.byToken {
		args = append(args, "--token-file="+path.Join(pushCreds, pushToken))
		environment = config.environment()
	}
	return corev1.Container{
		Name:                     name,
		Image:                    config.BuilderImage,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		Args:                     args,
		Env:                      environment,
		Resources:                resources,
		SecurityContext:          workload.RestrictedContainer(),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts: []corev1.VolumeMount{
			mount,
			{Name: "push-credentials", MountPath: pushCreds, ReadOnly: true},
		},
	}
}

// publishingPod has the containers fill the workspace, one after the other, and
// then the builder publish what is there. Volumes are what those need besides.
func publishingPod(config JobConfig, resources corev1.ResourceRequirements, before []corev1.Container, push []string, by login, volumes ...corev1.Volume) corev1.PodSpec {
	return corev1.PodSpec{
		RestartPolicy:                corev1.RestartPolicyNever,
		ServiceAccountName:           config.ServiceAccount,
		AutomountServiceAccountToken: ptr.To(false),
		EnableServiceLinks:           ptr.To(false),
		SecurityContext:              workload.RestrictedPod(),
		InitContainers:               before,
		Containers: []corev1.Container{registryContainer(config, "push", resources, push, by,
			corev1.VolumeMount{Name: "workspace", MountPath: workspace, ReadOnly: true})},
		Volumes: slices.Concat([]corev1.Volume{
			{Name: "workspace", VolumeSource: scratch()},
			{Name: "tmp", VolumeSource: scratch()},
		}, volumes, []corev1.Volume{
			{Name: "push-credentials", VolumeSource: credentialsToPush(config, by)},
		}),
	}
}

// login is how the builder gets at the registry.
type login struct{ byToken, certificates bool }

func (in JobInput) login() login { return login{byToken: in.ByToken, certificates: in.Certificates} }

// credentialsToPush are a token that ends with the Pod and is good for nothing
// but the module's own registry, or else what the user has for another registry.
func credentialsToPush(config JobConfig, by login) corev1.VolumeSource {
	if by.byToken {
		return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
			ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: access.Audience, ExpirationSeconds: ptr.To(int64(tokenLife / time.Second)), Path: pushToken,
			},
		}}}}
	}
	items := []corev1.KeyToPath{{Key: corev1.DockerConfigJsonKey, Path: "config.json"}}
	if by.certificates {
		items = append(items, corev1.KeyToPath{Key: image.CertificatesKey, Path: image.CertificatesKey})
	}
	return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: config.RegistrySecret, Items: items}}
}

// scratch is room on the node's disk; the kubelet evicts a Pod that takes more.
func scratch() corev1.VolumeSource {
	return corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(diskLimit.DeepCopy())}}
}

func installScript(in JobInput) string {
	rt, install := in.Runtime, in.Runtime.Install
	if in.Plan.Lock.File != "" {
		install = rt.InstallLocked
	}
	if rt.Reasons != "" {
		install += " || {\nfailed=$?\n" + rt.Reasons + "\nexit $failed\n}"
	}
	lines := []string{`printf '%s' "$DEPENDENCIES" > ` + rt.DependenciesFile, install}
	for _, entry := range rt.Installed {
		// An installer that had nothing to do leaves nothing. Not every image has mkdir.
		lines = append(lines, "[ -d "+entry+" ] || mkdir "+entry)
	}
	return strings.Join(lines, "\n")
}

func installEnv(in JobInput) []corev1.EnvVar {
	env := []corev1.EnvVar{
		{Name: "HOME", Value: "/tmp"},
		// The API server expands $(NAME) in values; the manifest is to arrive as it is.
		{Name: "DEPENDENCIES", Value: strings.ReplaceAll(string(in.Plan.Manifest), "$", "$$")},
	}
	for _, name := range in.Runtime.InstallEnvNames() {
		env = append(env, corev1.EnvVar{Name: name, Value: in.Runtime.InstallEnv[name]})
	}
	if _, found := in.PackageRegistry[in.Runtime.RegistryConfigFile]; found {
		env = append(env, corev1.EnvVar{Name: in.Runtime.RegistryConfigEnv, Value: path.Join(packageCreds, in.Runtime.RegistryConfigFile)})
	}
	if _, found := in.PackageRegistry[certificatesKey]; found {
		env = append(env, corev1.EnvVar{Name: in.Runtime.CertificatesEnv, Value: path.Join(packageCreds, certificatesKey)})
	}
	return env
}

func pushArgs(in JobInput) []string {
	args := []string{"push", "--root=" + workspace, "--directory=" + in.Runtime.FunctionDir, "--to=" + in.Target, "--packages"}
	for _, entry := range in.Runtime.Installed {
		args = append(args, "--entry="+entry)
	}
	if in.PlainHTTP {
		args = append(args, "--plain-http")
	}
	return args
}

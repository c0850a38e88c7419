package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/controlplane"
)

const (
	// fakeNodes is how many nodes are played; each has room for 1,000 Pods.
	fakeNodes = 10
	// planeDir is where programs are built, and their logs go.
	planeDir = "build/bench"
)

// scale measures the controller alone, with many Functions: the API server,
// the cluster's controllers and the module's programs are real, the nodes are
// played.
type scale struct {
	client client.WithWatch
	plane  *controlplane.ControlPlane
	module *installation
	size   int
	// deployment and service are those of a Function, to be created bare.
	deployment appsv1.DeploymentSpec
	service    corev1.ServiceSpec
}

// measureScale returns the rows of the benchmarks that are wanted. Runs
// alternate which of the two comes first.
func measureScale(ctx context.Context, options options) (table []measurement, err error) {
	s := &scale{size: options.functions}
	defer func() { err = errors.Join(err, s.close(err != nil)) }()
	if err := s.setUp(ctx, options.tools); err != nil {
		return nil, err
	}
	if options.wants("controller_scale") {
		var pairs []pair
		for run := range options.scaleRuns {
			measured, err := s.once(ctx, run)
			if err != nil {
				return nil, fmt.Errorf("measure controller_scale: %w", err)
			}
			fmt.Fprintf(os.Stderr, "controller_scale  %.2f/%.2f\n", measured.value.Seconds(), measured.baseline.Seconds())
			pairs = append(pairs, measured)
		}
		table = append(table, summarize("controller_scale", "≤ 2", pairs))
	}
	if options.wants("controller_rest_memory") || options.wants("controller_rest_writes") {
		measured, err := s.atRest(ctx)
		if err != nil {
			return nil, fmt.Errorf("measure the controller at rest: %w", err)
		}
		table = append(table, measured.rows(options, "controller_rest_memory", "< 200", "controller_rest_writes")...)
	}
	return table, nil
}

func (s *scale) setUp(ctx context.Context, tools string) error {
	log.SetLogger(logr.Discard())
	dir, err := filepath.Abs(planeDir)
	if err != nil {
		return err
	}
	if s.plane, err = startPlane(ctx, tools, controllerUser); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme), v1alpha2.AddToScheme(scheme)); err != nil {
		return err
	}
	if s.client, err = client.NewWithWatch(s.plane.Admin, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := s.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: moduleNamespace}}); err != nil {
		return fmt.Errorf("create namespace: %w", err)
	}
	if s.module, err = install(ctx, s.plane, s.client, dir); err != nil {
		return err
	}
	return s.learn(ctx)
}

// atRest leaves the controller alone with a fleet.
func (s *scale) atRest(ctx context.Context) (rest, error) {
	f := fleet{client: s.client, name: "resting", size: s.size}
	if err := f.prepare(ctx); err != nil {
		return rest{}, err
	}
	if _, err := s.createFunctions(ctx, f); err != nil {
		return rest{}, err
	}
	note("%d Functions run; the controller is left alone for %s", f.size, settle+resting)
	return measureRest(ctx, s.plane, s.module.controller)
}

// learn has one Function run, and remembers what it consists of.
func (s *scale) learn(ctx context.Context) error {
	first := fleet{client: s.client, name: "first", size: 1}
	if err := first.prepare(ctx); err != nil {
		return err
	}
	if _, err := s.createFunctions(ctx, first); err != nil {
		return err
	}
	var deployments appsv1.DeploymentList
	var services corev1.ServiceList
	if err := errors.Join(
		s.client.List(ctx, &deployments, client.InNamespace(first.namespace(0))),
		s.client.List(ctx, &services, client.InNamespace(first.namespace(0))),
	); err != nil || len(deployments.Items) != 1 || len(services.Items) != 1 {
		return fmt.Errorf("read the Function's Deployment and Service: found %d and %d: %w", len(deployments.Items), len(services.Items), err)
	}
	s.deployment = deployments.Items[0].Spec
	// The module's account comes with a namespace's first Function; any other is as good.
	s.deployment.Template.Spec.ServiceAccountName, s.deployment.Template.Spec.DeprecatedServiceAccount = defaultAccount, ""
	s.deployment.Template.Spec.AutomountServiceAccountToken = new(false)
	s.service = corev1.ServiceSpec{Ports: services.Items[0].Spec.Ports}
	return first.remove(ctx)
}

// once measures a fleet of Functions, next to one of bare Deployments with their Services.
func (s *scale) once(ctx context.Context, run int) (pair, error) {
	var measured pair
	functions := func() (err error) {
		measured.value, err = s.measure(ctx, fmt.Sprintf("functions-%d", run), s.createFunctions)
		return err
	}
	bare := func() (err error) {
		measured.baseline, err = s.measure(ctx, fmt.Sprintf("bare-%d", run), s.createBare)
		return err
	}
	if run%2 == 1 {
		return measured, errors.Join(bare(), functions())
	}
	return measured, errors.Join(functions(), bare())
}

func (s *scale) measure(ctx context.Context, name string, create func(context.Context, fleet) (time.Duration, error)) (time.Duration, error) {
	f := fleet{client: s.client, name: name, size: s.size}
	if err := f.prepare(ctx); err != nil {
		return 0, err
	}
	before, err := controlplane.ChildrenCPU()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	took, err := create(ctx, f)
	if err != nil {
		return 0, err
	}
	after, err := controlplane.ChildrenCPU()
	if err != nil {
		return 0, err
	}
	requests, err := s.plane.Requests(begin, begin.Add(took))
	if err != nil {
		return 0, err
	}
	note("%s: %.1f s; CPU %s", name, took.Seconds(), after.Since(before))
	if len(requests) > 0 {
		note("the controller sent %s", perFunction(requests, s.size))
	}
	return took, f.remove(ctx)
}

func (s *scale) createFunctions(ctx context.Context, f fleet) (time.Duration, error) {
	return f.create(ctx, &v1alpha2.FunctionList{}, isRunning, func(namespace, name string) []client.Object {
		return []client.Object{&v1alpha2.Function{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec: v1alpha2.FunctionSpec{
				Runtime: "nodejs22",
				Source:  v1alpha2.Source{Inline: &v1alpha2.InlineSource{Source: fmt.Sprintf("module.exports = { main: () => %q };\n", name)}},
			},
		}}
	})
}

func (s *scale) createBare(ctx context.Context, f fleet) (time.Duration, error) {
	return f.create(ctx, &appsv1.DeploymentList{}, isAvailable, func(namespace, name string) []client.Object {
		labels := map[string]string{"app": name}
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		s.deployment.DeepCopyInto(&deployment.Spec)
		deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		deployment.Spec.Template.Labels = labels
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		s.service.DeepCopyInto(&service.Spec)
		service.Spec.Selector = labels
		return []client.Object{deployment, service}
	})
}

// close ends all of it. After a failure it says if the controller had ended
// already, which nobody else would have noticed.
func (s *scale) close(failed bool) error {
	var err error
	if s.module != nil {
		if failed {
			err = s.module.controller.Err()
		}
		s.module.stop()
	}
	if s.plane != nil {
		err = errors.Join(err, s.plane.Stop())
	}
	return err
}

// perFunction counts the requests by kind, for each of the Functions.
func perFunction(requests []controlplane.Request, functions int) string {
	counts := map[string]int{}
	for _, request := range requests {
		counts[request.Kind()]++
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return counts[b] - counts[a] })
	parts := []string{fmt.Sprintf("%.1f requests for each", float64(len(requests))/float64(functions))}
	for _, kind := range kinds {
		if share := float64(counts[kind]) / float64(functions); share >= 0.05 {
			parts = append(parts, fmt.Sprintf("%.2f %s", share, kind))
		}
	}
	return strings.Join(parts, ", ")
}

// startPlane starts a control plane that records a user's requests.
func startPlane(ctx context.Context, tools, auditedUser string) (*controlplane.ControlPlane, error) {
	dir, err := filepath.Abs(planeDir)
	if err != nil {
		return nil, err
	}
	assets, assetsErr := ask(ctx, tools, "assets")
	kwok, kwokErr := ask(ctx, tools, "kwok")
	if err := errors.Join(assetsErr, kwokErr); err != nil {
		return nil, err
	}
	return controlplane.Start(ctx, controlplane.Config{Assets: assets, Kwok: kwok, Dir: dir, AuditedUser: auditedUser, Nodes: fakeNodes})
}

// ask runs the cluster program, which builds what it is asked for.
func ask(ctx context.Context, tools, what string) (string, error) {
	command := exec.CommandContext(ctx, filepath.Join(tools, "cluster"), what)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("run cluster %s: %w; `make tools` builds it", what, err)
	}
	return strings.TrimSpace(string(output)), nil
}

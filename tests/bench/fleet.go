package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

const (
	// fleetNamespaces is how many namespaces a fleet is spread over.
	fleetNamespaces = 20
	// creators is how many of a fleet are created at once.
	creators = 16
	// labelFleet is on what belongs to a fleet.
	labelFleet = "bench.kyma-project.io/fleet"

	fleetTimeout = 30 * time.Minute
	// defaultAccount is the service account that each namespace gets.
	defaultAccount = "default"
)

// fleet is many of the same, in namespaces of their own.
type fleet struct {
	client client.WithWatch
	name   string
	size   int
}

// prepare makes the namespaces and waits until Pods may run in them.
func (f fleet) prepare(ctx context.Context) error {
	for i := range fleetNamespaces {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace(i), Labels: map[string]string{labelFleet: f.name}}}
		if err := f.client.Create(ctx, namespace); err != nil {
			return fmt.Errorf("create namespace: %w", err)
		}
	}
	for i := range fleetNamespaces {
		account := client.ObjectKey{Namespace: f.namespace(i), Name: defaultAccount}
		err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			err := f.client.Get(ctx, account, &corev1.ServiceAccount{})
			return err == nil, client.IgnoreNotFound(err)
		})
		if err != nil {
			return fmt.Errorf("wait for service account %s: %w", account, err)
		}
	}
	return nil
}

// create creates them, each by make, and returns how long it took from the
// first one's creation until all are done.
func (f fleet) create(ctx context.Context, list client.ObjectList, done func(client.Object) bool, objects func(namespace, name string) []client.Object) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, fleetTimeout)
	defer cancel()
	changes, err := f.client.Watch(ctx, list, client.MatchingLabels{labelFleet: f.name})
	if err != nil {
		return 0, fmt.Errorf("watch %s: %w", f.name, err)
	}
	defer changes.Stop()
	begin := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.await(ctx, changes, done) })
	creation, creationCtx := errgroup.WithContext(ctx)
	creation.SetLimit(creators)
	for i := range f.size {
		creation.Go(func() error {
			for _, object := range objects(f.namespace(i%fleetNamespaces), fmt.Sprintf("%s-%d", f.name, i)) {
				object.SetLabels(map[string]string{labelFleet: f.name})
				if err := f.client.Create(creationCtx, object); err != nil {
					return fmt.Errorf("create %T: %w", object, err)
				}
			}
			return nil
		})
	}
	if err := creation.Wait(); err != nil {
		return 0, err
	}
	err = group.Wait()
	return time.Since(begin), err
}

// await reads the changes until all are done.
func (f fleet) await(ctx context.Context, changes watch.Interface, done func(client.Object) bool) error {
	finished := map[client.ObjectKey]bool{}
	for len(finished) < f.size {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %d of %d are done: %w", f.name, len(finished), f.size, ctx.Err())
		case change, open := <-changes.ResultChan():
			if !open || change.Type == watch.Error {
				return fmt.Errorf("wait for %s: the watch ended: %w", f.name, apierrors.FromObject(change.Object))
			}
			if object, isObject := change.Object.(client.Object); isObject && done(object) {
				finished[client.ObjectKeyFromObject(object)] = true
			}
		}
	}
	return nil
}

// remove deletes the namespaces and waits until they are gone.
func (f fleet) remove(ctx context.Context) error {
	for i := range fleetNamespaces {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace(i)}}
		if err := f.client.Delete(ctx, namespace); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete namespace: %w", err)
		}
	}
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, fleetTimeout, true, func(ctx context.Context) (bool, error) {
		var left corev1.NamespaceList
		err := f.client.List(ctx, &left, client.MatchingLabels{labelFleet: f.name})
		return err == nil && len(left.Items) == 0, err
	})
	if err != nil {
		return fmt.Errorf("wait until %s are gone: %w", f.name, err)
	}
	return nil
}

func (f fleet) namespace(i int) string { return fmt.Sprintf("%s-%d", f.name, i) }

// isRunning tells whether a Function's newest version serves.
func isRunning(object client.Object) bool {
	fn := object.(*v1alpha2.Function)
	running := fn.Status.Condition(v1alpha2.ConditionRunning)
	return fn.Status.ObservedGeneration == fn.Generation && running != nil && running.Status == corev1.ConditionTrue
}

// isAvailable tells whether a Deployment's newest version serves.
func isAvailable(object client.Object) bool {
	deployment := object.(*appsv1.Deployment)
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentAvailable {
			return deployment.Status.ObservedGeneration == deployment.Generation && condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func note(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }

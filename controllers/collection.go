package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/collection"
	"kyma-project.io/serverless/internal/image"
)

const (
	// collectionGrace is longer than any reconciliation, after which an image
	// that it found or pushed is referred to.
	collectionGrace = ReconciliationTimeout + 30*time.Second
	// collectionLimit ends a collection that hangs.
	collectionLimit = 15 * time.Minute
	// lowInterval is the time between two collections while the registry has
	// little room: who deletes Functions waits for it.
	lowInterval = 5 * time.Minute
	// listed is how many objects are read at once.
	listed = 500
)

// Collection has the module's own registry delete what no Function's
// Deployment, ReplicaSet or revision refers to (docs/decisions/collection.md).
type Collection struct {
	// Live reads past the cache: what it doesn't list is deleted.
	Live       client.Reader
	Registries *image.Registries
	// Base is the module's namespace, RegistrySecret the Secret there.
	Base, RegistrySecret string
	// Delay is the time to the first collection, Interval that between two.
	Delay, Interval time.Duration
}

// NeedLeaderElection has one replica collect.
func (c *Collection) NeedLeaderElection() bool { return true }

// Start collects until the context ends.
func (c *Collection) Start(ctx context.Context) error {
	log := ctrl.Log.WithName("collection")
	wait := c.Delay
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		result, err := c.Collect(ctx)
		wait = c.Interval
		if result.Low {
			wait = min(c.Interval, lowInterval)
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			log.Error(err, "collect images, which will be tried again", "after", wait.String())
		case !result.IsEmpty():
			log.Info("images collected", "manifests", result.Manifests, "blobs", result.Blobs, "bytes", result.Bytes)
		}
	}
}

// Collect has the registry delete what is not referred to now. It does nothing
// where the registry isn't the module's own.
func (c *Collection) Collect(ctx context.Context) (collection.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, collectionLimit)
	defer cancel()
	var secret corev1.Secret
	if err := c.Live.Get(ctx, client.ObjectKey{Namespace: c.Base, Name: c.RegistrySecret}, &secret); err != nil {
		return collection.Result{}, client.IgnoreNotFound(err)
	}
	location, err := image.LocationFromSecret(&secret)
	if err != nil || !location.Internal {
		return collection.Result{}, err
	}
	registry, err := c.Registries.At(location)
	if err != nil {
		return collection.Result{}, err
	}
	begun := time.Now()
	images, err := c.references(ctx, location.Pull+"/")
	if err != nil {
		return collection.Result{}, err
	}
	return registry.Collect(ctx, collection.Listing{Images: images, Age: time.Since(begun), Grace: collectionGrace})
}

// references are the images of the registry that are referred to. An image
// goes from a Deployment to its ReplicaSet, and to a revision; they are read in
// that order, so that none slips through.
func (c *Collection) references(ctx context.Context, registry string) ([]string, error) {
	found := map[string]bool{}
	add := func(references ...string) {
		for _, reference := range references {
			if name, ours := strings.CutPrefix(reference, registry); ours {
				found[name] = true
			}
		}
	}
	revisions := &metav1.PartialObjectMetadataList{}
	revisions.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ControllerRevisionList"))
	err := errors.Join(
		eachPage(ctx, c.Live, &appsv1.DeploymentList{}, func(page *appsv1.DeploymentList) {
			for i := range page.Items {
				add(page.Items[i].Annotations[annotationImage])
				add(containerImages(page.Items[i].Spec.Template.Spec)...)
			}
		}),
		eachPage(ctx, c.Live, &appsv1.ReplicaSetList{}, func(page *appsv1.ReplicaSetList) {
			for i := range page.Items {
				add(containerImages(page.Items[i].Spec.Template.Spec)...)
			}
		}),
		eachPage(ctx, c.Live, revisions, func(page *metav1.PartialObjectMetadataList) {
			for i := range page.Items {
				add(page.Items[i].Annotations[annotationImage])
			}
		}),
	)
	images := make([]string, 0, len(found))
	for name := range found {
		images = append(images, name)
	}
	return images, err
}

func containerImages(pod corev1.PodSpec) []string {
	var images []string
	for _, container := range pod.Containers {
		images = append(images, container.Image)
	}
	return images
}

// eachPage reads the Functions' objects of a kind, some at a time.
func eachPage[List client.ObjectList](ctx context.Context, reader client.Reader, page List, visit func(List)) error {
	next := ""
	for {
		err := reader.List(ctx, page, client.Limit(listed), client.Continue(next),
			client.MatchingLabels{v1alpha2.LabelManagedBy: v1alpha2.ManagedByController})
		if err != nil {
			return fmt.Errorf("list what refers to images: %w", err)
		}
		visit(page)
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
}

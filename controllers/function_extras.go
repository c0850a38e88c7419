package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/workload"
)

// indexController finds objects by the UID of what controls them.
const indexController = "metadata.controller.uid"

// indexExtras lets removeExtras find a Function's objects without a look at all others.
func indexExtras(indexer client.FieldIndexer) error {
	for _, object := range []client.Object{
		&appsv1.Deployment{}, &corev1.Service{}, &corev1.ConfigMap{}, &autoscalingv2.HorizontalPodAutoscaler{},
	} {
		err := indexer.IndexField(context.Background(), object, indexController, func(object client.Object) []string {
			if controller := metav1.GetControllerOf(object); controller != nil {
				return []string{string(controller.UID)}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("index %T by controller: %w", object, err)
		}
	}
	return nil
}

// removeExtras deletes objects that the Function controls beside its own
// children: those of the original implementation, whose names are random, and
// copies (contract/functions.md 3.1). Their Pods get the same requests as ours,
// so this has to wait until ours serve.
func (r *FunctionReconciler) removeExtras(ctx context.Context, fn *v1alpha2.Function) error {
	own := workload.ChildName(fn)
	for _, children := range []struct {
		list client.ObjectList
		own  string
	}{
		{&appsv1.DeploymentList{}, own},
		{&corev1.ConfigMapList{}, own},
		{&autoscalingv2.HorizontalPodAutoscalerList{}, own},
		{&corev1.ServiceList{}, fn.Name},
	} {
		if err := r.List(ctx, children.list, client.InNamespace(fn.Namespace), client.MatchingFields{indexController: string(fn.UID)}); err != nil {
			return fmt.Errorf("list objects of Function: %w", err)
		}
		err := meta.EachListItem(children.list, func(item runtime.Object) error {
			if child := item.(client.Object); child.GetName() != children.own {
				return r.Applier.Remove(ctx, fn, child)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

package controllers

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/installation"
	"kyma-project.io/serverless/internal/status"
)

// removeFormer removes what is left of the implementation that the module was
// upgraded from, and returns when to do it again, if ever.
func (r *ServerlessReconciler) removeFormer(ctx context.Context, serverless *v1alpha1.Serverless, rendered []*unstructured.Unstructured) (time.Duration, error) {
	again, err := r.Installation.RemoveFormer(ctx, serverless.Namespace, rendered)
	if unreadable, is := errors.AsType[*installation.FormerInventoryError](err); is {
		log.FromContext(ctx).Info("former objects may be left", "reason", unreadable.Error())
		r.Recorder.Eventf(serverless, nil, corev1.EventTypeWarning, string(v1alpha1.ReasonInstallation), "Upgrade", "%s", status.Note(unreadable.Error()))
		return again, nil
	}
	return again, err
}

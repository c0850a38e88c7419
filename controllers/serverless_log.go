package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/logging"
	"kyma-project.io/serverless/internal/module"
)

// LogReconciler lets the operator log as the Serverless resource in effect asks.
// The module's other programs follow a file; the operator reads the resource.
type LogReconciler struct {
	Client client.Reader
	Log    *logging.Log
}

// SetupWithManager lets replicas in waiting follow the resource, too.
func (r *LogReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("serverless-log").
		WithOptions(controller.Options{NeedLeaderElection: new(false), MaxConcurrentReconciles: 1}).
		For(&v1alpha1.Serverless{}).
		Complete(r)
}

// Reconcile uses what is asked for. A value that is none changes nothing; it is
// named in the resource's conditions.
func (r *LogReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	list := &v1alpha1.ServerlessList{}
	if err := r.Client.List(ctx, list); err != nil {
		return ctrl.Result{}, fmt.Errorf("list Serverless resources: %w", err)
	}
	chosen := module.ChooseLog(v1alpha1.ServerlessSpec{})
	if served := module.Served(list.Items); served != nil {
		if module.CheckSettings(served.Spec) != nil {
			return ctrl.Result{}, nil
		}
		chosen = module.ChooseLog(served.Spec)
	}
	r.Log.Use(logging.Config{LogLevel: chosen.Level, LogFormat: chosen.Format})
	return ctrl.Result{}, nil
}

package controllers

import (
	"context"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/internal/gitpush"
)

// GitPushSecret is the name of a namespace's Secret that has what Git hosts
// sign their webhooks with.
const GitPushSecret = "serverless-git-push"

// GitPushHandler receives webhooks of Git hosts, for the Functions of the
// namespace that a request names (docs/decisions/git-push.md).
func (r *FunctionReconciler) GitPushHandler() http.Handler {
	return gitpush.NewHandler(r.gitPushSecret, r.Git.Pushed)
}

func (r *FunctionReconciler) gitPushSecret(ctx context.Context, namespace string) ([]byte, error) {
	var secret corev1.Secret
	err := r.Secrets.Get(ctx, client.ObjectKey{Namespace: namespace, Name: GitPushSecret}, &secret)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read Secret %s: %w", GitPushSecret, err)
	}
	return secret.Data[gitpush.SecretKey], nil
}

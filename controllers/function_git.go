package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/git"
	"kyma-project.io/serverless/internal/source"
	"kyma-project.io/serverless/internal/status"
	"kyma-project.io/serverless/internal/workload"
)

// credentialsRetry is the time to look again at a Secret whose credentials
// don't do. Secrets of users aren't watched: the controller would hold all of
// the cluster's.
const credentialsRetry = 30 * time.Second

// pollGit has the Functions reconciled whose reference names another commit.
func (r *FunctionReconciler) pollGit(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go r.Git.Run(ctx, func(name types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: name}) })
	return nil
}

// gitSource is the source at the commit that the reference names. It is nil
// while that is not known; no Git server is waited for.
func (r *FunctionReconciler) gitSource(ctx context.Context, fn *v1alpha2.Function, found *report) (*source.Source, error) {
	if err := r.deleteConfigMap(ctx, fn); err != nil {
		return nil, found.failed(v1alpha2.ConditionConfigurationReady, v1alpha2.ReasonSourceUpdateFailed, err)
	}
	commit, err := r.commit(ctx, fn, found)
	if err != nil || commit == "" {
		return nil, err
	}
	from := fn.Spec.Source.GitRepository
	src := source.Git(source.Revision{URL: from.URL, Commit: commit, BaseDir: git.BaseDir(from.BaseDir)})
	return &src, nil
}

// commit of the reference, by the newest that was heard of it.
func (r *FunctionReconciler) commit(ctx context.Context, fn *v1alpha2.Function, found *report) (string, error) {
	from := fn.Spec.Source.GitRepository
	name := client.ObjectKeyFromObject(fn)
	if fixed := git.FixedCommit(from.Reference); fixed != "" {
		r.Git.Forget(name)
		found.learn(fn, git.Answer{Commit: fixed, HostKey: hostKey(fn)})
		return fixed, nil
	}
	remote, err := r.remote(ctx, fn)
	var unusable *credentialError
	if errors.As(err, &unusable) {
		return found.unknownCommit(fn, err), nil
	}
	if err != nil {
		found.add(status.GitSourceFailed(err))
		return "", err
	}
	answer, heard := r.Git.Latest(name, git.Interest{
		Remote: remote, Reference: from.Reference,
		Continuous: strings.EqualFold(fn.Annotations[v1alpha2.AnnotationContinuousGitCheckout], "true"),
	})
	switch {
	case !heard:
		found.add(status.GitSourceAsked(fn.Status.Condition(v1alpha2.ConditionConfigurationReady), remote.Address(), from.Reference))
		return formerCommit(fn), nil
	case answer.Err != nil:
		return found.unknownCommit(fn, answer.Err), nil
	}
	found.learn(fn, answer)
	return answer.Commit, nil
}

// unknownCommit reports why the commit isn't known. A server that is down, or
// credentials that were withdrawn, don't keep a Function from being changed:
// it goes on with the commit that it has.
func (r *report) unknownCommit(fn *v1alpha2.Function, err error) string {
	r.add(status.GitSourceFailed(err))
	if fn.Spec.Source.GitRepository.Auth != nil {
		r.lookAgain(credentialsRetry)
	}
	var missing *git.NotFoundError
	if errors.As(err, &missing) {
		return ""
	}
	return formerCommit(fn)
}

func (r *report) learn(fn *v1alpha2.Function, answer git.Answer) {
	from := fn.Spec.Source.GitRepository
	r.add(status.GitSourceUpdated(fn.Name))
	r.status.Repository, r.status.Commit = from.Repository, answer.Commit
	r.status.GitRepository = &v1alpha2.GitRepositoryStatus{
		URL: git.Address(from.URL), Repository: from.Repository, Commit: answer.Commit, HostKey: answer.HostKey,
	}
}

// lookAgain has the Function reconciled after the time, or earlier.
func (r *report) lookAgain(after time.Duration) {
	if after > 0 && (r.retryAfter == 0 || after < r.retryAfter) {
		r.retryAfter = after
	}
}

// formerCommit is the commit found before for what the spec says, or "".
func formerCommit(fn *v1alpha2.Function) string {
	from, former := fn.Spec.Source.GitRepository, fn.Status.GitRepository
	if former == nil || former.URL != git.Address(from.URL) || former.Repository != from.Repository {
		return ""
	}
	return former.Commit
}

// hostKey is the one that the server showed first, or "".
func hostKey(fn *v1alpha2.Function) string {
	former := fn.Status.GitRepository
	if former == nil || former.URL != git.Address(fn.Spec.Source.GitRepository.URL) {
		return ""
	}
	return former.HostKey
}

// credentialError says that the Secret has to be made or corrected.
type credentialError struct {
	secret string
	err    error
}

func (e *credentialError) Error() string {
	return fmt.Sprintf("Secret %s of spec.source.gitRepository.auth: %v", e.secret, e.err)
}

func (e *credentialError) Unwrap() error { return e.err }

func (r *FunctionReconciler) remote(ctx context.Context, fn *v1alpha2.Function) (git.Remote, error) {
	from := fn.Spec.Source.GitRepository
	remote := git.Remote{URL: from.URL, HostKey: hostKey(fn)}
	if from.Auth == nil {
		return remote, nil
	}
	var secret corev1.Secret
	err := r.Secrets.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: from.Auth.SecretName}, &secret)
	if apierrors.IsNotFound(err) {
		return remote, &credentialError{from.Auth.SecretName, errors.New("it was not found; create it in the Function's namespace")}
	}
	if err != nil {
		return remote, fmt.Errorf("read Secret %s of spec.source.gitRepository.auth: %w", from.Auth.SecretName, err)
	}
	if remote.Credential, err = git.NewCredential(from.Auth.Type, secret.Data); err != nil {
		return remote, &credentialError{secret.Name, err}
	}
	return remote, nil
}

// notGit forgets what a Function had from Git before.
func (r *FunctionReconciler) notGit(fn *v1alpha2.Function, found *report) {
	r.Git.Forget(client.ObjectKeyFromObject(fn))
	found.status.Repository, found.status.Commit, found.status.GitRepository = v1alpha2.Repository{}, "", nil
}

// deleteConfigMap removes the inline source that the Function had before
// (contract/functions.md 3.2).
func (r *FunctionReconciler) deleteConfigMap(ctx context.Context, fn *v1alpha2.Function) error {
	var configMap corev1.ConfigMap
	err := r.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: workload.ChildName(fn)}, &configMap)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read ConfigMap of Function: %w", err)
	}
	if err := r.Delete(ctx, &configMap); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete ConfigMap %s, the inline source of before: %w", configMap.Name, err)
	}
	return nil
}

package registry

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"

	"kyma-project.io/serverless/internal/access"
)

const (
	// reviewed is how long the API server's answer holds: a push is some
	// requests within seconds, and the token of a Pod that is gone is soon refused.
	reviewed = 10 * time.Second
	// reviewedTokens bounds the answers that are kept.
	reviewedTokens = 1024
	// longestToken is far above the size of a service account's token.
	longestToken = 16 << 10
	// reviewPatience is the time for the API server to answer.
	reviewPatience = 10 * time.Second

	serviceAccountPrefix = "system:serviceaccount:"
	// boundPod is where the API server names the Pod that a token is bound to.
	boundPod = "authentication.kubernetes.io/pod-uid"
)

// Tokens tells builds by the service account tokens of their Pods, which the
// API server reviews.
type Tokens struct {
	client  authenticationclient.TokenReviewInterface
	account string
	answers *cache.LRUExpireCache
}

// NewTokens takes the tokens of Pods that run as the service account of the
// name, in any namespace.
func NewTokens(client authenticationclient.TokenReviewInterface, account string) *Tokens {
	return &Tokens{client: client, account: account, answers: cache.NewLRUExpireCache(reviewedTokens)}
}

// Identify returns whose token it is: nobody's, if the API server doesn't know
// it, or if it isn't one of a Pod that is there, for this registry.
func (t *Tokens) Identify(ctx context.Context, token string) (access.Identity, error) {
	// Nobody has the API server asked for what can't be a token.
	if len(token) > longestToken || strings.Count(token, ".") != 2 {
		return access.Identity{}, nil
	}
	key := sha256.Sum256([]byte(token))
	if known, found := t.answers.Get(key); found {
		return known.(access.Identity), nil
	}
	ctx, cancel := context.WithTimeout(ctx, reviewPatience)
	defer cancel()
	review, err := t.client.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{access.Audience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return access.Identity{}, fmt.Errorf("review token of a build: %w", err)
	}
	who := t.identity(review.Status)
	t.answers.Add(key, who, reviewed)
	return who, nil
}

func (t *Tokens) identity(status authenticationv1.TokenReviewStatus) access.Identity {
	if !status.Authenticated || !slices.Contains(status.Audiences, access.Audience) || len(status.User.Extra[boundPod]) == 0 {
		return access.Identity{}
	}
	subject, found := strings.CutPrefix(status.User.Username, serviceAccountPrefix)
	namespace, account, _ := strings.Cut(subject, ":")
	if !found || namespace == "" || account != t.account {
		return access.Identity{}
	}
	return access.BuildOf(namespace)
}

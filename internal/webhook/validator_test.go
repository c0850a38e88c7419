package webhook

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/preset"
)

var secretsResource = schema.GroupResource{Resource: "secrets"}

func TestOnlyASecretThatIsKnownNotToExistIsWarnedAbout(t *testing.T) {
	for name, test := range map[string]struct {
		answer   func(ctx context.Context) error
		warnings int
	}{
		"there":                    {func(context.Context) error { return nil }, 0},
		"not there":                {func(context.Context) error { return apierrors.NewNotFound(secretsResource, "a") }, 2},
		"not allowed to find out":  {func(context.Context) error { return apierrors.NewForbidden(secretsResource, "a", nil) }, 0},
		"found out too late":       {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 0},
		"API server not available": {func(context.Context) error { return apierrors.NewServiceUnavailable("down") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			secrets := &answering{answer: test.answer}
			fn := mounting("a", "b")
			// One question is enough for two places.
			fn.Spec.Source.GitRepository = &v1alpha2.GitRepositorySource{Auth: &v1alpha2.RepositoryAuth{SecretName: "a"}}
			started := time.Now()
			warnings := (&validator{secrets: secrets}).missingSecrets(t.Context(), fn)
			if took := time.Since(started); took > 2*secretsTimeout {
				t.Errorf("took %s", took)
			}
			if want := test.warnings + test.warnings/2; len(warnings) != want {
				t.Errorf("got %q, want %d", warnings, want)
			}
			if len(secrets.asked) > 2 {
				t.Errorf("asked for %v", secrets.asked)
			}
		})
	}
}

func TestUpdateThatLeavesTheSpecAloneIsNeverRefused(t *testing.T) {
	deleted := metav1.Now()
	for name, change := range map[string]func(*v1alpha2.Function){
		"nothing changed":  func(*v1alpha2.Function) {},
		"metadata changed": func(fn *v1alpha2.Function) { fn.Annotations = map[string]string{"a": "b"} },
		"status changed":   func(fn *v1alpha2.Function) { fn.Status.Replicas = 2 },
		"spec of a deleted one": func(fn *v1alpha2.Function) {
			fn.DeletionTimestamp = &deleted
			fn.Spec.Env = []corev1.EnvVar{{Name: "2b"}}
		},
		"another part of the spec": func(fn *v1alpha2.Function) { fn.Spec.Replicas = new(int32(2)) },
	} {
		t.Run(name, func(t *testing.T) {
			former := mounting()
			former.Spec.Env = []corev1.EnvVar{{Name: "1a"}}
			fn := former.DeepCopy()
			change(fn)
			if _, err := (&validator{secrets: &answering{}, Rules: Rules{Profiles: preset.Config{}}}).ValidateUpdate(t.Context(), former, fn); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

func mounting(secrets ...string) *v1alpha2.Function {
	fn := &v1alpha2.Function{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"}}
	for _, secret := range secrets {
		fn.Spec.SecretMounts = append(fn.Spec.SecretMounts, v1alpha2.SecretMount{SecretName: secret})
	}
	return fn
}

// answering plays an API server that is asked for metadata of Secrets.
type answering struct {
	client.Reader
	answer func(ctx context.Context) error
	asked  []client.ObjectKey
}

func (a *answering) Get(ctx context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	a.asked = append(a.asked, key)
	return a.answer(ctx)
}

func TestFIPSModeIsHeldAgainstChangesOnly(t *testing.T) {
	former := &v1alpha2.Function{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"}, Spec: v1alpha2.FunctionSpec{Runtime: "nodejs20"}}
	fn := former.DeepCopy()
	fn.Spec.Labels = map[string]string{"app": "shop"}
	for _, asked := range []bool{false, true} {
		v := &validator{Rules: Rules{FIPS: asked}}
		_, refusal := v.ValidateCreate(t.Context(), fn)
		if (refusal != nil) != asked || (asked && !strings.Contains(refusal.Error(), "nodejs20 is not available in FIPS mode")) {
			t.Errorf("FIPS mode %t: created: %v", asked, refusal)
		}
		if _, err := v.ValidateUpdate(t.Context(), former, fn); err != nil {
			t.Errorf("FIPS mode %t: one that is there can't be changed: %v", asked, err)
		}
	}
}

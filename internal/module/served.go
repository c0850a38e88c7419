package module

import (
	"cmp"
	"slices"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// Served returns the Serverless resource in effect: the one that is served
// already, otherwise the oldest. So a redundant one is promoted when the one
// in effect is gone. It returns nil if there is none.
func Served(all []v1alpha1.Serverless) *v1alpha1.Serverless {
	if len(all) == 0 {
		return nil
	}
	oldest := slices.MinFunc(all, func(a, b v1alpha1.Serverless) int {
		return cmp.Or(
			cmp.Compare(precedence(a), precedence(b)),
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return &oldest
}

func precedence(serverless v1alpha1.Serverless) int {
	switch {
	case serverless.Status.Served == v1alpha1.ServedTrue:
		return 0
	case serverless.DeletionTimestamp == nil:
		return 1
	default:
		// It is going, as soon as somebody else's finalizer lets it.
		return 2
	}
}

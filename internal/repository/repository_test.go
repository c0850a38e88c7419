package repository_test

import (
	"slices"
	"testing"

	"kyma-project.io/serverless/internal/repository"
)

func TestNoTwoUsesShareARepository(t *testing.T) {
	names := []string{
		repository.Function("a-b", "c"), repository.Function("a", "b-c"), repository.Function("a", "b"),
		repository.Dependencies("a"), repository.Dependencies("a-b"), repository.Runtimes,
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != 6 {
		t.Errorf("two of %v are the same", names)
	}
}

func TestWhoseARepositoryIs(t *testing.T) {
	for name, test := range map[string]struct {
		repository, namespace string
		is, former            bool
	}{
		"a Function's":                    {"shop__orders", "shop", true, false},
		"the cache":                       {"shop.dependencies", "shop", true, false},
		"another namespace's":             {"shop-eu__orders", "shop", false, false},
		"another namespace's cache":       {"shop-eu.dependencies", "shop", false, false},
		"the beginning of the namespace":  {"sho__orders", "shop", false, false},
		"the original's":                  {"shop-orders", "shop", false, true},
		"the original's, of another":      {"market-orders", "shop", false, false},
		"a runtime's base":                {"runtimes", "shop", false, false},
		"below a path":                    {"shop-orders/x", "shop", false, false},
		"below a namespace that is empty": {"shop__orders", "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if is := repository.IsOf(test.repository, test.namespace); is != test.is {
				t.Errorf("IsOf is %t", is)
			}
			if former := repository.IsFormerOf(test.repository, test.namespace); former != test.former {
				t.Errorf("IsFormerOf is %t", former)
			}
		})
	}
}

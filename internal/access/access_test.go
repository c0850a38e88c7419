package access_test

import (
	"testing"

	"kyma-project.io/serverless/internal/access"
)

var ofModule = access.Credentials{Username: "user", Password: "secret"}

func TestWhoMayDoWhat(t *testing.T) {
	shop := access.Identify(access.ForNamespace("shop", ofModule.Password), ofModule)
	build := access.BuildOf("shop")
	module := access.Identify(ofModule, ofModule)
	const pull, push, remove = access.Pull, access.Push, access.Delete
	for name, test := range map[string]struct {
		who        access.Identity
		repository string
		may        []access.Action
	}{
		"the module, a Function's":                 {module, "shop__orders", []access.Action{pull, push, remove}},
		"the module, a stranger's":                 {module, "a/b/c", []access.Action{pull, push, remove}},
		"a namespace, its Function's":              {shop, "shop__orders", []access.Action{pull}},
		"a namespace, its cache":                   {shop, "shop.dependencies", []access.Action{pull}},
		"a namespace, its former Function's":       {shop, "shop-orders", []access.Action{pull}},
		"a namespace, the runtimes":                {shop, "runtimes", []access.Action{pull}},
		"a namespace, another's Function":          {shop, "market__orders", nil},
		"a namespace, another's with its prefix":   {shop, "shop-eu__orders", nil},
		"a namespace, another's cache":             {shop, "shop-eu.dependencies", nil},
		"a build, its namespace's cache":           {build, "shop.dependencies", []access.Action{pull, push}},
		"a build, another's cache":                 {build, "shop-eu.dependencies", nil},
		"a build, a Function's":                    {build, "shop__orders", nil},
		"a build, the runtimes":                    {build, "runtimes", nil},
		"a build of no namespace":                  {access.BuildOf(""), "shop.dependencies", nil},
		"nobody":                                   {access.Identity{}, "shop__orders", nil},
		"nobody, a repository without a namespace": {access.Identity{}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			may := map[access.Action]bool{}
			for _, action := range test.may {
				may[action] = true
			}
			for _, action := range []access.Action{pull, push, remove, "*"} {
				want := may[action] || test.who.IsModule()
				if got := test.who.May(action, test.repository); got != want {
					t.Errorf("may %s: %t, want %t", action, got, want)
				}
			}
		})
	}
}

func TestCredentialsTellWhoAsks(t *testing.T) {
	shop := access.ForNamespace("shop", ofModule.Password)
	for name, test := range map[string]struct {
		given, module access.Credentials
		want          string
	}{
		"the module's":                    {ofModule, ofModule, "module"},
		"a namespace's":                   {shop, ofModule, "namespace/shop"},
		"another name, same password":     {access.Credentials{Username: "namespace/market", Password: shop.Password}, ofModule, "nobody"},
		"the module's password":           {access.Credentials{Username: shop.Username, Password: ofModule.Password}, ofModule, "nobody"},
		"a namespace's password":          {access.Credentials{Username: ofModule.Username, Password: shop.Password}, ofModule, "nobody"},
		"of a password before":            {access.ForNamespace("shop", "former"), ofModule, "nobody"},
		"of no namespace":                 {access.ForNamespace("", ofModule.Password), ofModule, "nobody"},
		"none, as the module's":           {access.Credentials{}, access.Credentials{}, "nobody"},
		"a namespace's, without module's": {access.ForNamespace("shop", ""), access.Credentials{Username: "user"}, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := access.Identify(test.given, test.module); got.String() != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

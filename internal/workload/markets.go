package workload

// MarketAnnotations on a Pod allow markets with a registry of their own to
// replace the registry in its images' names, and to add the credentials for it
// (contract/kyma.md 4).
func MarketAnnotations() map[string]string {
	return map[string]string{
		"rt-cfg.kyma-project.io/alter-img-registry":  "true",
		"rt-cfg.kyma-project.io/add-img-pull-secret": "true",
	}
}

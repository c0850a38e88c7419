package controllers

import (
	"context"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// monitorDefinition is the CRD that the Prometheus Operator brings along.
	monitorDefinition = "servicemonitors.monitoring.coreos.com"
	// monitorKind is what charts ask for.
	monitorKind = "monitoring.coreos.com/v1/ServiceMonitor"

	// A new definition is served after some seconds, of which no event tells.
	servingInterval = time.Second
	servingDelay    = time.Minute
)

// definitions is the kind of CRDs.
var definitions = apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition")

// capabilities are what the cluster offers to the chart, and the time to ask
// again if a new definition is about to be served.
func (r *ServerlessReconciler) capabilities(ctx context.Context) (*chartutil.Capabilities, time.Duration, error) {
	capabilities, err := r.Capabilities()
	if err != nil || capabilities.APIVersions.Has(monitorKind) {
		return capabilities, 0, err
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(definitions.GroupVersion().WithKind(definitions.Kind + "List"))
	if err := r.OptionalDefinitions.List(ctx, list); err != nil {
		return nil, 0, fmt.Errorf("list definitions named %s: %w", monitorDefinition, err)
	}
	for _, definition := range list.Items {
		if definition.DeletionTimestamp == nil && time.Since(definition.CreationTimestamp.Time) < servingDelay {
			return capabilities, servingInterval, nil
		}
	}
	return capabilities, 0, nil
}

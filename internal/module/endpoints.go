package module

import (
	"fmt"
	"slices"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// DefaultEventingEndpoint is the publisher proxy of the Eventing module.
const DefaultEventingEndpoint = "http://eventing-publisher-proxy.kyma-system.svc.cluster.local/publish"

// Endpoints are what Functions send events and traces to. An empty one means
// that the feature is off.
type Endpoints struct {
	Eventing string
	Tracing  string
}

// ChooseEndpoints returns the endpoints asked for; an empty one is an answer,
// too. Otherwise events go to the default, and traces to the tracing Service
// in one of the namespaces, if there is one.
func ChooseEndpoints(spec v1alpha1.ServerlessSpec, tracingNamespaces []string) Endpoints {
	endpoints := Endpoints{Eventing: DefaultEventingEndpoint}
	if len(tracingNamespaces) > 0 {
		// The same one each time, whatever the order they are listed in.
		endpoints.Tracing = fmt.Sprintf("http://%s.%s.svc.cluster.local:4318/v1/traces",
			TracingServiceName, slices.Min(tracingNamespaces))
	}
	if spec.Eventing != nil {
		endpoints.Eventing = spec.Eventing.Endpoint
	}
	if spec.Tracing != nil {
		endpoints.Tracing = spec.Tracing.Endpoint
	}
	return endpoints
}

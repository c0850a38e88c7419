package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// indexFunction finds the Pods of a Function without a look at all others of
// its namespace, as a selector of labels takes.
const indexFunction = "function"

func indexPods(indexer client.FieldIndexer) error {
	err := indexer.IndexField(context.Background(), &corev1.Pod{}, indexFunction, func(pod client.Object) []string {
		return []string{pod.GetLabels()[v1alpha2.LabelFunctionName]}
	})
	if err != nil {
		return fmt.Errorf("index Pods by Function: %w", err)
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/endpoint"
)

const (
	exampleFile      = "examples/nodejs/function.yaml"
	exampleNamespace = "default"
	exampleName      = "hello"
)

func applyExample(ctx context.Context, env *environment) error {
	fmt.Println("Function")
	if err := endpoint.ConfigurePackageRegistry(ctx, env.client, exampleNamespace); err != nil {
		return err
	}
	if err := env.kubectl(ctx, nil, "apply", "--server-side", "--force-conflicts", "-n", exampleNamespace, "-f", exampleFile); err != nil {
		return err
	}
	return await(ctx, "Function "+exampleName, 5*time.Minute, func(ctx context.Context) (bool, string, error) {
		var fn v1alpha2.Function
		if err := env.client.Get(ctx, client.ObjectKey{Namespace: exampleNamespace, Name: exampleName}, &fn); err != nil {
			return false, "", err
		}
		running := fn.Status.Condition(v1alpha2.ConditionRunning)
		built := fn.Status.Condition(v1alpha2.ConditionBuildReady)
		ready := fn.Status.ObservedGeneration == fn.Generation && isTrue(running) && isTrue(built)
		if len(fn.Status.Conditions) == 0 {
			return false, "", nil
		}
		return ready, fn.Status.Conditions[0].Message, nil
	})
}

func isTrue(condition *v1alpha2.Condition) bool {
	return condition != nil && condition.Status == corev1.ConditionTrue
}

func callExample(ctx context.Context, env *environment) error {
	url, err := endpoint.Expose(ctx, env.client, client.ObjectKey{Namespace: exampleNamespace, Name: exampleName})
	if err != nil {
		return err
	}
	env.exampleURL = url
	var answer string
	if err := await(ctx, "answer of "+url, time.Minute, func(ctx context.Context) (bool, string, error) {
		// A new NodePort refuses connections for a second; that is no news.
		answer, err = endpoint.Ask(ctx, url)
		return err == nil, "not reachable yet", nil
	}); err != nil {
		return err
	}
	fmt.Printf("\n  $ curl %s\n  %s\n", url, strings.TrimSpace(answer))
	return nil
}

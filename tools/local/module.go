package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
)

const (
	moduleNamespace = "kyma-system"
	sampleFile      = "config/samples/default-serverless-cr.yaml"
)

func startCluster(ctx context.Context, env *environment) error {
	fmt.Println("Kubernetes")
	if err := env.show(ctx, "cluster", "up", "--name", env.name); err != nil {
		return err
	}
	var err error
	for target, command := range map[*string]string{&env.kubeconfig: "kubeconfig", &env.assets: "assets", &env.registry: "registry"} {
		if *target, err = env.ask(ctx, "cluster", command, "--name", env.name); err != nil {
			return err
		}
	}
	return env.connect()
}

// publishImages pushes the images to the registry that plays the public one,
// under a tag which changes with their content: what changed is rolled out,
// and nothing else is.
func publishImages(ctx context.Context, env *environment) error {
	fmt.Println("Images")
	built, err := env.askSource(ctx, "images", "--registry", env.registry, "--tag", "latest")
	if err != nil {
		return err
	}
	sum := sha256.New()
	for lines := bufio.NewScanner(strings.NewReader(built)); lines.Scan(); {
		_, digest, _ := strings.Cut(lines.Text(), "@")
		fmt.Fprintln(sum, digest)
	}
	env.tag = "local-" + hex.EncodeToString(sum.Sum(nil))[:12]
	_, err = env.askSourceQuietly(ctx, "images", "--registry", env.registry, "--tag", env.tag)
	return err
}

func installOperator(ctx context.Context, env *environment) error {
	fmt.Println("Serverless")
	manifest, err := env.askSource(ctx, "manifest", "--registry", env.registry, "--tag", env.tag)
	if err != nil {
		return err
	}
	file := filepath.Join("build", "clusters", env.name, "serverless-operator.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o644); err != nil {
		return fmt.Errorf("write operator manifest: %w", err)
	}
	namespace := []byte("{apiVersion: v1, kind: Namespace, metadata: {name: " + moduleNamespace + "}}")
	if err := env.kubectl(ctx, namespace, "apply", "--server-side", "-f", "-"); err != nil {
		return err
	}
	if err := env.kubectl(ctx, nil, "apply", "--server-side", "-f", file); err != nil {
		return err
	}
	return await(ctx, "operator", 3*time.Minute, func(ctx context.Context) (bool, string, error) {
		var operator appsv1.Deployment
		err := env.client.Get(ctx, client.ObjectKey{Namespace: moduleNamespace, Name: "serverless-operator"}, &operator)
		status := operator.Status
		ready := err == nil && status.ObservedGeneration == operator.Generation && status.UpdatedReplicas == status.Replicas && status.AvailableReplicas > 0
		return ready, "starting", err
	})
}

func enableModule(ctx context.Context, env *environment) error {
	if err := env.kubectl(ctx, nil, "apply", "--server-side", "-n", moduleNamespace, "-f", filepath.Join(env.source, sampleFile)); err != nil {
		return err
	}
	return await(ctx, "Serverless resource", 5*time.Minute, func(ctx context.Context) (bool, string, error) {
		var list operatorv1alpha1.ServerlessList
		if err := env.client.List(ctx, &list, client.InNamespace(moduleNamespace)); err != nil || len(list.Items) == 0 {
			return false, "", err
		}
		status := list.Items[0].Status
		var messages []string
		for _, condition := range status.Conditions {
			messages = append(messages, condition.Message)
		}
		ready := string(status.State) == "Ready" && controllerIsOf(ctx, env)
		return ready, fmt.Sprintf("%s (%s)", status.State, strings.Join(messages, ", ")), nil
	})
}

// controllerIsOf tells whether the function controller runs the image that
// was published last: right after an upgrade the resource is still Ready from before.
func controllerIsOf(ctx context.Context, env *environment) bool {
	var controller appsv1.Deployment
	if err := env.client.Get(ctx, client.ObjectKey{Namespace: moduleNamespace, Name: "serverless-ctrl-mngr"}, &controller); err != nil {
		return false
	}
	status := controller.Status
	return strings.HasSuffix(controller.Spec.Template.Spec.Containers[0].Image, ":"+env.tag) &&
		status.ObservedGeneration == controller.Generation && status.UpdatedReplicas == status.Replicas && status.AvailableReplicas > 0
}

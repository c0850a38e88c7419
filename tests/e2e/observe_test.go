package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// image is the image that the Function's Deployment asks for.
func image(ctx context.Context, fn *v1alpha2.Function) string {
	GinkgoHelper()
	return deploymentOf(ctx, fn).Spec.Template.Spec.Containers[0].Image
}

func deploymentOf(ctx context.Context, fn *v1alpha2.Function) *appsv1.Deployment {
	GinkgoHelper()
	var list appsv1.DeploymentList
	Expect(k8s.List(ctx, &list, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelFunctionName: fn.Name})).To(Succeed())
	Expect(list.Items).To(HaveLen(1))
	return &list.Items[0]
}

func replicasTerminating(ctx context.Context, namespace string) int {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(k8s.List(ctx, &pods, client.InNamespace(namespace))).To(Succeed())
	terminating := 0
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp != nil {
			terminating++
		}
	}
	return terminating
}

func remaining(list client.ObjectList) int { return meta.LenList(list) }

// scale sets the replicas of a Deployment of the module.
func scale(ctx context.Context, name string, replicas int32) {
	GinkgoHelper()
	deployment := &appsv1.Deployment{}
	deployment.Namespace, deployment.Name = "kyma-system", name
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
	former := deployment.DeepCopy()
	deployment.Spec.Replicas = &replicas
	Expect(k8s.Patch(ctx, deployment, client.MergeFrom(former))).To(Succeed())
	Eventually(func() (int32, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)
		return deployment.Status.ReadyReplicas, err
	}).Should(Equal(replicas))
}

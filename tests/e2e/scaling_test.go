package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// burning computes for some milliseconds per call.
const burning = `
module.exports = { main: () => {
  const end = process.cpuUsage().user + 20000;
  while (process.cpuUsage().user < end) {}
  return 'burnt';
} };`

var _ = Describe("A Function that is scaled", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = restrictedNamespace(ctx) })

	// Serial: it takes the processor's time from all others.
	It("gets more Pods under load, and fewer when it is over", Serial, func(ctx SpecContext) {
		fn := nodejs(namespace, "burning", burning, "")
		fn.Spec.ScaleConfig = &v1alpha2.ScaleConfig{MinReplicas: new(int32(1)), MaxReplicas: new(int32(3))}
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("burnt"))
		load := callThroughout(url)
		stop := sync.OnceFunc(load.stop)
		DeferCleanup(stop)
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
			g.Expect(fn.Spec.Replicas).To(HaveValue(BeNumerically(">=", 2)), "the autoscaler writes the Function")
		}).WithTimeout(ready).Should(Succeed())
		Eventually(readyPods(ctx, fn)).WithTimeout(ready).Should(BeNumerically(">=", 2), "under load")
		stop()
		_, failures := load.seen()
		Expect(failures).To(BeEmpty())
		// Where the cluster doesn't say otherwise, an autoscaler waits five minutes.
		Eventually(readyPods(ctx, fn)).WithTimeout(7*time.Minute).Should(Equal(1), "without load")
		Eventually(answer(url)).Should(Equal("burnt"))
		Eventually(childrenOf(ctx, fn, &policyv1.PodDisruptionBudgetList{})).Should(BeZero())
	}, SpecTimeout(15*time.Minute))

	It("follows kubectl scale, to 0 and back, and keeps the Pods that it has", func(ctx SpecContext) {
		fn := nodejs(namespace, "manual", answering("here"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("here"))
		first := podNames(ctx, fn)
		Expect(first).To(HaveLen(1))

		kubectlScale(ctx, fn, 3)
		Eventually(readyPods(ctx, fn)).Should(Equal(3))
		Expect(podNames(ctx, fn).IsSuperset(first)).To(BeTrue(), "the first Pod stays")
		Eventually(childrenOf(ctx, fn, &policyv1.PodDisruptionBudgetList{})).Should(Equal(1))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Status", corev1.ConditionTrue))

		kubectlScale(ctx, fn, 0)
		Eventually(func() int { return podNames(ctx, fn).Len() }).Should(BeZero())
		Eventually(childrenOf(ctx, fn, &policyv1.PodDisruptionBudgetList{})).Should(BeZero())
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(
			haveReason(corev1.ConditionTrue, v1alpha2.ReasonDeploymentReady, HaveSuffix("is ready")))

		kubectlScale(ctx, fn, 1)
		Eventually(answer(url)).Should(Equal("here"))
		Consistently(childrenOf(ctx, fn, &policyv1.PodDisruptionBudgetList{})).Should(BeZero())
	})

	It("keeps to equal bounds, whatever it is scaled to", func(ctx SpecContext) {
		fn := nodejs(namespace, "pinned", answering("here"), "")
		fn.Spec.ScaleConfig = &v1alpha2.ScaleConfig{MinReplicas: new(int32(2)), MaxReplicas: new(int32(2))}
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(readyPods(ctx, fn)).WithTimeout(ready).Should(Equal(2))
		kubectlScale(ctx, fn, 1)
		Consistently(readyPods(ctx, fn)).WithTimeout(3 * time.Second).Should(Equal(2))
		Expect(childrenOf(ctx, fn, &autoscalingv2.HorizontalPodAutoscalerList{})()).To(BeZero())
		Expect(k8s.Delete(ctx, fn)).To(Succeed())
		Eventually(childrenOf(ctx, fn, &policyv1.PodDisruptionBudgetList{})).Should(BeZero(), "it goes with the Function")
	})

	It("is scaled by an autoscaler of the user's own", func(ctx SpecContext) {
		fn := nodejs(namespace, "foreign", answering("here"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		// Its bounds need no metrics; KEDA's autoscaler has the same target.
		autoscaler := &autoscalingv1.HorizontalPodAutoscaler{Spec: autoscalingv1.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv1.CrossVersionObjectReference{APIVersion: v1alpha2.GroupVersion.String(), Kind: "Function", Name: fn.Name},
			MinReplicas:    new(int32(2)), MaxReplicas: 3, TargetCPUUtilizationPercentage: new(int32(50)),
		}}
		autoscaler.Namespace, autoscaler.Name = namespace, "users-own"
		Expect(k8s.Create(ctx, autoscaler)).To(Succeed())
		Eventually(readyPods(ctx, fn)).WithTimeout(ready).Should(Equal(2))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(autoscaler), autoscaler)).To(Succeed())
	})

	It("is restarted by kubectl rollout restart, once, without a failed request", func(ctx SpecContext) {
		fn := nodejs(namespace, "restarted", answering("here"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("here"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Status", corev1.ConditionTrue))
		before := podNames(ctx, fn)
		calls := callThroughout(url)
		deployment := deploymentOf(ctx, fn).Name
		kubectl(ctx, "-n", namespace, "rollout", "restart", "deployment/"+deployment)
		kubectl(ctx, "-n", namespace, "rollout", "status", "deployment/"+deployment, "--timeout=1m")
		Eventually(func() sets.Set[string] { return podNames(ctx, fn) }).Should(And(HaveLen(1), Not(Equal(before))))
		Consistently(func() string {
			return deploymentOf(ctx, fn).Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"]
		}).ShouldNot(BeEmpty())
		calls.stop()
		_, failures := calls.seen()
		Expect(failures).To(BeEmpty())
	})
})

// readyPods is how many Pods of the Function answer; those that end don't count.
func readyPods(ctx context.Context, fn *v1alpha2.Function) func() (int, error) {
	return func() (int, error) {
		var list appsv1.DeploymentList
		err := k8s.List(ctx, &list, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelFunctionName: fn.Name})
		if err != nil || len(list.Items) != 1 {
			return 0, err
		}
		return int(list.Items[0].Status.ReadyReplicas), nil
	}
}

func podNames(ctx context.Context, fn *v1alpha2.Function) sets.Set[string] {
	GinkgoHelper()
	var list corev1.PodList
	Expect(k8s.List(ctx, &list, client.InNamespace(fn.Namespace), client.MatchingLabels{
		v1alpha2.LabelFunctionName: fn.Name, v1alpha2.LabelResource: v1alpha2.ResourceDeployment,
	})).To(Succeed())
	names := sets.New[string]()
	for _, pod := range list.Items {
		names.Insert(pod.Name)
	}
	return names
}

// childrenOf is how many objects of the list's kind the Function has.
func childrenOf(ctx context.Context, fn *v1alpha2.Function, list client.ObjectList) func() (int, error) {
	return func() (int, error) {
		err := k8s.List(ctx, list, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelFunctionName: fn.Name})
		return remaining(list), err
	}
}

func kubectlScale(ctx context.Context, fn *v1alpha2.Function, replicas int) {
	GinkgoHelper()
	kubectl(ctx, "-n", fn.Namespace, "scale", "function/"+fn.Name, fmt.Sprintf("--replicas=%d", replicas))
}

func kubectl(ctx context.Context, arguments ...string) {
	GinkgoHelper()
	output, err := exec.CommandContext(ctx, "kubectl", arguments...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
}

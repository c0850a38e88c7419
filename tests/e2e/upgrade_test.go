package e2e

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// upgrade labels what runs on a cluster with the former version.
const upgrade = "upgrade"

var _ = Describe("An installation of the former version", Ordered, Label(upgrade), func() {
	var (
		namespace        string
		plain, dependent *v1alpha2.Function
		callers          []*caller
		kept             map[string]types.UID
		formerController string
	)

	BeforeAll(func(ctx SpecContext) {
		namespace = restrictedNamespace(ctx)
		plain = nodejs(namespace, "plain", answering("first"), "")
		dependent = nodejs(namespace, "dependent", firstSource, lodash)
		for fn, expected := range map[*v1alpha2.Function]string{plain: "first", dependent: "FIRST ANSWER"} {
			Expect(k8s.Create(ctx, fn)).To(Succeed())
			url := expose(ctx, fn)
			Eventually(answer(url)).WithTimeout(ready).Should(Equal(expected))
			currentRevision(ctx, fn, "")
			callers = append(callers, callThroughout(url))
		}
		DeferCleanup(func() {
			for _, caller := range callers {
				caller.stop()
			}
		})
		edit(ctx, plain, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = answering("second") })
		Eventually(answer(expose(ctx, plain))).WithTimeout(ready).Should(Equal("second"))
		Eventually(condition(ctx, plain, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
		kept = identities(ctx, plain, dependent)
		formerController = controllerImage(ctx)
	})

	It("becomes the present one, while its Functions serve and keep what they have", func(ctx SpecContext) {
		run(ctx, "build/bin/local", "--name", clusterName(), "up")
		Expect(controllerImage(ctx)).NotTo(Equal(formerController))
		Expect(state(ctx, module)()).To(Equal("Ready"))
		for _, fn := range []*v1alpha2.Function{plain, dependent} {
			Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
		}
		Expect(identities(ctx, plain, dependent)).To(Equal(kept))
	})

	It("takes edits, and goes back to what was made before the upgrade", func(ctx SpecContext) {
		url := expose(ctx, plain)
		edit(ctx, plain, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = answering("third") })
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("third"))
		rollBack(ctx, plain, "1")
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("first"))
		url = expose(ctx, dependent)
		edit(ctx, dependent, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = secondSource })
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("SECOND ANSWER"))
	})

	It("failed no request of a Function all the while", func() {
		for _, caller := range callers {
			caller.stop()
			count, failures := caller.seen()
			Expect(count).To(BeNumerically(">", 100))
			Expect(failures).To(BeEmpty())
		}
	})

	It("is disabled without a trace", func(ctx SpecContext) {
		for _, fn := range []*v1alpha2.Function{plain, dependent} {
			Expect(k8s.Delete(ctx, fn)).To(Succeed())
		}
		Expect(k8s.Delete(ctx, serverlessResource(ctx))).To(Succeed())
		leavesNoTrace(ctx)
	})
})

// identities are those of objects that an upgrade keeps: others know them by
// name, or they take long to make.
func identities(ctx context.Context, functions ...*v1alpha2.Function) map[string]types.UID {
	GinkgoHelper()
	registry := metav1.ObjectMeta{Namespace: module.Namespace, Name: "serverless-docker-registry"}
	objects := []client.Object{
		&appsv1.Deployment{ObjectMeta: registry}, &corev1.PersistentVolumeClaim{ObjectMeta: registry}, &corev1.Service{ObjectMeta: registry},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: module.Namespace, Name: "serverless-registry-config-default"}},
	}
	for _, fn := range functions {
		objects = append(objects, deploymentOf(ctx, fn), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: fn.Name}})
	}
	var jobs batchv1.JobList
	Expect(k8s.List(ctx, &jobs, client.InNamespace(functions[0].Namespace))).To(Succeed())
	for i := range jobs.Items {
		objects = append(objects, &jobs.Items[i])
	}
	found := map[string]types.UID{}
	for _, object := range objects {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		found[fmt.Sprintf("%T %s", object, object.GetName())] = object.GetUID()
	}
	return found
}

func controllerImage(ctx context.Context) string {
	GinkgoHelper()
	controller, err := moduleDeployment(ctx, "serverless-ctrl-mngr")
	Expect(err).NotTo(HaveOccurred())
	return controller.Spec.Template.Spec.Containers[0].Image
}

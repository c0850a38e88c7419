package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/module"
	"kyma-project.io/serverless/internal/registry"
	"kyma-project.io/serverless/internal/volume"
)

var _ = Describe("The volume of the module's registry", Ordered, ContinueOnFailure, func() {
	var world *operatorWorld

	BeforeAll(func() { world = startOperator() })
	AfterEach(func(ctx SpecContext) { world.removeAll(ctx) })

	It("keeps the size of a volume that was enlarged", func(ctx SpecContext) {
		claim := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: module.RegistryName},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("30Gi")},
				},
			},
		}
		Expect(world.Create(ctx, claim)).To(Succeed())
		world.install(ctx, serverless(kymaSystem, "default", internalRegistry()), v1alpha1.StateReady)
		Expect(world.Get(ctx, client.ObjectKeyFromObject(claim), claim)).To(Succeed())
		Expect(claim.Spec.Resources.Requests.Storage().String()).To(Equal("30Gi"))
	})

	It("lets a volume be enlarged while it is in use, and takes nothing back", func(ctx SpecContext) {
		expandable := &storagev1.StorageClass{
			ObjectMeta:  metav1.ObjectMeta{Name: "expandable", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
			Provisioner: "disks.test", AllowVolumeExpansion: new(true),
		}
		Expect(world.Create(ctx, expandable)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(world.Delete(ctx, expandable)).To(Succeed()) })
		object := serverless(kymaSystem, "default", internalRegistry())
		Expect(world.Create(ctx, object)).To(Succeed())
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: module.RegistryName}}
		Eventually(func() error { return world.Get(ctx, client.ObjectKeyFromObject(claim), claim) }).Should(Succeed())
		claim.Spec.VolumeName = "disk"
		Expect(world.Update(ctx, claim)).To(Succeed())
		claim.Status.Phase = corev1.ClaimBound
		Expect(world.Status().Update(ctx, claim)).To(Succeed())
		world.becomes(ctx, object, v1alpha1.StateReady)

		former := claim.DeepCopy()
		claim.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("30Gi")
		Expect(world.Patch(ctx, claim, client.MergeFrom(former))).To(Succeed())
		world.edit(ctx, object, func() { object.Spec.TargetCPUUtilizationPercentage = "71" })
		Eventually(func() (map[string]string, error) { return world.env(ctx, kymaSystem) }).
			Should(HaveKeyWithValue("APP_FUNCTION_TARGET_CPU_UTILIZATION_PERCENTAGE", "71"))
		world.becomes(ctx, object, v1alpha1.StateReady)
		Expect(get(ctx, world, kymaSystem, module.RegistryName, claim).Spec.Resources.Requests.Storage().String()).To(Equal("30Gi"))
	})

	It("warns while the registry's volume gets full, and writes nothing more meanwhile", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", internalRegistry())
		world.install(ctx, object, v1alpha1.StateReady)
		configMaps := asRegistry(world)
		report := registry.ReportTo(configMaps, module.RegistryVolumeName)

		Expect(report(ctx, volume.State{Level: volume.Low, Percent: 87, Usage: "87 % of its 19.5 GiB are in use"})).To(Succeed())
		world.becomes(ctx, object, v1alpha1.StateWarning)
		warning := "Warning: the volume of the registry gets full: 87 % of its 19.5 GiB are in use. " +
			"Enlarge the PersistentVolumeClaim kyma-system/serverless-docker-registry, or delete Functions and revisions that are not needed"
		Expect(object).To(haveCondition("Installed", metav1.ConditionTrue, "Installed", warning))
		Eventually(func() []string { return eventTexts(ctx, world) }).Should(ContainElement("Installed: " + warning))

		settled := world.settles()
		said := get(ctx, world, kymaSystem, module.RegistryVolumeName, &corev1.ConfigMap{})
		said.Annotations["somebody"] = "looked"
		Expect(world.Update(ctx, said)).To(Succeed())
		Expect(world.settles()).To(Equal(settled), "a reconciliation that finds the same writes nothing")

		Expect(report(ctx, volume.State{Level: volume.Full, Percent: 98, Usage: "98 % of its 19.5 GiB are in use"})).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object.Status.Conditions).To(ContainElement(HaveField("Message", ContainSubstring("is full: 98 % of its 19.5 GiB are in use. Functions go on serving"))))
		}).Should(Succeed())

		Expect(report(ctx, volume.State{Level: volume.Ample})).To(Succeed())
		world.becomes(ctx, object, v1alpha1.StateReady)
		Expect(object).To(haveCondition("Installed", metav1.ConditionTrue, "Installed", "Serverless installed"))
	})

	It("lets the registry say that, and nothing else", func(ctx SpecContext) {
		world.install(ctx, serverless(kymaSystem, "default", internalRegistry()), v1alpha1.StateReady)
		configMaps := asRegistry(world)
		full := volume.State{Level: volume.Full, Percent: 98, Usage: "98 % of its 19.5 GiB are in use"}
		Expect(registry.ReportTo(configMaps, module.RegistryVolumeName)(ctx, full)).To(Succeed())
		err := registry.ReportTo(configMaps, "serverless-configuration")(ctx, full)
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		_, err = configMaps.Get(ctx, module.RegistryVolumeName, metav1.GetOptions{})
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
})

// asRegistry is a client with the registry's permissions.
func asRegistry(world *operatorWorld) coreclient.ConfigMapInterface {
	GinkgoHelper()
	config := rest.CopyConfig(world.admin)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + kymaSystem + ":" + module.RegistryName, Groups: []string{"system:serviceaccounts", "system:authenticated"},
	}
	client, err := coreclient.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	return client.ConfigMaps(kymaSystem)
}

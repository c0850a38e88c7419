package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// provisionerName is the one that the storage class in the cluster's addons names.
const provisionerName = "serverless-cluster/directory"

// directories provisions each claim a directory on the node's disk.
type directories struct {
	root string
	node string
}

func runProvisioner() int {
	var kubeconfig string
	var d directories
	pflag.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig of the API server")
	pflag.StringVar(&d.root, "dir", "", "directory to make volumes in")
	pflag.StringVar(&d.node, "node", "", "name of the node that has the directory")
	pflag.Parse()
	if err := d.run(genericapiserver.SetupSignalContext(), kubeconfig); err != nil {
		fmt.Fprintln(os.Stderr, "run provisioner:", err)
		return 1
	}
	return 0
}

func (d directories) run(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	controller.NewProvisionController(ctx, client, provisionerName, d, controller.LeaderElection(false)).Run(ctx)
	return nil
}

// Provision makes a directory any user may write to: a pod of any user must be
// able to use its volume, with or without an fsGroup.
func (d directories) Provision(_ context.Context, options controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	claim := options.PVC
	if mode := claim.Spec.VolumeMode; mode != nil && *mode == corev1.PersistentVolumeBlock {
		return nil, controller.ProvisioningFinished, fmt.Errorf("provision claim %s/%s: block volumes are not offered: set volumeMode to Filesystem", claim.Namespace, claim.Name)
	}
	path := filepath.Join(d.root, fmt.Sprintf("%s_%s_%s", options.PVName, claim.Namespace, claim.Name))
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("make volume: %w", err)
	}
	if err := os.Chmod(path, 0o777); err != nil { // whatever the umask
		return nil, controller.ProvisioningFinished, fmt.Errorf("open volume to all users: %w", err)
	}
	return d.volume(path, options), controller.ProvisioningFinished, nil
}

// volume describes the directory. Its kind is local and not hostPath because
// the kubelet applies a pod's fsGroup to local volumes only.
func (d directories) volume(path string, options controller.ProvisionOptions) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: options.PVC.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{
					MatchExpressions: []corev1.NodeSelectorRequirement{{
						Key:      corev1.LabelHostname,
						Operator: corev1.NodeSelectorOpIn,
						Values:   []string{d.node},
					}},
				}},
			}},
		},
	}
}

// Delete removes the directory and what is in it.
func (d directories) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	if volume.Spec.Local == nil || filepath.Dir(volume.Spec.Local.Path) != d.root {
		return &controller.IgnoredError{Reason: "the volume is not a directory below " + d.root}
	}
	if err := os.RemoveAll(volume.Spec.Local.Path); err != nil {
		return fmt.Errorf("delete volume %s: %w", volume.Name, err)
	}
	return nil
}

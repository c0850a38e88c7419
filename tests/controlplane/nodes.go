package controlplane

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

const podsPerNode = "1000"

func (p *ControlPlane) createNodes(ctx context.Context) error {
	cluster, err := kubernetes.NewForConfig(p.Admin)
	if err != nil {
		return fmt.Errorf("set up client: %w", err)
	}
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1000"), corev1.ResourceMemory: resource.MustParse("4Ti"), corev1.ResourcePods: resource.MustParse(podsPerNode),
	}
	for i := range p.config.Nodes {
		name := fmt.Sprintf("node-%d", i)
		_, err := cluster.CoreV1().Nodes().Create(ctx, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
			Status:     corev1.NodeStatus{Allocatable: room, Capacity: room},
		}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("create node: %w", err)
		}
	}
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		if err := p.err(); err != nil {
			return false, err
		}
		nodes, err := cluster.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		ready := 0
		for i := range nodes.Items {
			if isUsable(&nodes.Items[i]) {
				ready++
			}
		}
		return ready == p.config.Nodes, nil
	})
	if err != nil {
		return fmt.Errorf("wait for nodes, see the logs in %s: %w", p.config.Dir, err)
	}
	return nil
}

// isUsable tells whether Pods are scheduled to the node.
func isUsable(node *corev1.Node) bool {
	if len(node.Spec.Taints) > 0 {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// err is an error once one of the processes has ended.
func (p *ControlPlane) err() error {
	for _, process := range p.processes {
		if err := process.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Package kube asks the API server the few things that a start waits for, and
// watches Services.
package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// Client is a client of one API server. It knows the core API only: the typed
// clients of all APIs would be most of this program.
type Client struct{ core *rest.RESTClient }

// NewClient makes a client from a kubeconfig; the server need not run yet.
func NewClient(kubeconfig string) (*Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register core types: %w", err)
	}
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	config.APIPath = "/api"
	config.GroupVersion = &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	core, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &Client{core}, nil
}

// interval is how often a condition is looked at. A start has a handful of them,
// one after the other; watches would take longer to set up than to answer.
const interval = 100 * time.Millisecond

// WaitReady waits until the API server says that it is ready.
func (c *Client) WaitReady(ctx context.Context) error {
	return c.wait(ctx, "/readyz", func([]byte) bool { return true })
}

// WaitExists waits for the object at path.
func (c *Client) WaitExists(ctx context.Context, path string) error {
	return c.wait(ctx, path, func([]byte) bool { return true })
}

// WaitCondition waits until the object at path has the condition with status True.
func (c *Client) WaitCondition(ctx context.Context, path, condition string) error {
	err := c.wait(ctx, path, func(object []byte) bool { return hasCondition(object, condition) })
	if err != nil {
		return fmt.Errorf("%w: want condition %s", err, condition)
	}
	return nil
}

func (c *Client) wait(ctx context.Context, path string, met func([]byte) bool) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, interval, true, func(ctx context.Context) (bool, error) {
		var body []byte
		body, last = c.core.Get().AbsPath(path).DoRaw(ctx)
		return last == nil && met(body), nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s: %w (last answer: %v)", path, err, last)
	}
	return nil
}

func hasCondition(object []byte, condition string) bool {
	var o struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if json.Unmarshal(object, &o) != nil {
		return false
	}
	for _, c := range o.Status.Conditions {
		if c.Type == condition {
			return c.Status == "True"
		}
	}
	return false
}

// resync is how often unchanged Services are looked at again, for the sake of
// ports that another process has let go of.
const resync = 30 * time.Second

// WatchServices calls changed with all Services, first with what there is and
// then at each change, until the context ends.
func (c *Client) WatchServices(ctx context.Context, changed func([]*corev1.Service)) {
	notify := make(chan struct{}, 1)
	poke := func() {
		select {
		case notify <- struct{}{}:
		default: // one is waiting already
		}
	}
	store, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(c.core, "services", metav1.NamespaceAll, fields.Everything()),
		ObjectType:    &corev1.Service{},
		ResyncPeriod:  resync,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { poke() },
			UpdateFunc: func(any, any) { poke() },
			DeleteFunc: func(any) { poke() },
		},
	})
	go informer.RunWithContext(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-notify:
			items := store.List()
			services := make([]*corev1.Service, len(items))
			for i, item := range items {
				services[i] = item.(*corev1.Service)
			}
			changed(services)
		}
	}
}

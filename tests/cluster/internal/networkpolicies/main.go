// Networkpolicies has the node enforce NetworkPolicies until its standard input
// ends. What they say is decided by SIG Network's reference implementation;
// which packets it is asked about is decided here.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// queue is the number by which the kernel hands packets over.
const queue = 100

const chain = "NETWORK-POLICIES"

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "networkpolicies:", err)
		os.Exit(1)
	}
}

func run(until io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return fmt.Errorf("read KUBECONFIG: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("set up client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(client,
		factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(), factory.Core().V1().Pods(),
		nil, nil, nil, nil, networkpolicy.Config{QueueID: queue})
	if err != nil {
		return fmt.Errorf("set up controller: %w", err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	ended := make(chan error, 1)
	go func() { ended <- controller.Run(ctx) }()
	go func() {
		_, err := io.Copy(io.Discard, until)
		ended <- err
	}()
	if err := addRules(); err != nil {
		return errors.Join(err, removeRules())
	}
	fmt.Fprintln(out, "enforcing network policies")
	return errors.Join(<-ended, removeRules())
}

// addRules asks about each new connection that the node forwards, and about
// those of Pods to the node itself. The reference implementation's own rules,
// which need a newer kind of rule than all kernels have, leave the latter out;
// but here the API server and DNS are on the node, and elsewhere they are not.
// What the node itself connects to is always allowed.
func addRules() error {
	return iptables(
		[]string{"--new-chain", chain},
		[]string{"--append", chain, "--match", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "--jump", "RETURN"},
		[]string{"--append", chain, "--jump", "NFQUEUE", "--queue-num", strconv.Itoa(queue)},
		[]string{"--append", "FORWARD", "--jump", chain},
		[]string{"--append", "INPUT", "--in-interface", "cni0", "--jump", chain})
}

func removeRules() error {
	return iptables(
		[]string{"--delete", "FORWARD", "--jump", chain},
		[]string{"--delete", "INPUT", "--in-interface", "cni0", "--jump", chain},
		[]string{"--flush", chain},
		[]string{"--delete-chain", chain})
}

// iptables runs all commands, whatever becomes of the ones before.
func iptables(commands ...[]string) error {
	var errs []error
	for _, arguments := range commands {
		command := exec.Command("iptables", append([]string{"--wait", "--table", "mangle"}, arguments...)...)
		if output, err := command.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("run %v: %w: %s", command.Args, err, bytes.TrimSpace(output)))
		}
	}
	return errors.Join(errs...)
}

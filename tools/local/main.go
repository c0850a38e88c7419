// Local brings the module up on a Kubernetes of its own on this machine, for
// `make run` and for the tests: cluster, images, operator, Function.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

const usage = `usage: local [--name NAME] [--source DIR] run|up|down

  run   up, and then the example Function, called over HTTP
  up    the cluster with the module, ready for Functions
  down  stop the cluster; leaves nothing behind
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	name := pflag.String("name", "local", "the cluster's name; clusters of different names run side by side")
	tools := pflag.String("tools", "build/bin", "where the programs cluster, images and manifest are in the directory of their sources")
	source := pflag.String("source", ".", "directory of the sources to install, with its own programs images and manifest")
	pflag.Usage = func() { fmt.Fprint(os.Stderr, usage); pflag.PrintDefaults() }
	pflag.Parse()
	commands := map[string]func(context.Context, *environment) error{"run": run, "up": up, "down": down}
	command, found := commands[pflag.Arg(0)]
	if !found {
		pflag.Usage()
		os.Exit(2)
	}
	if err := command(ctx, &environment{name: *name, tools: *tools, source: *source}); err != nil {
		fmt.Fprintf(os.Stderr, "\n%v\n", err)
		os.Exit(1)
	}
}

// up brings cluster, images and module up; what is there already stays.
func up(ctx context.Context, env *environment) error {
	for _, step := range []func(context.Context, *environment) error{startCluster, publishImages, installOperator, enableModule} {
		if err := step(ctx, env); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, env *environment) error {
	for _, step := range []func(context.Context, *environment) error{up, applyExample, callExample} {
		if err := step(ctx, env); err != nil {
			return err
		}
	}
	fmt.Printf(nextSteps, env.kubeconfig, env.assets, exampleFile, env.exampleURL, stopCommand(env.name))
	return nil
}

const nextSteps = `
Next:
  export KUBECONFIG=%s PATH=%s:$PATH
  kubectl get functions                # what runs
  $EDITOR %s    # change the answer, then kubectl apply -f it
  curl %s
  %s                            # stop; leaves nothing behind
`

func stopCommand(name string) string {
	if name == "local" {
		return "make stop"
	}
	return "make stop CLUSTER=" + name
}

func down(ctx context.Context, env *environment) error {
	return env.show(ctx, "cluster", "down", "--name", env.name)
}

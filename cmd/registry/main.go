// The registry stores the images of Functions inside the cluster.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"kyma-project.io/serverless/internal/fips"
	"kyma-project.io/serverless/internal/registry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var (
		options                 registry.Options
		address, metricsAddress string
		buildAccount, usage     string
		logLevel, logFormat     string
	)
	flags := pflag.NewFlagSet("registry", pflag.ContinueOnError)
	flags.StringVar(&address, "address", ":5000", "Where to answer registry requests, over plain HTTP.")
	flags.StringVar(&metricsAddress, "metrics-address", ":5001", "Where to answer /metrics for Prometheus; empty for no metrics.")
	flags.StringVar(&options.Storage, "storage", "/var/lib/registry", "Directory for the images.")
	flags.StringVar(&options.CredentialsDir, "credentials-dir", "/etc/registry/credentials",
		"Directory with the files username and password, as a mounted Secret has them. A change is picked up at once.")
	flags.StringVar(&options.HTTPSecretFile, "http-secret-file", "",
		"File with the secret that signs the state of uploads; empty for a random one.")
	flags.StringVar(&buildAccount, "build-service-account", "",
		"Service account of builds, whose Pods push with tokens that the API server reviews; empty if none do.")
	flags.StringVar(&usage, "usage-configmap", "",
		"ConfigMap, as namespace/name, an annotation of which tells the operator when the volume gets full; empty for none.")
	flags.StringVar(&logLevel, "log-level", "info", "Least level to log: debug, info, warn or error.")
	flags.StringVar(&logFormat, "log-format", "json", "Format of log lines: json or text.")
	if err := flags.Parse(args); err != nil {
		return err
	}

	if _, err := fips.Mode(); err != nil {
		return err
	}
	logger, err := newLogger(logLevel, logFormat)
	if err != nil {
		return err
	}
	slog.SetDefault(logger)
	registry.LogTo(logger)
	if err := useCluster(&options, buildAccount, usage); err != nil {
		return err
	}
	return registry.Serve(ctx, address, metricsAddress, options)
}

// useCluster has the API server review the tokens of builds, and take the
// report on the volume.
func useCluster(options *registry.Options, buildAccount, usage string) error {
	if buildAccount == "" && usage == "" {
		return nil
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return fmt.Errorf("configure access to the API server: %w", err)
	}
	if buildAccount != "" {
		client, err := authenticationclient.NewForConfig(config)
		if err != nil {
			return fmt.Errorf("set up client for reviews of tokens: %w", err)
		}
		options.Tokens = registry.NewTokens(client.TokenReviews(), buildAccount)
	}
	if usage != "" {
		namespace, name, found := strings.Cut(usage, "/")
		if !found {
			return fmt.Errorf("parse --usage-configmap %q: write namespace/name", usage)
		}
		client, err := coreclient.NewForConfig(config)
		if err != nil {
			return fmt.Errorf("set up client for the report on the volume: %w", err)
		}
		options.Report = registry.ReportTo(client.ConfigMaps(namespace), name)
	}
	return nil
}

func newLogger(level, format string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("parse --log-level %q: use debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
	default:
		return nil, fmt.Errorf("parse --log-format %q: use json or text", format)
	}
}

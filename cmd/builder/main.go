// The builder runs in build Jobs only. Its command push publishes what an
// installer left in a directory as a layer in the registry.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"kyma-project.io/serverless/internal/image"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "push" {
		return fmt.Errorf("usage: builder push --root DIR --entry NAME --directory DIR --to REFERENCE")
	}
	flags := pflag.NewFlagSet("builder push", pflag.ContinueOnError)
	root := flags.String("root", "", "directory to take the entries from")
	entries := flags.StringArray("entry", nil, "name below root that goes into the layer; may be repeated")
	directory := flags.String("directory", "", "directory of the image where the entries go")
	to := flags.String("to", "", "image reference to push the layer to")
	plainHTTP := flags.Bool("plain-http", false, "allow a registry without TLS")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	return push(ctx, *root, *entries, *directory, image.Target{Reference: *to, PlainHTTP: *plainHTTP})
}

func push(ctx context.Context, root string, entries []string, directory string, target image.Target) error {
	begin := time.Now()
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(image.WriteTree(writer, root, entries, directory)) }()
	digest, err := target.PushLayer(ctx, reader)
	if err != nil {
		return fmt.Errorf("push %s: %w", target.Reference, err)
	}
	fmt.Printf("pushed %s@%s in %s\n", target.Reference, digest, time.Since(begin).Round(time.Millisecond))
	return nil
}

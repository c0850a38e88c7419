// The builder runs in build Jobs only. Its command fetch gets the files of a
// Git commit; push publishes what that or an installer left in a directory as
// a layer in the registry.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"kyma-project.io/serverless/internal/fips"
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
	if _, err := fips.Mode(); err != nil {
		return err
	}
	if len(args) > 0 {
		switch args[0] {
		case "push":
			return runPush(ctx, args[1:])
		case "fetch":
			return runFetch(ctx, args[1:])
		}
	}
	return fmt.Errorf("usage: builder push --root DIR --entry NAME --directory DIR --to REFERENCE, " +
		"or builder fetch --url URL --commit ID --base-dir DIR --to DIR")
}

func runPush(ctx context.Context, args []string) error {
	flags := pflag.NewFlagSet("builder push", pflag.ContinueOnError)
	root := flags.String("root", "", "directory to take the entries from")
	entries := flags.StringArray("entry", nil, "name below root that goes into the layer; may be repeated")
	directory := flags.String("directory", "", "directory of the image where the entries go")
	to := flags.String("to", "", "image reference to push the layer to")
	dependencies := flags.String("dependencies-file", "", "file below root whose text labels the image")
	token := flags.String("token-file", "", "file with the token to log in with; if empty, the Docker configuration has credentials")
	plainHTTP := flags.Bool("plain-http", false, "allow a registry without TLS")
	if err := flags.Parse(args); err != nil {
		return err
	}
	target := image.Target{Reference: *to, PlainHTTP: *plainHTTP, TokenFile: *token}
	if *dependencies != "" {
		text, err := readDependencies(*root, *dependencies)
		if err != nil {
			return err
		}
		target.Labels = map[string]string{image.DependenciesLabel: text}
	}
	return push(ctx, *root, *entries, *directory, target)
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

// readDependencies reads a file that may be missing, and that may be a link
// within root.
func readDependencies(root, file string) (string, error) {
	directory, err := os.OpenRoot(root)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", root, err)
	}
	defer directory.Close()
	text, err := directory.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read dependencies: %w", err)
	}
	return string(text), nil
}

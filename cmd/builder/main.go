// The builder runs in build Jobs only. Its command fetch gets the files of a
// Git commit; push publishes what that or an installer left in a directory as
// a layer in the registry; lock takes the lock file out of such a layer.
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

	"kyma-project.io/serverless/internal/fips"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/source"
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
		case "lock":
			return runLock(ctx, args[1:])
		}
	}
	return fmt.Errorf("usage: builder push --root DIR --entry NAME --directory DIR --to REFERENCE, " +
		"or builder fetch --url URL --commit ID --base-dir DIR --to DIR, or builder lock --from REFERENCE --file PATH --to FILE")
}

func runPush(ctx context.Context, args []string) error {
	flags := pflag.NewFlagSet("builder push", pflag.ContinueOnError)
	root := flags.String("root", "", "directory to take the entries from")
	entries := flags.StringArray("entry", nil, "name below root that goes into the layer; may be repeated")
	directory := flags.String("directory", "", "directory of the image where the entries go")
	to := flags.String("to", "", "image reference to push the layer to")
	var what about
	flags.StringVar(&what.dependenciesFile, "dependencies-file", "", "file below root whose text labels the image")
	flags.StringVar(&what.timeFile, "time-file", "", "file with the time of the source, which labels the image")
	flags.StringArrayVar(&what.lockFiles, "lock-file", nil, "file below root that fixes dependencies: the first that is there labels the image; may be repeated")
	flags.BoolVar(&what.packages, "packages", false, "label the image with the packages that the entries are")
	token := flags.String("token-file", "", "file with the token to log in with; if empty, the Docker configuration has credentials")
	plainHTTP := flags.Bool("plain-http", false, "allow a registry without TLS")
	if err := flags.Parse(args); err != nil {
		return err
	}
	labels, err := what.labels(*root, *entries)
	if err != nil {
		return err
	}
	target := image.Target{Reference: *to, PlainHTTP: *plainHTTP, TokenFile: *token, Labels: labels}
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

// runLock gets a lock file that push put into a layer, for the installer.
func runLock(ctx context.Context, args []string) error {
	flags := pflag.NewFlagSet("builder lock", pflag.ContinueOnError)
	from := flags.String("from", "", "image reference to take the file from")
	name := flags.String("file", "", "absolute path of the file in the image")
	to := flags.String("to", "", "file to write")
	token := flags.String("token-file", "", "file with the token to log in with; if empty, the Docker configuration has credentials")
	plainHTTP := flags.Bool("plain-http", false, "allow a registry without TLS")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := image.Target{Reference: *from, PlainHTTP: *plainHTTP, TokenFile: *token}.PullFile(ctx, *name, source.MaxLock)
	if err != nil {
		return fmt.Errorf("pull %s of %s: %w", *name, *from, err)
	}
	if err := os.WriteFile(*to, source.CanonicalLock(text), 0o644); err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	return nil
}

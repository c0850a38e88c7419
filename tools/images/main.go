// The images tool builds the module's images without a container engine, and
// pushes them or writes them to an OCI layout.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"kyma-project.io/serverless/tools/images/internal/publish"
	"kyma-project.io/serverless/tools/images/internal/store"
)

const usage = `Build the module's images and push them.

  images --registry HOST[:PORT][/PATH] [flags] [NAME...]
  images --layout DIR [flags] [NAME...]
  images --unpack DIR [flags] [NAME...]

NAME is an image or a group of them, "programs" or "runtimes"; none means all.
A registry on this machine or in a private network is spoken to over plain HTTP;
credentials come from the Docker configuration (~/.docker/config.json).
Prints a line NAME REFERENCE@DIGEST for each image.

`

// keepUnused is how long what no build uses stays in the cache.
const keepUnused = 14 * 24 * time.Hour

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var (
		registry, directory, unpacked, tag string
		platforms                          []string
		refresh, documents                 bool
	)
	flags := pflag.NewFlagSet("images", pflag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage, flags.FlagUsages()) }
	flags.StringVar(&registry, "registry", "", "Registry to push to, as HOST[:PORT][/PATH].")
	flags.StringVar(&directory, "layout", "", "OCI layout directory to write to, in place of a registry.")
	flags.StringVar(&unpacked, "unpack", "", "Directory to unpack the images' files to, each below its name.")
	flags.StringVar(&tag, "tag", "dev", "Tag of the images.")
	flags.StringSliceVar(&platforms, "platform", hostPlatform(), "Platforms; with more than one, an image is an index.")
	flags.BoolVar(&refresh, "refresh", false, "Look for Debian updates, also if it was done in the last 24 hours.")
	flags.BoolVar(&documents, "sbom", false, "Attach to each image in a registry the list of what is in it, as an SPDX document; releases do.")
	if err := flags.Parse(args); err != nil {
		return err
	}

	publisher, err := newPublisher(registry, directory, unpacked, tag)
	if err != nil {
		return err
	}
	images, err := store.Open()
	if err != nil {
		return err
	}
	// Debian's archive moves on; but asking it anew in each build would take
	// seconds for nothing.
	since := time.Now()
	if !refresh {
		since = since.Add(-24 * time.Hour)
	}
	builds, err := newBuilds(ctx, images, platforms, since)
	if err != nil {
		return err
	}
	if documents {
		builds.cache = images
	}
	targets, err := builds.targets(flags.Args())
	if err != nil {
		return err
	}
	if err := builds.run(ctx, targets, publisher); err != nil {
		return err
	}
	return images.Prune(time.Now().Add(-keepUnused))
}

func newPublisher(registry, directory, unpacked, tag string) (publisher, error) {
	switch {
	case registry != "" && directory != "", registry+directory != "" && unpacked != "":
		return nil, errors.New("parse flags: --registry, --layout and --unpack exclude each other; give one")
	case registry != "":
		return publish.NewRegistry(registry, tag)
	case directory != "":
		return publish.NewLayout(directory, tag)
	case unpacked != "":
		return publish.NewDirectory(unpacked), nil
	default:
		return nil, errors.New("parse flags: there is no place for the images; give --registry, --layout or --unpack")
	}
}

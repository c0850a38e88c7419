// The manifest program renders what users apply to install the operator, for
// the images of one registry and tag.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"kyma-project.io/serverless/internal/manifest"
)

func main() {
	var opts manifest.Options
	pflag.StringVar(&opts.Config, "config", "config/default", "Directory of the kustomization.")
	pflag.StringVar(&opts.Registry, "registry", "", "Where the images are, with a path if they have one.")
	pflag.StringVar(&opts.Tag, "tag", "main", "Tag of the images.")
	pflag.StringVar(&opts.Operator, "operator-image", "", "Image of the operator, if it is not serverless-operator in the registry.")
	pflag.Parse()

	text, err := manifest.Render(opts)
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifest:", err)
		os.Exit(1)
	}
}

package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kyma-project.io/serverless/tools/images/internal/debian"
)

// abi is a digest of all in a runtime's image that a layer of dependencies
// depends on: what native modules link to, and the npm or pip that lays modules out.
// An update that keeps these, as a security update does, keeps the digest, and
// the layers made on the former image go onto the new one.
func abi(platform v1.Platform, packages []debian.Package, version Version) (string, error) {
	facts := []string{"platform " + platform.String()}
	if version.Python != "" {
		pip, err := debian.LibraryVersion(packages, "python3-pip")
		if err != nil {
			return "", fmt.Errorf("compute ABI: %w", err)
		}
		facts = append(facts, "python "+version.Python, "pip "+major(pip))
	} else {
		facts = append(facts, "node "+major(version.Node), "npm "+major(version.NPM))
	}
	for _, library := range []string{"libc6", "libstdc++6"} {
		version, err := debian.LibraryVersion(packages, library)
		if err != nil {
			return "", fmt.Errorf("compute ABI: %w", err)
		}
		facts = append(facts, library+" "+version)
	}
	digest := sha256.Sum256([]byte(strings.Join(facts, "\n")))
	return hex.EncodeToString(digest[:]), nil
}

// major is the part of a version within which Node.js keeps its native
// interface (NODE_MODULE_VERSION), and npm its layout.
func major(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

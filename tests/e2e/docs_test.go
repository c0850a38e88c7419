package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// shellBlock matches the commands of a page.
var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

var _ = Describe("The user documentation", func() {
	pages, err := filepath.Glob("../../docs/user/*.md")
	if err != nil || len(pages) == 0 {
		panic(fmt.Sprintf("no pages: %v", err))
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			panic(err)
		}
		blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
		if len(blocks) == 0 {
			continue
		}
		It("holds what "+filepath.Base(page)+" says", func(ctx SpecContext) {
			script := []string{"set -euo pipefail", "set -x"}
			for _, block := range blocks {
				script = append(script, block[1])
			}
			command := exec.CommandContext(ctx, "bash", "-c", strings.Join(script, "\n"))
			command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfigOf(restrictedNamespace(ctx)))
			output, err := command.CombinedOutput()
			Expect(err).NotTo(HaveOccurred(), string(output))
		}, SpecTimeout(5*time.Minute))
	}
})

// kubeconfigOf is a kubeconfig whose current namespace is the given one.
func kubeconfigOf(namespace string) string {
	GinkgoHelper()
	text, err := os.ReadFile(os.Getenv("KUBECONFIG"))
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
	output, err := exec.Command("kubectl", "--kubeconfig", file, "config", "set-context", "--current", "--namespace", namespace).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
	return file
}

package binaries

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// NetworkPolicies returns the path of the program that has a node enforce
// NetworkPolicies. Module is the directory of this module.
func NetworkPolicies(ctx context.Context, root, module string) (string, error) {
	source, sourceErr := os.ReadFile(filepath.Join(module, "internal/networkpolicies/main.go"))
	sums, sumsErr := os.ReadFile(filepath.Join(module, "go.sum"))
	if err := errors.Join(sourceErr, sumsErr); err != nil {
		return "", fmt.Errorf("read source: %w", err)
	}
	const flags = "-s -w"
	dir, err := cached(root, "networkpolicies", keyOf(string(source), string(sums), flags, runtime.GOARCH), func(dir string) error {
		err := goCommand(ctx, module, nil, "build", "-ldflags", flags, "-o", filepath.Join(dir, "networkpolicies"), "./internal/networkpolicies")
		if err != nil {
			return fmt.Errorf("build networkpolicies: %w", err)
		}
		return nil
	})
	return filepath.Join(dir, "networkpolicies"), err
}

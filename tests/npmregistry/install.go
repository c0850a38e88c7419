package npmregistry

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

var (
	//go:embed package.json
	packageJSON []byte
	//go:embed package-lock.json
	packageLock []byte
)

// install returns verdaccio's program, which is installed once on a machine.
func install(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find directory for verdaccio: %w", err)
	}
	target := filepath.Join(cache, "serverless-tests", fmt.Sprintf("verdaccio-%x", sha256.Sum256(packageLock)))
	program := filepath.Join(target, "node_modules", "verdaccio", "bin", "verdaccio")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return "", fmt.Errorf("make directory for verdaccio: %w", err)
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(target), "unfinished-")
	if err != nil {
		return "", fmt.Errorf("make directory for verdaccio: %w", err)
	}
	defer os.RemoveAll(unfinished)
	for name, text := range map[string][]byte{"package.json": packageJSON, "package-lock.json": packageLock} {
		if err := os.WriteFile(filepath.Join(unfinished, name), text, 0o644); err != nil {
			return "", err
		}
	}
	command := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
	command.Dir = unfinished
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("install verdaccio: %w\n%s", err, output)
	}
	// Another process may have been faster.
	if err := os.Rename(unfinished, target); err != nil {
		if _, statErr := os.Stat(program); statErr != nil {
			return "", fmt.Errorf("install verdaccio: %w", err)
		}
	}
	return program, nil
}

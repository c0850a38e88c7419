package release

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ChecksumsFile is read by `sha256sum --check`.
const ChecksumsFile = "SHA256SUMS"

// WriteChecksums sums up the files of a directory, in the order of their names.
func WriteChecksums(directory string) error {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return fmt.Errorf("sum up assets: %w", err)
	}
	var sums strings.Builder
	for _, entry := range entries {
		if !entry.Type().IsRegular() || entry.Name() == ChecksumsFile {
			continue
		}
		content, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return fmt.Errorf("sum up assets: %w", err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), entry.Name())
	}
	if err := os.WriteFile(filepath.Join(directory, ChecksumsFile), []byte(sums.String()), 0o644); err != nil {
		return fmt.Errorf("write checksums: %w", err)
	}
	return nil
}

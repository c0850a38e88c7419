package sbom

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// Bounds of a listing: it is in the configuration of an image, which is read whole.
const (
	maxPackages = 10_000
	maxListing  = 1 << 20
)

// Listing is what an installer left.
type Listing struct {
	Packages []Package `json:"packages,omitempty"`
	// Unknown says why the packages are not listed.
	Unknown string `json:"unknown,omitempty"`
}

// List looks for installed packages in the entries of a directory and below.
// Links are not followed: installers run what others wrote.
func List(root fs.FS, entries []string) (Listing, error) {
	var found []Package
	for _, entry := range entries {
		err := fs.WalkDir(root, path.Clean(entry), func(file string, what fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if !what.Type().IsRegular() || !IsMetadata(file) || len(found) > maxPackages {
				return nil
			}
			content, err := readStart(root, file)
			if err != nil {
				return err
			}
			if one, ok := Installed(file, content); ok {
				found = append(found, one)
			}
			return nil
		})
		if err != nil {
			return Listing{}, fmt.Errorf("list packages of %s: %w", entry, err)
		}
	}
	return bounded(found), nil
}

func bounded(found []Package) Listing {
	listing := Listing{Packages: Sorted(found)}
	if text, err := json.Marshal(listing); err != nil || len(found) > maxPackages || len(text) > maxListing {
		return Listing{Unknown: fmt.Sprintf("there are more than the %d packages, or %d bytes of names, that are listed", maxPackages, maxListing)}
	}
	return listing
}

func readStart(root fs.FS, file string) ([]byte, error) {
	opened, err := root.Open(file)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(opened, MaxMetadata))
	return content, errors.Join(err, opened.Close())
}

// Text is the listing as a label of an image has it.
func (l Listing) Text() (string, error) {
	text, err := json.Marshal(l)
	return string(text), err
}

// ParseListing reads a label. Without one the packages are not known.
func ParseListing(text string) Listing {
	var listing Listing
	if text == "" {
		return Listing{Unknown: "they were installed before packages were listed"}
	}
	if err := json.Unmarshal([]byte(text), &listing); err != nil {
		return Listing{Unknown: "their list can't be read"}
	}
	if listing.Unknown != "" {
		return listing
	}
	return bounded(listing.Packages)
}

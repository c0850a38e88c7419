package npmregistry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
)

// Publish makes a package of its package.json and other files, and returns the
// integrity that a lock file asks for.
func (r *Registry) Publish(ctx context.Context, manifest string, files map[string]string) (integrity string, err error) {
	var pkg map[string]any
	if err := json.Unmarshal([]byte(manifest), &pkg); err != nil {
		return "", fmt.Errorf("parse package.json: %w", err)
	}
	name, version := fmt.Sprint(pkg["name"]), fmt.Sprint(pkg["version"])
	all := maps.Clone(files)
	if all == nil {
		all = map[string]string{}
	}
	all["package.json"] = manifest
	archive, err := archiveOf(all)
	if err != nil {
		return "", err
	}
	sum := sha512.Sum512(archive)
	integrity = "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	file := fmt.Sprintf("%s-%s.tgz", path.Base(name), version)
	pkg["dist"] = map[string]string{"integrity": integrity, "tarball": "http://" + r.address + "/" + name + "/-/" + file}
	err = r.put(ctx, "/"+url.PathEscape(name), map[string]any{
		"_id": name, "name": name, "dist-tags": map[string]string{"latest": version}, "versions": map[string]any{version: pkg},
		"_attachments": map[string]any{file: map[string]any{
			"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(archive), "length": len(archive),
		}},
	}, &struct{}{})
	if err != nil {
		return "", fmt.Errorf("publish %s@%s: %w", name, version, err)
	}
	return integrity, nil
}

func archiveOf(files map[string]string) ([]byte, error) {
	var archive bytes.Buffer
	compressed := gzip.NewWriter(&archive)
	writer := tar.NewWriter(compressed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(files[name]))}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

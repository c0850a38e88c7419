// Package packageindex is an index of Python packages, as pip reads it, of
// packages that tests make.
package packageindex

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Index has wheels by file name.
type Index map[string][]byte

// Add makes a wheel with one module, called as the package, and returns the
// SHA-256 that a requirement can ask for.
func (x Index) Add(name, version, module string) (digest string, err error) {
	info := fmt.Sprintf("%s-%s.dist-info/", name, version)
	files := map[string]string{
		name + ".py":      module,
		info + "METADATA": fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version),
		info + "WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
	}
	var record strings.Builder
	for _, file := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256([]byte(files[file]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", file, base64.RawURLEncoding.EncodeToString(sum[:]), len(files[file]))
	}
	files[info+"RECORD"] = record.String() + info + "RECORD,,\n"

	var wheel bytes.Buffer
	archive := zip.NewWriter(&wheel)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		writer, err := archive.Create(file)
		if err != nil {
			return "", err
		}
		if _, err := writer.Write([]byte(files[file])); err != nil {
			return "", err
		}
	}
	if err := archive.Close(); err != nil {
		return "", err
	}
	x[fmt.Sprintf("%s-%s-py3-none-any.whl", name, version)] = wheel.Bytes()
	sum := sha256.Sum256(wheel.Bytes())
	return hex.EncodeToString(sum[:]), nil
}

// ServeHTTP answers as the simple repository API has it (PEP 503), below /simple/.
func (x Index) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	if wheel, found := x[strings.TrimPrefix(request.URL.Path, "/files/")]; found {
		_, _ = response.Write(wheel)
		return
	}
	name := strings.Trim(strings.TrimPrefix(request.URL.Path, "/simple/"), "/")
	var links strings.Builder
	for _, file := range slices.Sorted(maps.Keys(x)) {
		if strings.HasPrefix(file, name+"-") {
			sum := sha256.Sum256(x[file])
			fmt.Fprintf(&links, "<a href=\"/files/%s#sha256=%x\">%s</a>\n", html.EscapeString(file), sum, html.EscapeString(file))
		}
	}
	if links.Len() == 0 {
		http.NotFound(response, request)
		return
	}
	response.Header().Set("Content-Type", "text/html")
	_, _ = fmt.Fprint(response, "<!DOCTYPE html><html><body>\n"+links.String()+"</body></html>")
}

package sbom

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/textproto"
	"path"
	"strings"

	"github.com/package-url/packageurl-go"
)

// MaxMetadata is how much is read of a file that says what is installed.
const MaxMetadata = 1 << 20

// IsMetadata tells whether the file of the path, with slashes, says that
// something is installed beside it.
func IsMetadata(file string) bool {
	return npmDirectory(file) != "" || isDistInfo(file) || isDebian(file)
}

// Installed reads what such a file says. It is false for what is no package.
func Installed(file string, content []byte) (Package, bool) {
	switch {
	case isDebian(file):
		return fromDebian(content)
	case isDistInfo(file):
		return fromDistInfo(content)
	default:
		return fromNPM(npmDirectory(file), content)
	}
}

// npmDirectory is the package's name by its directory: node_modules/NAME or
// node_modules/@SCOPE/NAME. A package.json further down is a package's own matter.
func npmDirectory(file string) string {
	if path.Base(file) != "package.json" {
		return ""
	}
	directory := path.Dir(file)
	name := path.Base(directory)
	parent := path.Dir(directory)
	if strings.HasPrefix(path.Base(parent), "@") {
		name = path.Base(parent) + "/" + name
		parent = path.Dir(parent)
	}
	if path.Base(parent) != "node_modules" {
		return ""
	}
	return name
}

func fromNPM(directory string, content []byte) (Package, bool) {
	var found struct{ Name, Version any }
	if json.Unmarshal(content, &found) != nil {
		return Package{}, false
	}
	name, _ := found.Name.(string)
	version, _ := found.Version.(string)
	if !validName(name) {
		name = directory
	}
	return Package{Type: packageurl.TypeNPM, Name: name, Version: checkedVersion(version)}, validName(name)
}

func isDistInfo(file string) bool {
	// Those of Debian's packages are Debian's.
	return path.Base(file) == "METADATA" && strings.HasSuffix(path.Dir(file), ".dist-info") && !strings.Contains(file, "/dist-packages/")
}

func fromDistInfo(content []byte) (Package, bool) {
	header := fields(content)
	// The registry's form of the name (PEP 503).
	name := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(header.Get("Name")))
	return Package{Type: packageurl.TypePyPi, Name: name, Version: checkedVersion(header.Get("Version"))}, validName(name)
}

func isDebian(file string) bool { return strings.HasSuffix(path.Dir(file), "var/lib/dpkg/status.d") }

func fromDebian(content []byte) (Package, bool) {
	header := fields(content)
	name := header.Get("Package")
	// An epoch has a colon.
	epoch, rest, found := strings.Cut(header.Get("Version"), ":")
	version := checkedVersion(epoch)
	if found && version != "" {
		version = epoch + ":" + checkedVersion(rest)
	}
	return Package{Type: packageurl.TypeDebian, Name: name, Version: version, Architecture: header.Get("Architecture")}, validName(name)
}

// fields are those before the first empty line, in the form of mail headers.
// What comes after a line that is none is left out.
func fields(content []byte) textproto.MIMEHeader {
	header, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(content))).ReadMIMEHeader()
	return header
}

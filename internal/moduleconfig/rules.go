package moduleconfig

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

var (
	// ComponentName is what OCM takes for a component's name.
	ComponentName = regexp.MustCompile(`^[a-z][-a-z0-9]*([.][a-z][-a-z0-9]*)*[.][a-z]{2,}(/[a-z][-a-z0-9_]*([.][a-z][-a-z0-9_]*)*)+$`)
	// ModuleName is what lifecycle-manager takes for a module's name.
	ModuleName    = regexp.MustCompile(`^[a-z]{3,}(-[a-z]{3,})*$`)
	moduleVersion = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[a-zA-Z-][0-9a-zA-Z-]*)?$`)
	namespace     = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`)
	team          = regexp.MustCompile(`^kyma/[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

const (
	maxComponentName = 255
	maxModuleName    = 64
	maxVersion       = 32
)

// Module is the module's short name, the component's last part.
func (c *Config) Module() string { return path.Base(c.Name) }

// CheckName tells what is wrong with a component's name.
func CheckName(name string) error {
	if len(name) > maxComponentName || !ComponentName.MatchString(name) {
		return fmt.Errorf("must be a component's name of at most %d characters, such as kyma-project.io/module/serverless, not %q", maxComponentName, name)
	}
	if module := path.Base(name); len(module) > maxModuleName || !ModuleName.MatchString(module) {
		return fmt.Errorf("must end in a module's name of at most %d letters, each part between dashes with three or more, not %q", maxModuleName, module)
	}
	return nil
}

// CheckVersion tells what is wrong with a module's version. The ModuleTemplate
// takes less than Semantic Versioning has: no build, no dots in what follows
// the dash, which begins with a letter.
func CheckVersion(version string) error {
	if _, err := semver.StrictNewVersion(version); err != nil {
		return fmt.Errorf("must be a semantic version such as 1.2.3, not %q", version)
	}
	if len(version) > maxVersion || !moduleVersion.MatchString(version) {
		return fmt.Errorf("must be a version of at most %d characters such as 1.2.3 or 1.2.3-rc1, without + and without a dot after the dash, not %q", maxVersion, version)
	}
	return nil
}

// check notes each rule that the configuration breaks.
func (c *Config) check(d *document) {
	if err := CheckName(c.Name); err != nil {
		d.refuse("name", "%v", err)
	}
	if err := CheckVersion(c.Version); err != nil {
		d.refuse("version", "%v", err)
	}
	d.checkPlace("manifest", c.Manifest, true)
	d.checkPlace("defaultCR", c.DefaultCR, false)
	d.checkHTTPS("repository", c.Repository)
	d.checkHTTPS("documentation", c.Documentation)
	if len(c.Icons) == 0 {
		d.refuse("icons", "must contain at least one icon")
	}
	d.checkLinks("icons", c.Icons)
	d.checkLinks("resources", c.Resources)
	switch {
	case c.Team == "" && c.SecurityScanEnabled:
		d.refuse("team", "must not be empty unless securityScanEnabled is false")
	case c.Team != "" && !team.MatchString(c.Team):
		d.refuse("team", "must have the form kyma/Name, not %q", c.Team)
	}
	if c.Manager != nil {
		d.checkKind("manager", c.Manager.Kind)
		d.checkFilled("manager.name", c.Manager.Name)
		if c.Manager.Namespace != "" && !namespace.MatchString(c.Manager.Namespace) {
			d.refuse("manager.namespace", "must be a namespace, not %q", c.Manager.Namespace)
		}
	}
	for i, kind := range c.AssociatedResources {
		d.checkKind(fmt.Sprintf("associatedResources[%d]", i), kind)
	}
}

func (d *document) checkFilled(field, value string) {
	if value == "" {
		d.refuse(field, "must not be empty")
	}
}

func (d *document) checkKind(field string, kind Kind) {
	d.checkFilled(field+".group", kind.Group)
	d.checkFilled(field+".version", kind.Version)
	d.checkFilled(field+".kind", kind.Kind)
}

func (d *document) checkHTTPS(field, value string) {
	if !isHTTPS(value) {
		d.refuse(field, "must be an https URL, not %q", value)
	}
}

// checkPlace is for what is beside the file, or at a URL.
func (d *document) checkPlace(field, value string, required bool) {
	switch {
	case value == "" && required:
		d.refuse(field, "must not be empty")
	case value == "" || isHTTPS(value):
	case filepath.IsAbs(value):
		d.refuse(field, "must not be an absolute path")
	case strings.Contains(value, "://") || !filepath.IsLocal(value):
		d.refuse(field, "must be an https URL or a path below this file's directory, not %q", value)
	}
}

// checkLinks names the element as it is written: by number in a list, by name in a map.
func (d *document) checkLinks(field string, links Links) {
	for i, link := range links {
		element := fmt.Sprintf("%s[%d]", field, i)
		if _, list := d.lines[element]; !list {
			element = field + "." + link.Name
		}
		switch {
		case link.Name == "":
			d.refuse(element, "must have a name")
		case !isHTTPS(link.Link):
			d.refuse(element, "must link to an https URL, not %q", link.Link)
		}
	}
}

func isHTTPS(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.Scheme == "https" && parsed.Host != ""
}

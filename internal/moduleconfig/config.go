// Package moduleconfig reads module-config.yaml, which says what of the
// repository becomes a Kyma module (contract section 2.1).
package moduleconfig

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Config is a module's configuration, with each field checked.
type Config struct {
	// Name is the component's, as kyma-project.io/module/serverless.
	Name    string
	Version string
	// Manifest and DefaultCR are paths relative to the file, or https URLs.
	Manifest  string
	DefaultCR string

	Repository    string
	Documentation string
	Icons         Links
	// Team has the form kyma/Name.
	Team string
	// Security is the path of the scanners' configuration.
	Security            string
	SecurityScanEnabled bool

	Labels              map[string]string
	Annotations         map[string]string
	Manager             *Manager
	AssociatedResources []Kind
	Resources           Links
	RequiresDowntime    bool
	Internal            bool
	Beta                bool
}

// Manager names the object whose state is the module's.
type Manager struct {
	Kind      `yaml:",inline"`
	Name      string `yaml:"name"`
	Namespace string `yaml:"namespace"`
}

// Kind names a kind of objects.
type Kind struct {
	Group   string `yaml:"group"`
	Version string `yaml:"version"`
	Kind    string `yaml:"kind"`
}

// Link is a named URL.
type Link struct {
	Name string `yaml:"name"`
	Link string `yaml:"link"`
}

// Links are written as a list of names and links, or as a map.
type Links []Link

// UnmarshalYAML takes both forms; names that repeat are refused.
func (l *Links) UnmarshalYAML(node *yaml.Node) error {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			*l = append(*l, Link{node.Content[i].Value, node.Content[i+1].Value})
		}
	case yaml.SequenceNode:
		var links []Link
		if err := node.Decode(&links); err != nil {
			return err
		}
		*l = links
	default:
		return errors.New("must be a list of names and links, or a map")
	}
	seen := map[string]bool{}
	for _, link := range *l {
		if seen[link.Name] {
			return fmt.Errorf("must not contain %q twice", link.Name)
		}
		seen[link.Name] = true
	}
	return nil
}

// RawManifest names the link that those install from who have no control plane.
const RawManifest = "rawManifest"

// LinkManifest adds the link to the manifest for a directory that the assets
// will be in, unless the configuration has one.
func (c *Config) LinkManifest(assets string) error {
	if !isHTTPS(assets) {
		return fmt.Errorf("link to the manifest: the place of the assets must be an https URL, not %q", assets)
	}
	if slices.ContainsFunc(c.Resources, func(link Link) bool { return link.Name == RawManifest }) {
		return nil
	}
	c.Resources = append(c.Resources, Link{Name: RawManifest, Link: strings.TrimSuffix(assets, "/") + "/" + path.Base(c.Manifest)})
	return nil
}

// Override replaces what a release decides.
type Override struct {
	// Version, unless it is empty, is that of the module.
	Version string
}

// Parse reads the text of a file. Its errors, of which there may be several,
// name file, line and field. Fields that are not known are left alone, as
// Kyma's own tool does.
func Parse(file string, text []byte, override Override) (*Config, error) {
	document := &document{file: file, lines: map[string]int{}}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:1: must be a map of fields", file)
	}
	config := &Config{SecurityScanEnabled: true}
	document.decode(root.Content[0], config.fields())
	if override.Version != "" {
		config.Version = override.Version
	}
	config.check(document)
	slices.SortStableFunc(document.problems, func(a, b problem) int { return a.line - b.line })
	var all []error
	for _, problem := range document.problems {
		all = append(all, fmt.Errorf("%s:%d: %s: %s", file, problem.line, problem.field, problem.text))
	}
	if len(all) > 0 {
		return nil, errors.Join(all...)
	}
	return config, nil
}

func (c *Config) fields() map[string]any {
	return map[string]any{
		"name": &c.Name, "version": &c.Version, "manifest": &c.Manifest, "defaultCR": &c.DefaultCR,
		"repository": &c.Repository, "documentation": &c.Documentation, "icons": &c.Icons, "team": &c.Team,
		"security": &c.Security, "securityScanEnabled": &c.SecurityScanEnabled,
		"labels": &c.Labels, "annotations": &c.Annotations, "manager": &c.Manager,
		"associatedResources": &c.AssociatedResources, "resources": &c.Resources,
		"requiresDowntime": &c.RequiresDowntime, "internal": &c.Internal, "beta": &c.Beta,
	}
}

// document knows where fields are.
type document struct {
	file     string
	lines    map[string]int
	problems []problem
	broken   map[string]bool
}

type problem struct {
	line        int
	field, text string
}

func (d *document) decode(root *yaml.Node, fields map[string]any) {
	d.broken = map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if _, twice := d.lines[key.Value]; twice {
			d.problems = append(d.problems, problem{key.Line, key.Value, "must not be given twice"})
			continue
		}
		d.locate(key.Value, key.Line, value)
		target, known := fields[key.Value]
		if !known {
			continue
		}
		if err := value.Decode(target); err != nil {
			d.broken[key.Value] = true
			d.problems = append(d.problems, problem{value.Line, key.Value, reason(err)})
		}
	}
}

// locate remembers the lines of a field and of what is inside it.
func (d *document) locate(path string, line int, value *yaml.Node) {
	d.lines[path] = line
	switch value.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(value.Content); i += 2 {
			d.locate(path+"."+value.Content[i].Value, value.Content[i].Line, value.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, element := range value.Content {
			d.locate(fmt.Sprintf("%s[%d]", path, i), element.Line, element)
		}
	}
}

// refuse notes what is wrong with a field; one that is missing is on line 1.
func (d *document) refuse(field, format string, values ...any) {
	if d.broken[field] {
		return
	}
	line, found := d.lines[field]
	if !found {
		line = 1
	}
	d.problems = append(d.problems, problem{line, field, fmt.Sprintf(format, values...)})
}

func reason(err error) string {
	var mismatch *yaml.TypeError
	if errors.As(err, &mismatch) && len(mismatch.Errors) > 0 {
		return "has another type than this field takes: " + mismatch.Errors[0]
	}
	return err.Error()
}

// Package chart renders an embedded Helm chart to objects, without a cluster.
package chart

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxcd/pkg/ssa/utils"
)

// Chart is a Helm chart that can be rendered.
type Chart struct {
	content *chart.Chart
}

// Release names what a rendering is for.
type Release struct {
	Name      string
	Namespace string
}

// Load reads the chart in a directory of a file system, its parts included.
func Load(files fs.FS, dir string) (*Chart, error) {
	var buffered []*loader.BufferedFile
	err := fs.WalkDir(files, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		buffered = append(buffered, &loader.BufferedFile{Name: strings.TrimPrefix(name, dir+"/"), Data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read chart %s: %w", dir, err)
	}
	content, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, fmt.Errorf("load chart %s: %w", dir, err)
	}
	return &Chart{content: content}, nil
}

// Render returns the chart's objects for the values, CRDs first, in an order
// that depends on nothing but them.
//
// CRDs come from the chart's `crds` directory, where Helm takes them as they
// are: a Function's descriptions may hold what a template would interpret.
// Helm's own rule never to update them does not apply, as Helm applies nothing
// here.
func (c *Chart) Render(release Release, values map[string]any, capabilities *chartutil.Capabilities) ([]*unstructured.Unstructured, error) {
	// Processing the conditions of the parts removes those switched off, so it
	// works on a copy.
	content, values, err := c.enabled(values)
	if err != nil {
		return nil, err
	}
	options := chartutil.ReleaseOptions{Name: release.Name, Namespace: release.Namespace, Revision: 1, IsInstall: true}
	renderValues, err := chartutil.ToRenderValues(content, values, options, capabilities)
	if err != nil {
		return nil, fmt.Errorf("check values of chart %s: %w", content.Name(), err)
	}
	files, err := engine.Engine{Strict: true}.Render(content, renderValues)
	if err != nil {
		return nil, fmt.Errorf("render chart %s: %w", content.Name(), err)
	}

	var objects []*unstructured.Unstructured
	for _, crd := range content.CRDObjects() {
		parsed, err := parse(crd.Filename, string(crd.File.Data))
		if err != nil {
			return nil, err
		}
		objects = append(objects, parsed...)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) != ".yaml" {
			continue
		}
		parsed, err := parse(name, files[name])
		if err != nil {
			return nil, err
		}
		objects = append(objects, parsed...)
	}
	return objects, nil
}

// enabled returns a copy of the chart with only the parts that the values
// switch on, and a copy of the values.
func (c *Chart) enabled(values map[string]any) (*chart.Chart, map[string]any, error) {
	content := copyOf(c.content)
	values, err := chartutil.CoalesceValues(content, values)
	if err != nil {
		return nil, nil, fmt.Errorf("combine values of chart %s: %w", content.Name(), err)
	}
	if err := chartutil.ProcessDependenciesWithMerge(content, values); err != nil {
		return nil, nil, fmt.Errorf("choose parts of chart %s: %w", content.Name(), err)
	}
	return content, values, nil
}

// copyOf copies what the processing of dependencies writes to: metadata,
// values and the list of parts.
func copyOf(original *chart.Chart) *chart.Chart {
	duplicate := *original
	metadata := *original.Metadata
	metadata.Dependencies = nil
	for _, dependency := range original.Metadata.Dependencies {
		declared := *dependency
		metadata.Dependencies = append(metadata.Dependencies, &declared)
	}
	duplicate.Metadata = &metadata
	duplicate.Values = maps.Clone(original.Values)
	var parts []*chart.Chart
	for _, part := range original.Dependencies() {
		parts = append(parts, copyOf(part))
	}
	duplicate.SetDependencies(parts...)
	return &duplicate
}

func parse(name, text string) ([]*unstructured.Unstructured, error) {
	objects, err := utils.ReadObjects(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetKind(), b.GetKind()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return objects, nil
}

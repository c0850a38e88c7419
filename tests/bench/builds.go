package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// buildsAtOnce is how many builds the chart lets run at once.
const buildsAtOnce = 5

// packages are what the Functions of parallelBuilds need, one each.
var packages = []string{
	"async@3.2.6", "axios@1.7.7", "bluebird@3.7.2", "chalk@4.1.2", "commander@12.1.0", "dayjs@1.11.13", "debug@4.3.7", "express@5.1.0",
	"is-number@7.0.0", "joi@17.13.3", "lodash@4.17.21", "moment@2.30.1", "ms@2.1.3", "nanoid@3.3.7", "qs@6.13.0", "rxjs@7.8.1",
	"semver@7.6.3", "uuid@9.0.1", "ws@8.18.0", "yaml@2.5.1",
}

// large is a package that is, with what it needs, about 100 MB.
const large = "aws-sdk@2.1692.0"

// needing is a Function that needs the package, which was never seen before.
func (l *laboratory) needing(name, spec, answer string) (fn *v1alpha2.Function, manifest string) {
	pkg, version, _ := strings.Cut(spec, "@")
	manifest = fmt.Sprintf(`{"engines": {"node": ">=18 <%d"}, "dependencies": {%q: %q}}`, time.Now().UnixNano(), pkg, version)
	return l.function(name, fmt.Sprintf("require(%q); module.exports = { main: () => %q };", pkg, answer), manifest), manifest
}

// parallelBuilds: Functions with packages of their own are created at once
// until all of them answer, next to `npm install` of the same on this machine,
// as many at once as builds may be.
func (l *laboratory) parallelBuilds(ctx context.Context, run int) (pair, error) {
	var manifests []string
	creating, ctxOfAll := errgroup.WithContext(ctx)
	begin := time.Now()
	for i, spec := range packages {
		answer := fmt.Sprintf("parallel %d %d", run, i)
		fn, manifest := l.needing(fmt.Sprintf("parallel-%d-%d", run, i), spec, answer)
		fn.Spec.ResourceConfiguration = small()
		manifests = append(manifests, manifest)
		creating.Go(func() error {
			_, err := l.create(ctxOfAll, fn, answer)
			return err
		})
	}
	if err := creating.Wait(); err != nil {
		return pair{}, err
	}
	value := time.Since(begin)
	installing, ctxOfAll := errgroup.WithContext(ctx)
	installing.SetLimit(buildsAtOnce)
	begin = time.Now()
	for _, manifest := range manifests {
		installing.Go(func() error {
			_, err := npmInstall(ctxOfAll, manifest)
			return err
		})
	}
	err := installing.Wait()
	return pair{value, time.Since(begin)}, err
}

// small asks for little, and may use much: so many fit on one small node.
func small() *v1alpha2.ResourceConfiguration {
	resources := func(cpu, memory, most string) *v1alpha2.ResourceRequirements {
		return &v1alpha2.ResourceRequirements{Resources: &corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse(most)},
		}}
	}
	return &v1alpha2.ResourceConfiguration{Function: resources("20m", "64Mi", "256Mi"), Build: resources("200m", "200Mi", "1100Mi")}
}

// largeDependencies: a Function with a large package that was never seen
// before is created until it answers, next to `npm install` of the same.
func (l *laboratory) largeDependencies(ctx context.Context, run int) (pair, error) {
	answer := fmt.Sprintf("large %d", run)
	fn, manifest := l.needing(fmt.Sprintf("large-%d", run), large, answer)
	value, err := l.create(ctx, fn, answer)
	if err != nil {
		return pair{}, err
	}
	baseline, err := npmInstall(ctx, manifest)
	return pair{value, baseline}, err
}

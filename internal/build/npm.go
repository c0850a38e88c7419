package build

import (
	"fmt"
	"regexp"
	"strings"
)

// npmLog picks from npm's output what explains a failure.
type npmLog struct {
	errs             []string
	code, dependency string
	needCompiler     bool
	// advises tells that npm goes on with all options of its command.
	advises bool
}

// npmNoise matches lines of npm's errors that name no reason, or advise what
// can't be done in a build.
var npmNoise = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`404`, `404 Note that you can also install from a`, `404 tarball, folder, http url, or git url\.`,
	`notarget In most cases you or one of your dependencies are requesting.*`,
	`A complete log of this run can be found in.*`,
	`To correct this please try logging in again with:`, `npm login`,
	`errno .*`, `syscall .*`, `at .*`, `\w+: .*,`, `requiredBy: .*`, `\}`,
	`If you are behind a proxy, please make sure.*`, `network This is a problem related to network connectivity\.`,
	`network In most cases you are behind a proxy.*`, `network If you are behind a proxy.*`,
	`While resolving: undefined@undefined`, `ERESOLVE unable to resolve dependency tree`,
	`Fix the upstream dependency conflict, or retry`, `this command with --force.*`, `to accept an incorrect.*`,
	`Fix the upstream dependency conflict, or retry this command with.*`,
	`For a full report see:`, `\S*eresolve-report\.txt`, `command failed`,
	`Run "npm help \w+" for more info`, `Clean install a project`,
	`gyp (?:info|http|verb|WARN) .*`, `gyp ERR!`, `gyp ERR! find Python.*`, `gyp ERR! configure error`, `gyp ERR! build error`,
	`gyp ERR! (?:System|command|cwd|node|node-gyp|not) .*`, `gyp ERR! \$npm_package_\w+ .*`, `gyp ERR! stack at .*`,
}, `|`) + `)$`)

// noCompiler matches what tells that an image can't compile native code.
var noCompiler = regexp.MustCompile(`gyp ERR! find Python|gyp ERR! stack Error: not found: make|(?:g\+\+|c\+\+|gcc|cc|make): (?:command )?not found|` +
	`(?:g\+\+|c\+\+|gcc|cc): No such file or directory`)

func (l *npmLog) read(line string) {
	text, found := strings.CutPrefix(line, "npm error")
	text = strings.TrimSpace(text)
	l.advises = l.advises || text == "Usage:"
	if !found || l.advises {
		return
	}
	if code, found := strings.CutPrefix(text, "code "); found && l.code == "" {
		l.code = code
	}
	if _, dependency, found := strings.Cut(text, "node_modules/"); found && strings.HasPrefix(text, "path ") {
		l.dependency = dependency
	}
	l.needCompiler = l.needCompiler || noCompiler.MatchString(text)
	if text == "" || npmNoise.MatchString(text) || strings.HasPrefix(text, "path ") {
		return
	}
	// The lines of some errors begin with their name again.
	text = strings.TrimSpace(strings.TrimPrefix(text, "404 "))
	l.errs = append(l.errs, strings.TrimPrefix(strings.TrimPrefix(text, "notarget "), "gyp ERR! stack "))
}

// words are npm's reasons, and what to do where npm only tells what to do with npm.
func (l *npmLog) words(registrySecret string) []string {
	if len(l.errs) == 0 {
		return nil
	}
	if l.needCompiler {
		return []string{compilerAdvice(l.dependency, "with prebuilt binaries", "python3, make and g++")}
	}
	words := l.errs
	if l.dependency != "" && l.code != "" {
		words = append([]string{fmt.Sprintf("a script of the package %s failed", l.dependency)}, words...)
	}
	switch {
	case l.code == "E401" || l.code == "E403" || l.code == "ENEEDAUTH":
		words = append(words, fmt.Sprintf("correct .npmrc in the Secret %s", registrySecret))
	case strings.Contains(l.code, "CERT") || strings.Contains(l.code, "SIGNATURE"):
		words = append(words, fmt.Sprintf("put the certificate of the registry's CA under ca.crt into the Secret %s", registrySecret))
	case l.code == "ERESOLVE":
		words = append(words, fmt.Sprintf("ask for versions that go together, or set legacy-peer-deps=true in .npmrc of the Secret %s", registrySecret))
	}
	return words
}

// compilerAdvice is for a package of native code that has to be compiled.
func compilerAdvice(dependency, release, tools string) string {
	if dependency == "" {
		dependency = "a package"
	}
	return fmt.Sprintf("%s has native code, and the runtime's image has no compiler: use a version %s, "+
		"or an image with %s as spec.runtimeImageOverride", dependency, release, tools)
}

package build

import (
	"regexp"
	"slices"
	"strings"
)

// pipLog picks from pip's output what explains a failure.
type pipLog struct {
	errs           []string
	indexes, cause string
	dependency     string
	needCompiler   bool
}

var (
	// noPythonCompiler matches what the build of a wheel says without a compiler.
	noPythonCompiler = regexp.MustCompile(`^error: command '[^']*(?:gcc|g\+\+|cc|c\+\+|clang)' failed: No such file or directory|` +
		`^error: can't find Rust compiler|^\S*ERROR: Unknown compiler\(s\)|[Cc]argo, the Rust package manager, is not installed`)
	builtWheel = regexp.MustCompile(`^(?:ERROR: |× )?(?:Failed b|B)uilding wheel for (\S+)`)
)

// brokenConnection matches pip's warning, with the cause after its object's address.
var brokenConnection = regexp.MustCompile(`after connection broken by '(?:.*>: )?(.+?)\W*: /`)

// insecure matches pip's warning that it leaves an index of plain HTTP out.
var insecure = regexp.MustCompile(`^WARNING: (The repository located at \S+ is not a trusted or secure host) and is being ignored`)

func (l *pipLog) read(line string) {
	if found := insecure.FindStringSubmatch(line); found != nil {
		l.cause = found[1] + ": use https, or name it as trusted-host in pip.conf"
	}
	if found := brokenConnection.FindStringSubmatch(line); found != nil {
		l.cause = found[1]
	}
	l.needCompiler = l.needCompiler || noPythonCompiler.MatchString(line)
	if found := builtWheel.FindStringSubmatch(line); found != nil {
		l.dependency = found[1]
	}
	if strings.HasPrefix(line, "Looking in indexes:") {
		l.indexes = line
	}
	for _, prefix := range []string{"ERROR:", "error:"} {
		if text, found := strings.CutPrefix(line, prefix); found {
			l.errs = append(l.errs, strings.TrimSpace(text))
		}
	}
	// Of a package that isn't the one which was asked for.
	if len(l.errs) > 0 && (strings.HasPrefix(line, "Expected ") || strings.HasPrefix(line, "Got ")) {
		l.errs = append(l.errs, strings.Join(strings.Fields(line), " "))
	}
}

// words are pip's errors. That an index can't be reached, or is not asked, it
// only warns of, and then says that the index has no such package.
func (l *pipLog) words() []string {
	if l.needCompiler {
		return []string{compilerAdvice(l.dependency, "that has a wheel for this Python on manylinux", "gcc and python3-dev")}
	}
	if len(l.errs) == 0 || l.cause == "" {
		return l.errs
	}
	return slices.DeleteFunc(append(l.errs, l.cause, l.indexes), func(text string) bool { return text == "" })
}

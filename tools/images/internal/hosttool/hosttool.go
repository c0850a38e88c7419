// Package hosttool runs the few programs of this machine that images are built
// with.
package hosttool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// fixes says for each tool how one gets it.
var fixes = map[string]string{
	"go":       "install Go and put it on the PATH",
	"npm":      "install Node.js with npm, on Debian by `apt-get install npm`",
	"sh":       "build images on a Unix system",
	"apt-get":  "build images on Debian, or in a container of it",
	"dpkg-deb": "build images on Debian, or in a container of it",
}

// Command is one call of a tool.
type Command struct {
	Name string
	Args []string
	Dir  string   // empty for the current directory
	Env  []string // in addition to this process's environment
}

// Output runs the command and returns what it wrote to stdout. An error holds
// the end of what it wrote to stderr, where tools say what went wrong.
func (c Command) Output(ctx context.Context) ([]byte, error) {
	path, err := exec.LookPath(c.Name)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w; %s", c.Name, err, fixes[c.Name])
	}
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, path, c.Args...)
	command.Dir, command.Stdout, command.Stderr = c.Dir, &stdout, &stderr
	command.Env = append(os.Environ(), c.Env...)
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("run %s: %w", c.Name, errors.Join(err, tail(stderr.String())))
	}
	return stdout.Bytes(), nil
}

// Run is Output for a command whose output nobody needs.
func (c Command) Run(ctx context.Context) error {
	_, err := c.Output(ctx)
	return err
}

func tail(text string) error {
	const lines = 15
	all := strings.Split(strings.TrimSpace(text), "\n")
	if all[0] == "" {
		return nil
	}
	return errors.New(strings.Join(all[max(0, len(all)-lines):], "\n"))
}

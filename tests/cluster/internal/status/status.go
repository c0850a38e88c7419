// Package status is what is known of a running cluster, in a file that the
// supervisor writes and the commands read.
package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Status is the state of a cluster and of its parts.
type Status struct {
	// Supervisor and Init are processes, by their ids on the host.
	Supervisor int `json:"supervisor"`
	Init       int `json:"init,omitempty"`
	// Steps of the start, in order.
	Steps []Step `json:"steps"`
	// Ready says that all steps are done.
	Ready bool `json:"ready"`
	// Error is why the start failed.
	Error string `json:"error,omitempty"`
	// Components by name.
	Components []Component `json:"components"`
	// NodePorts that can't be offered on 127.0.0.1, and why.
	NodePorts []NodePort `json:"nodePorts,omitempty"`
}

// Step is a part of the start that a user waits for.
type Step struct {
	Name    string        `json:"name"`
	Started time.Time     `json:"started"`
	Done    bool          `json:"done"`
	Took    time.Duration `json:"took,omitempty"`
}

// Component is a program of the node.
type Component struct {
	Name string `json:"name"`
	// Exited is how the program ended; empty while it runs.
	Exited string `json:"exited,omitempty"`
}

// NodePort is a node port, whether it is offered on 127.0.0.1, and why not.
type NodePort struct {
	Port    int    `json:"port"`
	Service string `json:"service"`
	Problem string `json:"problem,omitempty"`
}

const file = "status.json"

// Read returns the status written in dir, or nil if there is none.
func Read(dir string) (*Status, error) {
	data, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	var s Status
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("parse status in %s: %w", dir, err)
	}
	return &s, nil
}

// Write replaces the status in dir; readers see the old or the new one.
func (s *Status) Write(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("replace status: %w", err)
	}
	return nil
}

// Event is what the node tells the supervisor; one of the fields is set.
type Event struct {
	Begin     string     `json:"begin,omitempty"`
	Finish    string     `json:"finish,omitempty"`
	Component *Component `json:"component,omitempty"`
	Ready     bool       `json:"ready,omitempty"`
	Error     string     `json:"error,omitempty"`
}

// Apply changes the status by an event that happened at now.
func (s *Status) Apply(e Event, now time.Time) {
	switch {
	case e.Begin != "":
		s.Steps = append(s.Steps, Step{Name: e.Begin, Started: now})
	case e.Finish != "":
		for i := range s.Steps {
			if step := &s.Steps[i]; step.Name == e.Finish {
				step.Done, step.Took = true, now.Sub(step.Started)
			}
		}
	case e.Component != nil:
		s.setComponent(*e.Component)
	case e.Ready:
		s.Ready = true
	case e.Error != "":
		s.Error = e.Error
	}
}

func (s *Status) setComponent(c Component) {
	for i := range s.Components {
		if s.Components[i].Name == c.Name {
			s.Components[i] = c
			return
		}
	}
	s.Components = append(s.Components, c)
}

package volume

import (
	"encoding/json"
	"fmt"
)

// Annotation of a ConfigMap holds the State that the registry tells the operator.
const Annotation = "serverless.kyma-project.io/volume"

// Level says what follows from a Usage.
type Level string

const (
	// Ample leaves nothing to be said.
	Ample Level = "ample"
	// Low is to be said before it becomes Full.
	Low Level = "low"
	// Full takes no more uploads.
	Full Level = "full"
)

const (
	// relief is how much more must be left than what a level begins with, for
	// it to end: what goes up and down around a limit isn't said each time.
	relief = 1.2
	// step is by how many percent a usage differs that is worth saying again.
	step = 5
)

// State is what was said last.
type State struct {
	Level Level `json:"level"`
	// Percent in use, and the usage in words; while it is not Ample.
	Percent int    `json:"percent,omitempty"`
	Usage   string `json:"usage,omitempty"`
}

// Next is what is to be said of a usage after the last State; the same, if it
// isn't worth saying.
func (s State) Next(usage Usage) State {
	level := s.nextLevel(usage)
	if level == Ample {
		return State{Level: Ample}
	}
	differs := usage.percent() - s.Percent
	if level == s.Level && differs < step && differs > -step {
		return s
	}
	return State{Level: level, Percent: usage.percent(), Usage: usage.Describe()}
}

func (s State) nextLevel(usage Usage) Level {
	fullMargin, lowMargin := 1.0, 1.0
	switch s.Level {
	case Full:
		fullMargin, lowMargin = relief, relief
	case Low:
		lowMargin = relief
	}
	switch {
	case usage.isFull(fullMargin):
		return Full
	case usage.isLow(lowMargin):
		return Low
	default:
		return Ample
	}
}

// String is the state as the value of the Annotation.
func (s State) String() string {
	// Nothing in it can't be encoded.
	text, _ := json.Marshal(s)
	return string(text)
}

// Parse reads a value of the Annotation. Without one nothing was said yet.
func Parse(text string) (State, error) {
	if text == "" {
		return State{Level: Ample}, nil
	}
	var state State
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		return State{}, fmt.Errorf("read annotation %s: %w", Annotation, err)
	}
	return state, nil
}

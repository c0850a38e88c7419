package registry

import (
	"context"
	"errors"
	"testing"

	"kyma-project.io/serverless/internal/volume"
)

func TestUseOfTheVolumeIsReportedOnceAndUntilItIsHeard(t *testing.T) {
	usage := volume.Usage{Bytes: volume.Amount{Total: 1000, Available: 500}}
	var refusal error
	var heard []volume.Level
	options := Options{
		Measure: func() (volume.Usage, error) { return usage, nil },
		Report: func(_ context.Context, state volume.State) error {
			if refusal == nil {
				heard = append(heard, state.Level)
			}
			return refusal
		},
	}
	var said volume.State
	look := func() { said = reportOnce(t.Context(), options, said) }

	look()
	look()
	usage.Bytes.Available, refusal = 100, errors.New("the API server is away")
	look()
	refusal = nil
	look()
	look()
	usage.Bytes.Available = 600
	look()
	if want := []volume.Level{volume.Ample, volume.Low, volume.Ample}; len(heard) != len(want) || heard[0] != want[0] || heard[1] != want[1] || heard[2] != want[2] {
		t.Errorf("reported %v, want %v", heard, want)
	}
}

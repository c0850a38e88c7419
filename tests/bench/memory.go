package main

import (
	"context"
	"errors"
	"time"
)

// largeResponses is how many answers of 5 MB must leave nothing behind.
const largeResponses = 10_000

// memoryOf compares what a runtime's server takes after many large answers
// with what it takes after a tenth of them.
func memoryOf(ctx context.Context, name string, s server) (table []measurement, err error) {
	started, err := s.launch(ctx, "/")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, started.stop()) }()
	before, err := memoryAfter(ctx, started, largeResponses/10)
	if err != nil {
		return nil, err
	}
	after, err := memoryAfter(ctx, started, largeResponses)
	if err != nil {
		return nil, err
	}
	return []measurement{summarizeFigures(name, "MiB", "≤ 1.2", []figure{{after, before}})}, nil
}

// memoryAfter loads the server with that many large answers, and returns what
// it takes when it has come to rest.
func memoryAfter(ctx context.Context, s *startedServer, responses float64) (float64, error) {
	for sent := 0.0; sent < responses; {
		measured, err := s.load(ctx, request{path: "/large"}, loadTime)
		if err != nil {
			return 0, err
		}
		sent += measured.requests
	}
	time.Sleep(5 * time.Second)
	return s.residentMemory()
}

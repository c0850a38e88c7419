package module

import (
	"cmp"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// What the programs' logs may be; the chart asks for the same.
var (
	logLevels  = []string{"debug", "info", "warn", "error", "fatal"}
	logFormats = []string{"json", "console", "text"}
)

// Log is how the programs log.
type Log struct {
	Level  string
	Format string
}

// ChooseLog returns what was asked for, or what suits most clusters.
func ChooseLog(spec v1alpha1.ServerlessSpec) Log {
	return Log{Level: cmp.Or(spec.LogLevel, "info"), Format: cmp.Or(spec.LogFormat, "json")}
}

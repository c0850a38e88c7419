// Package charts carries the module's Helm chart inside the operator's binary.
package charts

import "embed"

// Serverless is the umbrella chart, in the directory `serverless`.
//
//go:embed all:serverless
var Serverless embed.FS

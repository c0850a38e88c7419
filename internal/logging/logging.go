// Package logging sets up the programs' logs from the module's log
// configuration (contract/functions.md 3.7).
package logging

import (
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/yaml"
)

// Config is the content of the log configuration file.
type Config struct {
	// LogLevel is debug, info, warn or error.
	LogLevel string `json:"logLevel"`
	// LogFormat is json or text.
	LogFormat string `json:"logFormat"`
}

// FromFile returns the logger that the file describes; without a file, JSON from level info.
func FromFile(file string) (logr.Logger, error) {
	config := Config{LogLevel: "info", LogFormat: "json"}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return logr.Logger{}, fmt.Errorf("read log configuration: %w", err)
		}
		if err := yaml.Unmarshal(text, &config); err != nil {
			return logr.Logger{}, fmt.Errorf("parse log configuration %s: %w", file, err)
		}
	}
	level, err := zapcore.ParseLevel(config.LogLevel)
	if err != nil {
		return logr.Logger{}, fmt.Errorf("parse logLevel of %s: %w; use debug, info, warn or error", file, err)
	}
	options := []zap.Opts{zap.Level(level), zap.JSONEncoder()}
	if config.LogFormat == "text" {
		options[1] = zap.ConsoleEncoder()
	}
	return zap.New(options...), nil
}

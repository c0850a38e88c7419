// Package logging sets up the programs' logs from the module's log
// configuration, and follows its changes (contract/functions.md 3.7).
package logging

import (
	"fmt"
	"io"
	"os"

	"github.com/go-logr/logr"
	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/yaml"
)

// Config is the content of the log configuration file.
type Config struct {
	// LogLevel is debug, info, warn, error or fatal.
	LogLevel string `json:"logLevel"`
	// LogFormat is json or console; text is another name of console.
	LogFormat string `json:"logFormat"`
}

// Log is a program's log as a file describes it.
type Log struct {
	logr.Logger

	file    string
	config  Config
	failure string
	level   uberzap.AtomicLevel
	format  *format
}

// FromFile returns the log that the file describes; without a file, JSON from level info.
func FromFile(file string, out io.Writer) (*Log, error) {
	l := &Log{file: file, level: uberzap.NewAtomicLevel(), format: &format{}}
	config, err := read(file)
	if err != nil {
		return nil, err
	}
	l.set(config)
	options := []zap.Opts{zap.WriteTo(out), zap.Level(l.level)}
	console := zap.NewRaw(append(options, zap.ConsoleEncoder())...).Core()
	both := uberzap.WrapCore(func(json zapcore.Core) zapcore.Core {
		return switched{json: json, console: console, format: l.format}
	})
	l.Logger = zap.New(append(options, zap.JSONEncoder(), zap.RawZapOpts(both))...)
	return l, nil
}

// read returns a configuration that can be used.
func read(file string) (Config, error) {
	config := Config{LogLevel: "info", LogFormat: "json"}
	if file == "" {
		return config, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("read log configuration: %w", err)
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return Config{}, fmt.Errorf("parse log configuration %s: %w", file, err)
	}
	if _, err := zapcore.ParseLevel(config.LogLevel); err != nil {
		return Config{}, fmt.Errorf("parse logLevel of %s: %w; use debug, info, warn, error or fatal", file, err)
	}
	switch config.LogFormat {
	case "json", "console", "text":
		return config, nil
	}
	return Config{}, fmt.Errorf("parse logFormat of %s: %q is none; use json or console", file, config.LogFormat)
}

// set makes a configuration that was read the one in effect.
func (l *Log) set(config Config) {
	l.config = config
	level, _ := zapcore.ParseLevel(config.LogLevel)
	l.level.SetLevel(level)
	l.format.console.Store(config.LogFormat != "json")
}

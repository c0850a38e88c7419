// Package logging sets up the programs' logs from the module's log
// configuration, and follows its changes (contract/functions.md 3.7).
package logging

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/yaml"
)

// Config is the content of the log configuration file.
type Config struct {
	// LogLevel is debug, info, warn, error or fatal; see Fatal for the last.
	LogLevel string `json:"logLevel"`
	// LogFormat is json or console; text is another name of console.
	LogFormat string `json:"logFormat"`
}

// Default is the configuration of a program that nobody has configured.
var Default = Config{LogLevel: "info", LogFormat: "json"}

// Log is a program's log, whose configuration may change while it is used.
type Log struct {
	logr.Logger

	core    zapcore.Core
	file    string
	config  Config
	failure string
	level   uberzap.AtomicLevel
	format  *format
}

// New returns a log with the default configuration.
func New(out io.Writer) *Log {
	l := &Log{level: uberzap.NewAtomicLevel(), format: &format{}}
	l.set(Default)
	options := []zap.Opts{zap.WriteTo(out), zap.Level(l.level)}
	console := zap.NewRaw(append(options, zap.ConsoleEncoder())...).Core()
	both := uberzap.WrapCore(func(json zapcore.Core) zapcore.Core {
		return switched{json: json, console: console, format: l.format}
	})
	raw := zap.NewRaw(append(options, zap.JSONEncoder(), zap.RawZapOpts(both))...)
	l.core, l.Logger = raw.Core(), zapr.NewLogger(raw)
	return l
}

// Fatal logs the error that ends the program, which is left to the caller. It
// is logged at every level; at the level fatal nothing else is.
func (l *Log) Fatal(err error) {
	entry := zapcore.Entry{Level: zapcore.FatalLevel, Time: time.Now(), Message: "the program ends"}
	l.core.Check(entry, nil).Write(uberzap.Error(err))
}

// FollowFile makes the log as a file describes it; Start keeps it so. Without
// a file it stays as it is.
func (l *Log) FollowFile(file string) error {
	if file == "" {
		return nil
	}
	config, err := read(file)
	if err != nil {
		return err
	}
	l.file = file
	l.set(config)
	return nil
}

// Use changes the configuration. Only one goroutine may do so.
func (l *Log) Use(config Config) {
	if config == l.config {
		return
	}
	l.set(config)
	l.Info("log configuration changed", "logLevel", config.LogLevel, "logFormat", config.LogFormat)
}

// read returns a configuration that can be used.
func read(file string) (Config, error) {
	config := Default
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

package logging

import (
	"sync/atomic"

	"go.uber.org/zap/zapcore"
)

// format is shared by all loggers that are made of one.
type format struct {
	console atomic.Bool
}

// switched writes each entry in the format of that moment. What loggers carry
// along is kept for both, so those made before a change follow it, too.
type switched struct {
	json, console zapcore.Core
	format        *format
}

func (s switched) current() zapcore.Core {
	if s.format.console.Load() {
		return s.console
	}
	return s.json
}

// Enabled implements zapcore.Core.
func (s switched) Enabled(level zapcore.Level) bool { return s.current().Enabled(level) }

// With implements zapcore.Core.
func (s switched) With(fields []zapcore.Field) zapcore.Core {
	return switched{json: s.json.With(fields), console: s.console.With(fields), format: s.format}
}

// Check implements zapcore.Core. The core that it adds is the one that writes.
func (s switched) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return s.current().Check(entry, checked)
}

// Write implements zapcore.Core.
func (s switched) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	return s.current().Write(entry, fields)
}

// Sync implements zapcore.Core.
func (s switched) Sync() error { return s.current().Sync() }

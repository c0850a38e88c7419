package registry

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/sirupsen/logrus"
)

// LogTo sends what the distribution project logs to logger. The distribution
// project has one logger for the process, so this changes it for all registries
// in the process.
func LogTo(logger *slog.Logger) {
	logrus.SetOutput(io.Discard)
	logrus.SetLevel(logrus.TraceLevel)
	if !logger.Enabled(context.Background(), slog.LevelDebug) {
		// Not even formatted: most of it is a line or two for each request.
		logrus.SetLevel(logrus.ErrorLevel)
	}
	logrus.StandardLogger().ReplaceHooks(logrus.LevelHooks{})
	logrus.AddHook(forward{logger})
}

// forward is a logrus hook that hands an entry on to slog.
type forward struct{ logger *slog.Logger }

func (f forward) Levels() []logrus.Level { return logrus.AllLevels }

// The few of the distribution project's fields that say something; the others
// repeat them, or are of use to its developers only.
var forwarded = map[string]string{
	"vars.name":            "repository",
	"vars.reference":       "reference",
	"vars.digest":          "digest",
	"auth.user.name":       "user",
	"http.request.method":  "method",
	"http.response.status": "status",
	"err.code":             "code",
	"err.detail":           "detail",
}

func (f forward) Fire(entry *logrus.Entry) error {
	ctx := entry.Context
	if ctx == nil {
		ctx = context.Background()
	}
	attributes := make([]slog.Attr, 0, len(forwarded))
	for from, to := range forwarded {
		if value, ok := entry.Data[from]; ok {
			attributes = append(attributes, slog.String(to, fmt.Sprint(value)))
		}
	}
	f.logger.LogAttrs(ctx, level(entry), entry.Message, attributes...)
	return nil
}

// level is how much an entry matters here. A request for what is not there is
// a client's question ("do you have this layer?"), not an error; and a request
// without credentials, which would be a warning, is how clients find out that
// they need them. The access controller itself reports the wrong ones.
func level(entry *logrus.Entry) slog.Level {
	if code, ok := entry.Data["err.code"].(errcode.ErrorCode); ok && code.Descriptor().HTTPStatusCode < 500 {
		return slog.LevelDebug
	}
	if entry.Level <= logrus.ErrorLevel {
		return slog.LevelError
	}
	return slog.LevelDebug
}

package logging

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Interval is how often the file is read. The kubelet takes up to a minute to
// renew a mounted ConfigMap, so being told at once would gain nothing; and it
// would take an inotify instance, of which nodes run out.
const Interval = 5 * time.Second

// Start follows the file until the context is done.
func (l *Log) Start(ctx context.Context) error {
	if l.file == "" {
		return nil
	}
	wait.UntilWithContext(ctx, func(context.Context) { l.Reload() }, Interval)
	return nil
}

// NeedLeaderElection says that replicas in waiting follow the file, too.
func (l *Log) NeedLeaderElection() bool { return false }

// Reload reads the file again. One that can't be used changes nothing, and is
// reported once.
func (l *Log) Reload() {
	config, err := read(l.file)
	if err != nil {
		if l.failure != err.Error() {
			l.Error(err, "the log configuration stays as it was")
		}
		l.failure = err.Error()
		return
	}
	l.failure = ""
	l.Use(config)
}

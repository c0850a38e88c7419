package build

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/internal/workload"
)

// As npm writes it, shortened.
const notFoundLog = `npm warn deprecated inflight@1.0.6: This module is not supported
npm error code E404
npm error 404 Not Found - GET https://packages.example.com/no-such-package-at-all - Not found
npm error 404
npm error 404  The requested resource 'no-such-package-at-all@*' could not be found or you do not have permission to access it.
npm error A complete log of this run can be found in: /tmp/npm/_logs/2026-01-01T00_00_00_000Z-debug-0.log
`

func TestFailedBuildSaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		conditions []batchv1.JobCondition
		pods       []corev1.Pod
		want       string
	}{
		"a package that does not exist": {
			pods: []corev1.Pod{endedInstall(1, "Error", notFoundLog)},
			want: "code E404; Not Found - GET https://packages.example.com/no-such-package-at-all - Not found; " +
				"The requested resource 'no-such-package-at-all@*' could not be found or you do not have permission to access it.",
		},
		"a script that fails": {
			pods: []corev1.Pod{endedInstall(2, "Error", "one\ntwo\n\nthree\nfour\nfive\nsix\n")},
			want: "two; three; four; five; six",
		},
		"out of memory": {
			pods: []corev1.Pod{endedInstall(137, "OOMKilled", "")},
			want: "install ran out of memory; choose a larger profile in spec.resourceConfiguration.build",
		},
		"too much disk": {
			pods: []corev1.Pod{{Status: corev1.PodStatus{
				Reason: "Evicted", Message: `Usage of EmptyDir volume "workspace" exceeds the limit "2Gi". `,
				InitContainerStatuses: endedInstall(137, "Error", "npm http fetch").Status.InitContainerStatuses,
			}}},
			want: `its Pod was evicted: Usage of EmptyDir volume "workspace" exceeds the limit "2Gi"`,
		},
		"without a word": {
			pods: []corev1.Pod{endedInstall(3, "Error", " \n")},
			want: "install ended with exit code 3",
		},
		"the push failed after the install": {
			pods: []corev1.Pod{{Status: corev1.PodStatus{
				InitContainerStatuses: endedInstall(0, "Completed", "").Status.InitContainerStatuses,
				ContainerStatuses: []corev1.ContainerStatus{{Name: "push", State: corev1.ContainerState{
					Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "push registry/a: connection refused"}}}},
			}}},
			want: "push registry/a: connection refused",
		},
		"too late": {
			conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: "True", Reason: "DeadlineExceeded"}},
			want:       "it took longer than 15m0s",
		},
		"the Pod was deleted": {
			conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: "True", Reason: "BackoffLimitExceeded"}},
			want:       "its Pod is gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			job := &batchv1.Job{Status: batchv1.JobStatus{Conditions: test.conditions}}
			if got := FailureReason(job, test.pods, Packages{}); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestFailedBuildIsTriedAgainLaterAndLater(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		1: 10 * time.Second, 2: 20 * time.Second, 3: 40 * time.Second, 5: 160 * time.Second, 6: 5 * time.Minute, 1000: 5 * time.Minute,
	} {
		if got := RetryAfter(attempt); got != want {
			t.Errorf("after attempt %d: %s, want %s", attempt, got, want)
		}
	}
}

func TestStateOfAJob(t *testing.T) {
	endedAt := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, test := range map[string]struct {
		conditions []batchv1.JobCondition
		want       State
	}{
		"new": {nil, Active},
		"complete": {[]batchv1.JobCondition{{Type: batchv1.JobSuccessCriteriaMet, Status: "True"},
			{Type: batchv1.JobComplete, Status: "True", LastTransitionTime: endedAt}}, Succeeded},
		"failed":    {[]batchv1.JobCondition{{Type: batchv1.JobFailed, Status: "True", LastTransitionTime: endedAt}}, Failed},
		"failing":   {[]batchv1.JobCondition{{Type: batchv1.JobFailureTarget, Status: "True"}}, Active},
		"suspended": {[]batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: "True"}}, Active},
		"not yet":   {[]batchv1.JobCondition{{Type: batchv1.JobComplete, Status: "False"}}, Active},
	} {
		t.Run(name, func(t *testing.T) {
			job := &batchv1.Job{Status: batchv1.JobStatus{Conditions: test.conditions}}
			if got := StateOf(job); got != test.want {
				t.Errorf("got %v", got)
			}
			if at := EndedAt(job); at.IsZero() == (test.want != Active) {
				t.Errorf("ended at %s", at)
			}
		})
	}
}

func TestAttemptsAreCounted(t *testing.T) {
	for text, want := range map[string]int{"": 1, "3": 3, "many": 1, attemptText(0): 1, attemptText(7): 7} {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{annotationAttempt: text}}}
		if got := Attempt(job); got != want {
			t.Errorf("attempt %q is %d, want %d", text, got, want)
		}
	}
}

// The log of a build is written by strangers' install scripts.
func FuzzLastWords(f *testing.F) {
	for _, seed := range []string{
		"", "\n\n", notFoundLog, strings.Repeat("x", 5000), strings.Repeat("ü\n", 3000), "npm error\nnpm error \n", "npm error " + strings.Repeat("🙂", 400),
		"a\r\nb\rc", "\xff\xfe",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, log string) {
		words := lastWords(log, "packages")
		if len(words) > workload.MaxQuote+len("…") {
			t.Errorf("%d bytes", len(words))
		}
		if utf8.ValidString(log) && !utf8.ValidString(words) {
			t.Errorf("%q is cut in the midst of a letter", words)
		}
		if strings.Contains(words, "\n") {
			t.Errorf("%q has more than one line", words)
		}
		if words == "" && strings.TrimSpace(log) != "" && !strings.Contains(log, "A complete log of this run") {
			t.Errorf("%q has no last words", log)
		}
	})
}

func endedInstall(code int32, reason, message string) corev1.Pod {
	return corev1.Pod{Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{
		Name: "install",
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: code, Reason: reason, Message: message,
		}},
	}}}}
}

package build

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/internal/workload"
)

// State is how far a Job is.
type State int

// The states of a Job.
const (
	Active State = iota
	Succeeded
	Failed
)

// StateOf a Job.
func StateOf(job *batchv1.Job) State {
	for _, condition := range job.Status.Conditions {
		if condition.Status != corev1.ConditionTrue {
			continue
		}
		switch condition.Type {
		case batchv1.JobComplete:
			return Succeeded
		case batchv1.JobFailed:
			return Failed
		}
	}
	return Active
}

// Attempt of a Job, 1 for the first.
func Attempt(job *batchv1.Job) int {
	attempt, err := strconv.Atoi(job.Annotations[annotationAttempt])
	if err != nil {
		return 1
	}
	return attempt
}

func attemptText(attempt int) string { return strconv.Itoa(max(attempt, 1)) }

// RetryAfter is the time from a Job's failure to the next try: soon at first,
// as a registry may be back, then every five minutes (contract/functions.md 3.1).
func RetryAfter(attempt int) time.Duration {
	const first, longest = 10 * time.Second, 5 * time.Minute
	wait := first
	for range attempt - 1 {
		if wait *= 2; wait >= longest {
			return longest
		}
	}
	return wait
}

// EndedAt is when the Job succeeded or failed.
func EndedAt(job *batchv1.Job) time.Time {
	for _, condition := range job.Status.Conditions {
		isEnd := condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed
		if isEnd && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// podEvicted is the reason of a Pod that the kubelet evicted, which no package
// of the API names.
const podEvicted = "Evicted"

// Packages is where a build's packages come from.
type Packages struct {
	// Secret is the name of the Secret that configures it, Config its content.
	Secret string
	Config map[string][]byte
}

// FailureReason tells why a Job failed, from its Pods' last words.
func FailureReason(job *batchv1.Job, pods []corev1.Pod, packages Packages) string {
	for _, pod := range pods {
		// What an evicted Pod's containers ended with says nothing of why.
		if pod.Status.Reason == podEvicted {
			return "its Pod was evicted: " + strings.TrimRight(workload.Quote(pod.Status.Message), ". ")
		}
		statuses := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
		for _, status := range statuses {
			if ended := status.State.Terminated; ended != nil && ended.ExitCode != 0 {
				return terminationReason(status.Name, ended, packages)
			}
		}
	}
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobFailed && condition.Reason == batchv1.JobReasonDeadlineExceeded {
			return fmt.Sprintf("it took longer than %s", deadline)
		}
	}
	return "its Pod is gone"
}

// PendingReason tells what an active Job's Pod waits for, or "" if it works.
func PendingReason(pods []corev1.Pod) string {
	for i := range pods {
		if reason := workload.WaitingReason(&pods[i]); reason != "" {
			return reason
		}
	}
	return ""
}

func terminationReason(container string, ended *corev1.ContainerStateTerminated, packages Packages) string {
	if ended.Reason == "OOMKilled" {
		return fmt.Sprintf("%s ran out of memory; choose a larger profile in spec.resourceConfiguration.build", container)
	}
	if reason := lastWords(hide(ended.Message, secretsOf(packages.Config)), packages.Secret); reason != "" {
		return reason
	}
	return fmt.Sprintf("%s ended with exit code %d", container, ended.ExitCode)
}

// lastWords picks from a log what explains a failure: the installer's own
// error lines if there are any, and else the last lines.
func lastWords(log, registrySecret string) string {
	var all []string
	var npm npmLog
	var pip pipLog
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if line == "" || strings.Contains(line, "A complete log of this run") {
			continue
		}
		all = append(all, line)
		npm.read(line)
		pip.read(line)
	}
	errs := npm.words(registrySecret)
	if len(errs) == 0 {
		errs = pip.words()
	}
	if len(errs) == 0 {
		errs = all[max(0, len(all)-5):]
	}
	return workload.Quote(strings.Join(errs, "; "))
}

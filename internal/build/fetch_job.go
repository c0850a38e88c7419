package build

import (
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
	"kyma-project.io/serverless/internal/workload"
)

const (
	gitCreds = "/git-credentials"
	// fetchedDir holds the fetched files, of the workspace.
	fetchedDir = workspace + "/source"
	// fetchedTime is a file with the time of the commit.
	fetchedTime = workspace + "/committed"
)

// FetchInput is what fetching a Git source needs to know.
type FetchInput struct {
	Function  *v1alpha2.Function
	Runtime   runtime.Runtime
	Revision  source.Revision
	Resources corev1.ResourceRequirements
	// Tag is the key of the source, Target the image reference that it is pushed to.
	Tag, Target string
	PlainHTTP   bool
	// ByToken has the Job push with a token of its Pod, not with credentials.
	ByToken bool
	// Certificates has it trust those of the registry's Secret.
	Certificates bool
	// Attempt is 1 for the first try.
	Attempt int
	JobConfig
}

// FetchJob fetches the files of a commit, and then publishes them as a layer.
// Only the first container sees the Git credentials, and only the second
// the credential to push.
func FetchJob(in FetchInput) *batchv1.Job {
	fetch := corev1.Container{
		Name:                     "fetch",
		Image:                    in.BuilderImage,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		Args:                     fetchArgs(in),
		Env:                      in.environment(memoryLimit()),
		Resources:                in.Resources,
		SecurityContext:          workload.RestrictedContainer(),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts: []corev1.VolumeMount{
			{Name: "workspace", MountPath: workspace},
			{Name: "tmp", MountPath: "/tmp"},
		},
	}
	var volumes []corev1.Volume
	if auth := in.Function.Spec.Source.GitRepository.Auth; auth != nil {
		fetch.VolumeMounts = append(fetch.VolumeMounts, corev1.VolumeMount{Name: "git-credentials", MountPath: gitCreds, ReadOnly: true})
		volumes = append(volumes, corev1.Volume{Name: "git-credentials", VolumeSource: corev1.VolumeSource{
			// Without the Secret, the fetch says so; the Pod would wait for it in silence.
			Secret: &corev1.SecretVolumeSource{SecretName: auth.SecretName, Optional: ptr.To(true)}}})
	}
	pod := publishingPod(in.JobConfig, in.Resources, []corev1.Container{fetch}, pushSourceArgs(in), login{byToken: in.ByToken, certificates: in.Certificates}, volumes...)
	return newJob(in.Function, in.Tag, in.Attempt, pod)
}

// memoryLimit has Go collect its garbage in time, rather than be killed.
func memoryLimit() corev1.EnvVar {
	return corev1.EnvVar{Name: "GOMEMLIMIT", ValueFrom: &corev1.EnvVarSource{
		ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"}}}
}

func fetchArgs(in FetchInput) []string {
	args := []string{
		"fetch", "--url=" + literal(in.Revision.URL), "--commit=" + in.Revision.Commit, "--base-dir=" + literal(in.Revision.BaseDir),
		"--to=" + fetchedDir, "--time-file=" + fetchedTime,
		"--source-file=" + in.Runtime.SourceFile,
		"--dependencies-file=" + in.Runtime.DependenciesFile, "--empty-dependencies=" + emptyDependencies(in.Runtime),
	}
	args = append(args, lockArgs(in.Runtime)...)
	if auth := in.Function.Spec.Source.GitRepository.Auth; auth != nil {
		args = append(args, "--auth-type="+string(auth.Type), "--auth-dir="+gitCreds)
	}
	return args
}

// literal keeps the API server from expanding $(NAME) in what a user wrote.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

func pushSourceArgs(in FetchInput) []string {
	args := []string{
		"push", "--root=" + fetchedDir, "--entry=.", "--directory=" + in.Runtime.FunctionDir,
		"--dependencies-file=" + in.Runtime.DependenciesFile, "--to=" + in.Target,
		"--time-file=" + fetchedTime,
	}
	args = append(args, lockArgs(in.Runtime)...)
	if in.PlainHTTP {
		args = append(args, "--plain-http")
	}
	return args
}

func lockArgs(rt runtime.Runtime) []string {
	var args []string
	for _, file := range rt.LockFiles {
		args = append(args, "--lock-file="+file)
	}
	return args
}

{{/* Labels of an object: call with (dict "root" . "component" "<part>"). */}}
{{- define "serverless.labels" -}}
app: serverless
app.kubernetes.io/name: serverless
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: serverless
helm.sh/chart: serverless-{{ .root.Chart.Version }}
{{- end -}}

{{/* Security context of a Pod, as the restricted Pod Security Standard asks. */}}
{{- define "serverless.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Security context of a container, as the restricted Pod Security Standard asks. */}}
{{- define "serverless.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where the function controller pushes to when the registry is the module's own. */}}
{{- define "serverless.pushAddress" -}}
serverless-docker-registry.{{ .Release.Namespace }}.svc.cluster.local:5000
{{- end -}}

{{/* Where the kubelet pulls from when the registry is the module's own. */}}
{{- define "serverless.pullAddress" -}}
localhost:{{ .Values.dockerRegistry.nodePort }}
{{- end -}}

{{/* The docker config that logs in to the registry at each of its addresses. */}}
{{- define "serverless.dockerConfig" -}}
{{- $registry := .Values.dockerRegistry -}}
{{- $login := dict "username" $registry.username "password" $registry.password "auth" (printf "%s:%s" $registry.username $registry.password | b64enc) -}}
{{- $addresses := list $registry.serverAddress -}}
{{- if $registry.enableInternal -}}
{{- $addresses = list (include "serverless.pullAddress" .) (include "serverless.pushAddress" .) -}}
{{- end -}}
{{- $auths := dict -}}
{{- range $addresses -}}
{{- $_ := set $auths . $login -}}
{{- end -}}
{{- dict "auths" $auths | toJson -}}
{{- end -}}

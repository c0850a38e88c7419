{{/* Spreads a program's Pods: call with (dict "root" . "component" "<part>"). */}}
{{- define "serverless.spread" -}}
{{- if gt (int .root.Values.replicas) 1 }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app.kubernetes.io/instance: {{ $.root.Release.Name }}
        kyma-project.io/component: {{ $.component }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{/* Lets a program's Pods be evicted one by one: call with (dict "root" . "component" "<part>" "name" "<Deployment>"). */}}
{{- define "serverless.disruptionBudget" -}}
{{- if gt (int .root.Values.replicas) 1 }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "serverless.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      app.kubernetes.io/instance: {{ .root.Release.Name }}
      kyma-project.io/component: {{ .component }}
{{- end }}
{{- end -}}

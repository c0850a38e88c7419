{{/* Annotations of a Pod that let markets replace its image's registry and add the credentials for it. */}}
{{- define "serverless.marketAnnotations" -}}
rt-cfg.kyma-project.io/alter-img-registry: "true"
rt-cfg.kyma-project.io/add-img-pull-secret: "true"
{{- end -}}

{{/* What a Pod of the module's own pulls its image with. */}}
{{- define "serverless.imagePullSecrets" -}}
{{- with .Values.global.imagePullSecretName }}
imagePullSecrets:
  - name: {{ . }}
{{- end }}
{{- end -}}

{{/* The environment of a program in FIPS mode. */}}
{{- define "serverless.fipsEnvironment" -}}
{{- if .Values.global.fipsMode }}
- name: KYMA_FIPS_MODE_ENABLED
  value: "true"
- name: GODEBUG
  value: fips140=only,tlsmlkem=0
{{- end }}
{{- end -}}

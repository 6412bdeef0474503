{{- define "oco.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Leaves room for the longest suffix, -metrics. */}}
{{- define "oco.fullname" -}}
{{- $name := include "oco.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 54 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 54 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 54 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "oco.selectorLabels" -}}
app.kubernetes.io/name: {{ include "oco.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "oco.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "oco.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "oco.serviceAccountName" -}}
{{- $default := ternary (include "oco.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $default .Values.serviceAccount.name }}
{{- end }}

{{- define "oco.leaderElectionID" -}}
{{- default (include "oco.fullname" .) .Values.leaderElection.id }}
{{- end }}

{{- define "oco.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{/* What a RoleBinding binds to. */}}
{{- define "oco.subjects" -}}
- kind: ServiceAccount
  name: {{ include "oco.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/*
Permissions in the watched namespaces: all, or each in the list. Secrets are watched as metadata, and
read when an object names them. Kubernetes can't grant access to metadata alone, or only to the Secrets
that an OmniConnection names.
*/}}
{{- define "oco.watchRules" -}}
- apiGroups: [omniconnection.io]
  resources: [omniconnections, omniinstances]
  verbs: [list, watch]
- apiGroups: [omniconnection.io]
  resources: [omniconnections/status, omniinstances/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/*
extraEnv; with a proxy, the API server's address is added to NO_PROXY: pods reach it through the cluster
network, which an outside proxy can't reach. In the operator, upper case takes precedence, so an empty
NO_PROXY is not the one to extend.
*/}}
{{- define "oco.env" -}}
{{- $proxied := false }}
{{- $extended := "" }}
{{- range .Values.extraEnv }}
{{- if has .name (list "HTTPS_PROXY" "https_proxy") }}{{ $proxied = true }}{{ end }}
{{- if has .name (list "NO_PROXY" "no_proxy") }}
{{- if or (eq .name "NO_PROXY") (not $extended) }}{{ $extended = .name }}{{ end }}
{{- end }}
{{- end }}
{{- $apiServer := "$(KUBERNETES_SERVICE_HOST)" }}
{{- $out := list }}
{{- range .Values.extraEnv }}
{{- if and $proxied (eq .name $extended) }}
{{- if .valueFrom }}
{{- fail (printf "extraEnv: %s needs a value, because the API server's address is added to it; valueFrom can't be extended" .name) }}
{{- end }}
{{- $out = append $out (dict "name" .name "value" (list .value $apiServer | compact | join ",")) }}
{{- else }}
{{- $out = append $out . }}
{{- end }}
{{- end }}
{{- if and $proxied (not $extended) }}
{{- $out = append $out (dict "name" "NO_PROXY" "value" $apiServer) }}
{{- end }}
{{- if $out }}{{ toYaml $out }}{{ end }}
{{- end }}

{{/* The ports of allowedHosts and of the proxy, as a JSON list: for the NetworkPolicy. */}}
{{- define "oco.omniPorts" -}}
{{- $ports := list }}
{{- range .Values.allowedHosts }}
{{- $ports = append $ports (regexFind "[0-9]+$" (regexFind ":[0-9]+$" .) | default "443" | int) }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if and (has .name (list "HTTPS_PROXY" "https_proxy")) .value }}
{{- $ports = append $ports (regexFind "[0-9]+" (regexFind ":[0-9]+/?$" .value) | default "80" | int) }}
{{- end }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}

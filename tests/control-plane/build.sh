#!/usr/bin/env bash
# Finds or builds etcd, kube-apiserver and kubectl, and prints a directory that holds them as the last
# line of standard output. Progress goes to standard error, a line at a time, so that this can run
# beside another build.
#
# etcd and kube-apiserver: $KUBEBUILDER_ASSETS (the convention of envtest), $PATH, the cache, envtest's
# own download, a build from Go modules. kubectl, where it is not more than one minor version away from
# that kube-apiserver: the one beside it, $PATH, the ready-made one, a build.
#
# OCO_ENVTEST_INDEX: the URL of another index than envtest's own, such as a mirror's.
# OCO_ENVTEST_SECONDS: how long to wait where nothing arrives (15).
# shellcheck disable=SC2317 # functions that are called by their name
set -euo pipefail

# The CRDs' CEL rules and field selectors are tried on these; older servers may refuse them.
readonly OLDEST_KUBERNETES_MINOR=33

here="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
readonly here
log_name=control-plane
# shellcheck source=tests/tools/ready_made.sh
source "$here/../tools/ready_made.sh"

kubernetes_version="$(module_version "$here/go.mod" k8s.io/kubernetes)"
readonly kubernetes_version
kubernetes_minor="$(cut -d. -f2 <<<"$kubernetes_version")"
readonly kubernetes_minor
# By what the servers are built from; the same whether kubectl is built beside them or not.
built="$cache_root/control-plane-$(cache_key "$here/go.mod" "$here/go.sum" -- "$kubernetes_version")"
envtest_tool="$here/../tools/setup-envtest"
downloaded="$cache_root/envtest-$(cache_key "$envtest_tool/go.sum" -- "1.$kubernetes_minor")"
readonly built envtest_tool downloaded

# minor_of PROGRAM: 36 of v1.36.3; 0 if it does not say.
minor_of() {
    local version
    version="$(version_of "$1")"
    [[ "$version" == v1.* ]] || version=v1.0.0
    cut -d. -f2 <<<"$version"
}

# use_servers DIRECTORY
use_servers() {
    etcd="$1/etcd"
    apiserver="$1/kube-apiserver"
}

# usable ETCD KUBE_APISERVER WHERE
usable() {
    if [[ -z "$(version_of "$1")" ]]; then
        log "etcd in $3 does not run; looking elsewhere"
        return 1
    fi
    if (($(minor_of "$2") < OLDEST_KUBERNETES_MINOR)); then
        log "kube-apiserver in $3 is not 1.$OLDEST_KUBERNETES_MINOR or newer; looking elsewhere"
        return 1
    fi
}

servers_of_kubebuilder_assets() {
    [[ -n "${KUBEBUILDER_ASSETS:-}" ]] || return 1
    if ! holds_all "$KUBEBUILDER_ASSETS" etcd kube-apiserver; then
        log "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS does not hold both etcd and kube-apiserver; looking elsewhere"
        return 1
    fi
    usable "$KUBEBUILDER_ASSETS/etcd" "$KUBEBUILDER_ASSETS/kube-apiserver" KUBEBUILDER_ASSETS || return 1
    log "using etcd and kube-apiserver of KUBEBUILDER_ASSETS"
    use_servers "$(CDPATH='' cd -- "$KUBEBUILDER_ASSETS" && pwd)"
}

servers_in_path() {
    etcd="$(command -v etcd)" && apiserver="$(command -v kube-apiserver)" || return 1
    etcd="$(realpath -s -- "$etcd")" apiserver="$(realpath -s -- "$apiserver")" # PATH may be relative
    usable "$etcd" "$apiserver" PATH || return 1
    log "using etcd and kube-apiserver in PATH"
}

servers_in_cache() {
    local directory
    for directory in "$built" "$downloaded"; do
        if holds_all "$directory" etcd kube-apiserver; then
            use_servers "$directory"
            return
        fi
    done
    return 1
}

# Whether something has come since it was asked $OCO_ENVTEST_SECONDS ago: a slow download may take its
# time, no answer may not.
something_comes() {
    local size
    size="$(du -sb -- "$envtest_store" | cut -f 1)"
    if [[ "$size" != "$envtest_size" ]]; then
        envtest_size=$size envtest_since=$SECONDS
    fi
    ((SECONDS - envtest_since < ${OCO_ENVTEST_SECONDS:-15})) && return
    log "nothing arrives"
    return 1
}

download_servers() {
    local temporary=$1 options=(--use-env=false)
    [[ -z "${OCO_ENVTEST_INDEX:-}" ]] || options+=(--index "$OCO_ENVTEST_INDEX")
    build_tool "$envtest_tool" setup-envtest "less than a minute" || return 1
    log "asking envtest for etcd and kube-apiserver 1.$kubernetes_minor ready-made;" \
        "given up after ${OCO_ENVTEST_SECONDS:-15} s without an answer"
    envtest_store="$temporary/store" envtest_size=0 envtest_since=$SECONDS
    mkdir -- "$envtest_store"
    # It compares the checksum with the index's.
    supervise 1 something_comes env TMPDIR="$envtest_store" "$tool_directory/setup-envtest" use \
        "${options[@]}" --bin-dir "$envtest_store" --print path "1.$kubernetes_minor.x" || return 1
    chmod -R u+w -- "$envtest_store" &&
        mv -- "$envtest_store"/k8s/*/* "$temporary/" && rm -rf -- "$envtest_store" || return 1
    [[ "$(minor_of "$temporary/kube-apiserver")" == "$kubernetes_minor" &&
        -n "$(version_of "$temporary/etcd")" ]] && return
    log "what envtest has does not run, or is not 1.$kubernetes_minor"
    return 1
}

servers_of_envtest() {
    if ! fill_once "$downloaded" download_servers etcd kube-apiserver; then
        log "no ready-made etcd and kube-apiserver to be had"
        return 1
    fi
    use_servers "$downloaded"
}

# Without the version the programs call themselves v0.0.0-master+$Format, which clients can't compare.
linker_flags() {
    local package=k8s.io/component-base/version
    printf -- '-X %s ' "$package.gitVersion=$kubernetes_version" "$package.gitMajor=1" \
        "$package.gitMinor=$kubernetes_minor" "$package.gitTreeState=clean"
}

compile_servers() {
    log "building etcd and kube-apiserver $kubernetes_version from source, about 5 minutes on 2 cores"
    go_build "etcd and kube-apiserver" "$here" "$(linker_flags)" "$1" \
        go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/kube-apiserver &&
        mv -- "$1/server" "$1/etcd" # named after the last part of the package's path
}

servers_of_source() {
    fill_once "$built" compile_servers etcd kube-apiserver ||
        fail "the build of etcd and kube-apiserver failed; see above"
    use_servers "$built"
}

# kubectl_fits KUBECTL: Kubernetes supports a kubectl that is one minor version off.
kubectl_fits() {
    local difference
    [[ -x "$1" && -n "$(version_of "$1")" ]] || return 1
    difference=$(($(minor_of "$1") - $(minor_of "$apiserver")))
    ((difference >= -1 && difference <= 1))
}

find_kubectl() {
    kubectl="$(dirname -- "$apiserver")/kubectl"
    kubectl_fits "$kubectl" && return
    if kubectl="$(command -v kubectl)" && kubectl_fits "$kubectl"; then
        log "using kubectl in PATH"
    elif find_tool "$here" kubectl; then
        kubectl="$tool_directory/kubectl"
    elif ready_made kubectl "$kubernetes_version"; then
        kubectl="$ready_made_directory/kubectl"
    else
        tool_linker_flags="$(linker_flags)"
        build_tool "$here" kubectl "1 minute on 2 cores, after kube-apiserver's build; else 3" ||
            fail "the build of kubectl failed; see above"
        kubectl="$tool_directory/kubectl"
    fi
}

# Each by its name here: what it is a link to may have another.
link_programs() {
    ln -s -- "${links[0]}" "$1/etcd"
    ln -s -- "${links[1]}" "$1/kube-apiserver"
    ln -s -- "${links[2]}" "$1/kubectl"
}

# Callers want one directory: where there are several, one of links.
print_directory() {
    local directory
    directory="$(dirname -- "$apiserver")"
    if [[ "$etcd" != "$directory/etcd" || "$kubectl" != "$directory/kubectl" ]]; then
        links=("$(realpath -s -- "$etcd")" "$(realpath -s -- "$apiserver")" "$(realpath -s -- "$kubectl")")
        directory="$cache_root/control-plane-links-$(printf '%s\n' "${links[@]}" | sha256sum | cut -c1-16)"
        fill_once "$directory" link_programs etcd kube-apiserver kubectl
    fi
    printf '%s\n' "$directory"
}

# In braces, bash has read all of this file by now: it may change while a build goes on.
{
    servers_of_kubebuilder_assets || servers_in_path || servers_in_cache || servers_of_envtest ||
        servers_of_source
    find_kubectl
    print_directory
    exit
}

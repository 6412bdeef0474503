#!/usr/bin/env bash
# Finds or builds etcd, kube-apiserver and kubectl, and prints the directory that holds them as the
# last line of standard output. Progress goes to standard error.
#
# Order: $KUBEBUILDER_ASSETS (the convention of envtest), then $PATH, then this script's cache. Only
# when none of them has all three are they built from Go modules, which takes some minutes once.
set -euo pipefail

readonly PROGRAMS=(etcd kube-apiserver kubectl)
# The CRDs' CEL rules and field selectors are tried on these; older servers may refuse them.
readonly OLDEST_KUBERNETES_MINOR=33

here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
readonly here
log_name=control-plane
# shellcheck source-path=SCRIPTDIR
source "$here/../tools/go.sh"

# Version of a module that go.mod requires, e.g. v1.36.3.
module_version() {
    awk -v module="$1" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$here/go.mod"
}

from_kubebuilder_assets() {
    [[ -n "${KUBEBUILDER_ASSETS:-}" ]] || return 1
    if ! holds_all "$KUBEBUILDER_ASSETS" "${PROGRAMS[@]}"; then
        log "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS does not hold all of: ${PROGRAMS[*]}; looking elsewhere"
        return 1
    fi
    log "using KUBEBUILDER_ASSETS"
    (cd -- "$KUBEBUILDER_ASSETS" && pwd)
}

from_path() {
    local program found minor directory
    for program in "${PROGRAMS[@]}"; do
        command -v "$program" >/dev/null || return 1
    done
    minor="$(kube-apiserver --version 2>/dev/null | sed -nE 's/^Kubernetes v1\.([0-9]+).*/\1/p')"
    if [[ -z "$minor" || "$minor" -lt "$OLDEST_KUBERNETES_MINOR" ]]; then
        log "kube-apiserver in PATH is not 1.$OLDEST_KUBERNETES_MINOR or newer; looking elsewhere"
        return 1
    fi
    log "using the programs in PATH"
    directory="$(dirname -- "$(command -v kube-apiserver)")"
    if holds_all "$directory" "${PROGRAMS[@]}"; then
        printf '%s\n' "$directory"
        return
    fi
    # They live in different directories, and callers want one.
    directory="$cache_root/control-plane-from-path"
    mkdir -p -- "$directory"
    for program in "${PROGRAMS[@]}"; do
        found="$(command -v "$program")"
        ln -sfn -- "$(readlink -f -- "$found")" "$directory/$program"
    done
    printf '%s\n' "$directory"
}

build_programs() {
    local go=$1 directory=$2 kubernetes_version program package flags
    local version=k8s.io/component-base/version
    kubernetes_version="$(module_version k8s.io/kubernetes)"
    log "building kube-apiserver, kubectl $kubernetes_version and etcd" \
        "$(module_version go.etcd.io/etcd/server/v3) with $("$go" env GOVERSION); once, about 5 minutes on 2 cores"
    # Without the version the server calls itself v0.0.0-master+$Format, which clients can't compare.
    flags="-X $version.gitVersion=$kubernetes_version"
    flags+=" -X $version.gitMajor=1 -X $version.gitMinor=$(cut -d. -f2 <<<"$kubernetes_version")"
    flags+=" -X $version.gitTreeState=clean"
    for program in "${PROGRAMS[@]}"; do
        case $program in
        etcd) package=go.etcd.io/etcd/server/v3 ;;
        *) package="k8s.io/kubernetes/cmd/$program" ;;
        esac
        go_build "$go" "$here" "$flags" "$directory/$program" "$package" || return 1
    done
}

from_cache_or_build() {
    local directory
    directory="$cache_root/control-plane-$(module_key "$here" "$(module_version k8s.io/kubernetes)")"
    build_once "$directory" "$here" build_programs "${PROGRAMS[@]}"
    printf '%s\n' "$directory"
}

from_kubebuilder_assets || from_path || from_cache_or_build

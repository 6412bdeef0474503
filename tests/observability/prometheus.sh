#!/usr/bin/env bash
# Prints the directory that holds prometheus and promtool, as the last line of standard output: from
# $PATH, or out of Debian's package, which is unpacked into a cache. It is not installed: the package
# would start a server.
set -euo pipefail

readonly PROGRAMS=(prometheus promtool)
cache="${XDG_CACHE_HOME:-${HOME:?HOME or XDG_CACHE_HOME must be set}/.cache}/omni-connection-operator"
directory="$cache/prometheus"

fail() {
    printf 'prometheus: %s\n' "$*" >&2
    exit 1
}

holds_all() {
    local program
    for program in "${PROGRAMS[@]}"; do
        [[ -x "$1/$program" ]] || return 1
    done
}

if found="$(command -v promtool)" && holds_all "$(dirname -- "$found")"; then
    dirname -- "$found"
    exit
fi
if ! holds_all "$directory"; then
    command -v apt-get >/dev/null || fail "needs prometheus and promtool in PATH, or apt-get"
    mkdir -p -- "$cache"
    temporary="$(mktemp -d -- "$cache/prometheus.tmp.XXXXXX")"
    trap 'rm -rf -- "$temporary"' EXIT
    printf 'prometheus: unpacking the Debian package\n' >&2
    cd -- "$temporary"
    apt-get download -q prometheus >log 2>&1 ||
        { apt-get update -q && apt-get download -q prometheus; } >>log 2>&1 ||
        fail "apt-get download prometheus failed (are the package lists there? apt-get update): $(cat log)"
    dpkg-deb --extract prometheus_*.deb package
    # Beside another run, the first wins.
    mv -T -- package/usr/bin "$directory" 2>/dev/null || holds_all "$directory" || fail "can't fill $directory"
fi
printf '%s\n' "$directory"

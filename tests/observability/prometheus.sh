#!/usr/bin/env bash
# Prints the directory that holds prometheus and promtool, as the last line of standard output: from
# $PATH, or out of Debian's package, which is unpacked into the cache. It is not installed: the package
# would start a server.
set -euo pipefail
log_name=prometheus
# shellcheck source=tests/tools/cache.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../tools/cache.sh"

readonly PROGRAMS=(prometheus promtool)

unpack_package() {
    local temporary=$1
    command -v apt-get >/dev/null || {
        log "needs prometheus and promtool in PATH, or apt-get"
        return 1
    }
    log "unpacking Debian's package, some seconds"
    mkdir -- "$temporary/package"
    {
        run_with_heartbeat "downloading" env -C "$temporary/package" apt-get download -q prometheus || {
            log "trying again with new package lists"
            run_with_heartbeat "apt-get update" apt-get update -q &&
                run_with_heartbeat "downloading" env -C "$temporary/package" apt-get download -q prometheus
        }
    } && dpkg-deb --extract "$temporary"/package/prometheus_*.deb "$temporary/package" &&
        mv -- "$temporary"/package/usr/bin/* "$temporary/" && rm -rf -- "$temporary/package"
}

if found="$(command -v promtool)" && holds_all "$(dirname -- "$found")" "${PROGRAMS[@]}"; then
    dirname -- "$found"
    exit
fi
directory="$cache_root/prometheus"
fill_once "$directory" unpack_package "${PROGRAMS[@]}" || fail "can't unpack the package; see above"
printf '%s\n' "$directory"

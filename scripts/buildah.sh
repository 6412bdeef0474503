#!/usr/bin/env bash
# buildah.sh ARGUMENT...: runs buildah as image.sh uses it: as root, without a container engine and without
# mounts (chroot, vfs). Its images are kept apart from the system's, unless $STORAGE_DRIVER says how the
# system's are stored.
set -euo pipefail
log_name=buildah
# shellcheck source=tests/tools/cache.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../tests/tools/cache.sh"
as_root=()
((EUID == 0)) || as_root=(sudo)
store=(--storage-driver vfs --root "$cache_root/containers"
    --runroot "${TMPDIR:-/tmp}/omni-connection-operator-containers")
[[ -z "${STORAGE_DRIVER:-}" ]] || store=(--storage-driver "$STORAGE_DRIVER")
exec "${as_root[@]}" env BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}" buildah "${store[@]}" "$@"

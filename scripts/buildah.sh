#!/usr/bin/env bash
# buildah.sh ARGUMENT...: buildah as image.sh uses it: as root, with no container engine and no mounts of
# its own (chroot, vfs). Its images are kept apart from those of the system, unless $STORAGE_DRIVER says
# how the system's are stored.
set -euo pipefail
cache="${XDG_CACHE_HOME:-${HOME:?HOME or XDG_CACHE_HOME must be set}/.cache}/omni-connection-operator"
as_root=()
((EUID == 0)) || as_root=(sudo)
store=(--storage-driver vfs --root "$cache/containers"
    --runroot "${TMPDIR:-/tmp}/omni-connection-operator-containers")
[[ -z "${STORAGE_DRIVER:-}" ]] || store=(--storage-driver "$STORAGE_DRIVER")
exec "${as_root[@]}" env BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}" buildah "${store[@]}" "$@"

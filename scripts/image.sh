#!/usr/bin/env bash
# image.sh [ARGUMENT...]: builds the image of Dockerfile with buildah, which needs no container engine,
# and writes it to build/image/omni-connection-operator.tar, for `docker load`, `podman load` or `kind
# load image-archive`. ARGUMENTs go to `buildah build`. The base image is pulled once, or made by
# debootstrap where no registry answers.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

public_base=debian:bookworm-slim
base="localhost/$public_base"
version="$(sed -nE 's/^project\(.* VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)"
commit="$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)"
# What all files are dated: the same contents are the same image.
date="$(git log -1 --format=%ct 2>/dev/null || echo 0)"
image="omni-connection-operator:$version"
archive=build/image/omni-connection-operator.tar

as_root=()
((EUID == 0)) || as_root=(sudo)

make_base() {
    local directory container log=build/image/debootstrap.log
    directory="$(mktemp -d --tmpdir oco-debian.XXXXXX)"
    chmod 755 -- "$directory" # the mode of / in the image
    if "${as_root[@]}" debootstrap --variant=minbase bookworm "$directory" >"$log" 2>&1; then
        # As in the image of that name: with security fixes.
        "${as_root[@]}" sed -i 's|^deb \(.*\)/debian \([a-z]*\) main$|&\ndeb \1/debian-security \2-security main|' \
            "$directory/etc/apt/sources.list"
        container="$(scripts/buildah.sh from scratch)"
        scripts/buildah.sh add --quiet "$container" "$directory" / >/dev/null
        scripts/buildah.sh commit --quiet --rm "$container" "$base" >/dev/null
    else
        tail -n 20 -- "$log" >&2
    fi
    "${as_root[@]}" rm -rf -- "$directory"
}

mkdir -p build/image
if ! scripts/buildah.sh inspect --type image "$base" >/dev/null 2>&1; then
    step "base image: $public_base"
    if timeout 60 scripts/buildah.sh pull --quiet "$public_base" >build/image/pull.log 2>&1; then
        scripts/buildah.sh tag "$public_base" "$base"
    else
        echo "no registry answers (build/image/pull.log): making it with debootstrap"
        make_base
    fi
    scripts/buildah.sh inspect --type image "$base" >/dev/null || fail "no base image; see above"
fi

step "building $image, commit $commit"
scripts/buildah.sh build --network host --timestamp "$date" \
    --build-arg DEBIAN="$base" --build-arg COMMIT="$commit" --build-arg VERSION="$version" \
    --tag "$image" "$@" .
rm -f -- "$archive"
scripts/buildah.sh push --quiet "$image" "docker-archive:$archive:$image"
"${as_root[@]}" chown "$(id -u):$(id -g)" "$archive"
printf '%s: %s\n' "$archive" "$(du -h -- "$archive" | cut -f 1)"

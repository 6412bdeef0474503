#!/usr/bin/env bash
# image.sh [ARGUMENT...]: builds the image of Dockerfile with buildah, which needs no container engine,
# and writes it to build/image/omni-connection-operator.tar, for `docker load`, `podman load` or `kind
# load image-archive`. ARGUMENTs go to `buildah build`. The base image is pulled once, or made by
# debootstrap if no registry responds.
#
# Does nothing if the image was already built from these sources, this base image and these ARGUMENTs. It
# does not look for newer Debian packages: FORCE=1 always builds.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

public_base=debian:bookworm-slim
base="localhost/$public_base"
version="$(sed -nE 's/^project\(.* VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)"
mapfile -t sources < <(scripts/source_commit.sh --paths)
commit="$(scripts/source_commit.sh)"
# What all files are dated: the same contents are the same image.
date="$(git log -1 --format=%ct "$commit" 2>/dev/null || echo 0)"
name=omni-connection-operator
image="$name:$version"
archive="build/image/$name.tar"

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

has_image() { scripts/buildah.sh inspect --type image "$1" >/dev/null 2>&1; }

# image_key FLAG...: by all that goes into the image: files, links, what can be executed, flags, the base
# image.
image_key() {
    {
        find "${sources[@]}" -type f -print0 | sort -z | xargs -0 sha256sum --
        find "${sources[@]}" ! -type f -printf '%p %l\n' -or -perm /100 -print | sort
        printf '%s\n' "$@"
        scripts/buildah.sh inspect --type image --format '{{.FromImageID}}' "$base"
    } | sha256sum | cut -c1-16
}

# Files that differ from the commit whose id the image gets.
uncommitted() {
    local changes
    changes="$(git status --short -- "${sources[@]}" 2>/dev/null)" || return 0
    [[ -z "$changes" ]] || printf 'with uncommitted changes:\n%s\n' "$changes"
}

mkdir -p build/image
exec {lock}>build/image/lock
flock "$lock"
if ! has_image "$base"; then
    step "base image: $public_base"
    if timeout 60 scripts/buildah.sh pull --quiet "$public_base" >build/image/pull.log 2>&1; then
        scripts/buildah.sh tag "$public_base" "$base"
    else
        echo "no registry responds (build/image/pull.log): creating it with debootstrap"
        make_base
    fi
    has_image "$base" || fail "no base image; see above"
fi

flags=(--network host --timestamp "$date" --build-arg DEBIAN="$base" --build-arg COMMIT="$commit"
    --build-arg VERSION="$version" "$@")
key="$(image_key "${flags[@]}")"
# Another check-out of the same sources finds it, too.
keyed="$name:inputs-$key"
if [[ "${FORCE:-0}" != 0 ]] || ! has_image "$keyed"; then
    step "building $image, commit $commit: about 8 minutes on 2 cores"
    uncommitted
    rm -f -- "$archive.key" # FORCE=1 makes another of the same key
    scripts/buildah.sh build "${flags[@]}" --tag "$keyed" .
fi
scripts/buildah.sh tag "$keyed" "$image" # which may be another check-out's by now
if [[ -e "$archive" && "$(cat -- "$archive.key" 2>/dev/null)" == "$key" ]]; then
    echo "$archive: the image is up to date (FORCE=1 rebuilds it)"
    exit
fi
# Whatever happens meanwhile, also in another check-out with the same store: what the archive is said to
# be it is, and whole.
rm -f -- "$archive.key" "$archive.part"
scripts/buildah.sh push --quiet "$keyed" "docker-archive:$archive.part:$image"
"${as_root[@]}" chown "$(id -u):$(id -g)" "$archive.part"
mv -f -- "$archive.part" "$archive"
echo "$key" >"$archive.key"
printf '%s: %s\n' "$archive" "$(du -h -- "$archive" | cut -f 1)"

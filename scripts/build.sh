#!/usr/bin/env bash
# build.sh PRESET [TARGET...]: configures and builds a CMake preset.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

preset="${1:?usage: build.sh PRESET [TARGET...]}"
shift
step "building: preset $preset${*:+, targets $*}"
log="build/$preset.configure.log"
mkdir -p build
exec {lock}>"build/$preset.lock"
flock --nonblock "$lock" || {
    echo "waiting for another build of this preset"
    flock "$lock"
}
cmake --preset "$preset" >"$log" 2>&1 || {
    cat -- "$log" >&2
    fail "configuring failed; see above"
}
targets=()
(($# == 0)) || targets=(--target "$@")
nice cmake --build --preset "$preset" --parallel "$(jobs)" "${targets[@]}" {lock}>&-

#!/usr/bin/env bash
# Builds and runs all tests: the quick ones under sanitizers, then everything as it is shipped.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

step "control plane: etcd, kube-apiserver, kubectl"
CONTROL_PLANE_BIN="$(tests/control-plane/build.sh | tail -n 1)"
export CONTROL_PLANE_BIN

step "helm"
tests/tools/build.sh helm helm >/dev/null

scripts/build.sh release
scripts/build.sh asan-ubsan operator_unit emulator_unit kube_conformance operator_sim budget_sim \
    fuzz_replay

step "unit, conformance and simulation tests, with address and undefined-behaviour sanitizers"
# addr2line (binutils) names the lines where llvm-symbolizer is not installed.
ASAN_OPTIONS=allow_addr2line=1 UBSAN_OPTIONS=print_stacktrace=1:allow_addr2line=1 \
    ctest --preset asan-ubsan --label-regex '^(unit|conformance|sim)$' --no-tests=error

step "all tests, as shipped"
# Side by side: the end-to-end tests mostly wait, and the simulation leaves them the way.
ctest --preset release --no-tests=error --parallel 3

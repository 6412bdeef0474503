#!/usr/bin/env bash
# The long tests, which test.sh does not run: thousands of seeds, the unit, conformance and
# simulation tests under sanitizers, chaos, rate limits in real time, the image.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

step "make test-all: what make test leaves out"
echo "Thousands of seeds, address and undefined-behaviour sanitizers, chaos and restarts, rate limits in"
echo "real time, the image: up to 60 minutes on 2 cores."
note_steps build/test-all.steps
timed "Debian packages" scripts/deps.sh build test sanitize image

programs() {
    timed "build: release" scripts/build.sh release &&
        timed "build: asan-ubsan" scripts/build.sh asan-ubsan operator_unit emulator_unit \
            kube_conformance operator_scenarios operator_sim budget_sim fuzz_replay
}

step "a control plane (etcd, kube-apiserver, kubectl) and the programs, in parallel"
side_by_side control_plane programs
use_control_plane

step "the tests: under sanitizers, then the others"
export ASAN_OPTIONS=allow_addr2line=1 UBSAN_OPTIONS=print_stacktrace=1:allow_addr2line=1
exec "$python" -B scripts/run_tests.py "make test-all" \
    build/asan-ubsan --label-regex '^(unit|conformance|sim)$' --parallel 2 \
    -- build/release --label-regex '^long$' --parallel 2

#!/usr/bin/env bash
# What a change has to pass at once: builds and runs all tests but those that take long, which are
# left to test_all.sh. CONTRIBUTING.md tells how to run one test.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

step "make test: unit, conformance, simulation, and each promise once on a real kube-apiserver"
echo "From nothing it takes up to 15 minutes on 2 cores (Debian packages, a control plane, the build),"
echo "then about 4. What takes longer is left to make test-all."
note_steps build/test.steps
timed "Debian packages" scripts/deps.sh build test

programs() {
    timed "build: release" scripts/build.sh release
}

tools() {
    timed "helm" tests/tools/build.sh helm helm >/dev/null
}

step "a control plane (etcd, kube-apiserver, kubectl) and the programs, side by side"
side_by_side control_plane programs
use_control_plane
tools

step "the tests"
# Side by side: the end-to-end tests mostly wait, and the simulation leaves them the way.
exec "$python" -B scripts/run_tests.py "make test" build/release --label-exclude '^long$' --parallel 3

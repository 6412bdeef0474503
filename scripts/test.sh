#!/usr/bin/env bash
# What every change must pass: builds and runs all tests except the long ones, which test_all.sh runs.
# CONTRIBUTING.md says how to run a single test.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

step "make test: unit, conformance, simulation, and each promise once on a real kube-apiserver"
echo "The first run takes up to 15 minutes on 2 cores (Debian packages, a control plane, the build),"
echo "later runs about 4. make test-all runs the long tests."
note_steps build/test.steps
timed "Debian packages" scripts/deps.sh build test

programs() {
    timed "build: release" scripts/build.sh release
}

tools() {
    timed "helm" tests/tools/build.sh helm helm >/dev/null
}

step "a control plane (etcd, kube-apiserver, kubectl) and the programs, in parallel"
side_by_side control_plane programs
use_control_plane
tools

step "the tests"
# In parallel: the end-to-end tests mostly wait, and the simulation gives way to them.
exec "$python" -B scripts/run_tests.py "make test" build/release --label-exclude '^long$' --parallel 3

#!/usr/bin/env bash
# Installs and builds what the demo needs, and runs it. KEEP=1 leaves it running until Ctrl-C.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

scripts/deps.sh build demo

programs() {
    scripts/build.sh release omni-connection-operator omni-emulator
}

step "a control plane (etcd, kube-apiserver, kubectl), the operator and omni-emulator, in parallel"
side_by_side control_plane programs
use_control_plane
keep=()
[[ -z "${KEEP:-}" || "$KEEP" == 0 ]] || keep=(--keep)
exec "$python" demo/run.py --bin build/release/bin "${keep[@]}"

#!/usr/bin/env bash
# Runs the demo with what `make build` built. KEEP=1 leaves it running until Ctrl-C.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

step "control plane: etcd, kube-apiserver, kubectl"
CONTROL_PLANE_BIN="$(tests/control-plane/build.sh | tail -n 1)"
export CONTROL_PLANE_BIN
keep=()
[[ -z "${KEEP:-}" || "$KEEP" == 0 ]] || keep=(--keep)
exec "$python" demo/run.py --bin "${OPERATOR_BIN:-build/release/bin}" "${keep[@]}"

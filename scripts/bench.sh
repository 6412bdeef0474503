#!/usr/bin/env bash
# bench.sh [ARGUMENTS...]: measures the release binary on a real kube-apiserver, for a few minutes. For
# meaningful figures, run nothing else. $PEER is the command of another operator to compare with; see
# tests/bench/bench.py --help.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

scripts/build.sh release omni-connection-operator omni-emulator
step "bench"
"$python" -B tests/bench/bench.py "$@"

#!/usr/bin/env bash
# soak.sh [PYTEST ARGUMENTS...]: the tests of the rate limit (tests/e2e/test_budget.py) at Omni's 60
# requests a minute and at full length: about 15 minutes. The same tests, with the same bounds, run
# with the other end-to-end tests, at 600 a minute and for a shorter time.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

scripts/build.sh release omni-connection-operator omni-emulator
export OCO_REQUESTS_PER_MINUTE="${OCO_REQUESTS_PER_MINUTE:-60}" OCO_FULL_LENGTH=1
export PYTHONDONTWRITEBYTECODE=1
step "$OCO_REQUESTS_PER_MINUTE requests a minute, about 15 minutes"
"$python" -m pytest -p no:cacheprovider -v tests/e2e/test_budget.py "$@"

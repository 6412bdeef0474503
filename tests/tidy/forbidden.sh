#!/usr/bin/env bash
# House rules that no tool knows. Prints each line that breaks one and ends with 1 if there is any.
#
# - Time, randomness, waiting and the environment come through rt::Runtime: only its system
#   implementation and main.cpp, which put the program together, may ask the system.
# - Every task has an owner that joins it: no asio::detached.
# - Tests wait for a condition with a deadline (wait_until in tests/support/control_plane.py), or on
#   virtual time, never by sleeping.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

found=0

# forbid REASON PATTERN FILE...: what stands before a comment counts. The pattern is awk's.
forbid() {
    local reason=$1 pattern=$2
    shift 2
    (($#)) || return 0
    PATTERN="$pattern" REASON="$reason" awk '
        { code = $0 }
        FILENAME ~ /\.(py|sh)$/ { sub(/(^|[[:space:]])#.*/, "", code) }
        FILENAME !~ /\.(py|sh)$/ { sub(/\/\/.*/, "", code) }
        code ~ ENVIRON["PATTERN"] { printf "%s:%d: %s: %s\n", FILENAME, FNR, ENVIRON["REASON"], $0; bad = 1 }
        END { exit bad }
    ' "$@" || found=1
}

mapfile -t sources < <(find controller \( -name '*.cpp' -o -name '*.hpp' \) \
    -not -path 'controller/rt/system_runtime.*' -not -path controller/main.cpp | sort)
forbid 'goes through rt::Runtime' \
    '_clock::now|random_device|getenv|this_thread::|(^|[^_.[:alnum:]])(s?rand|time|clock_gettime|gettimeofday|nanosleep|usleep|arc4random|RAND_bytes)[(]|mt19937' \
    "${sources[@]}"
mapfile -t sources < <(find controller \( -name '*.cpp' -o -name '*.hpp' \) | sort)
forbid 'every task has an owner that joins it' 'detached' "${sources[@]}"

# Excepted: the one place that polls, what delays others' bytes, and a heartbeat of a build.
mapfile -t sources < <(find tests demo \( -name '*.cpp' -o -name '*.hpp' -o -name '*.py' -o -name '*.sh' \) \
    -not -path tests/support/control_plane.py -not -path tests/tools/go.sh \
    -not -path tests/support/fault_proxy.py -not -path tests/tidy/forbidden.sh | sort)
forbid 'wait for a condition with a deadline' \
    'this_thread::sleep|usleep|nanosleep|(^|[^[:alnum:]_])(time|asyncio)[.]sleep|from time import.*sleep|"sleep"|(^|[;&|({]|then|do)[[:space:]]*sleep[[:space:]]+[0-9.$"]' "${sources[@]}"

exit "$found"

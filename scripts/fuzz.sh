#!/usr/bin/env bash
# fuzz.sh [SECONDS]: runs each target of tests/fuzz for that long (default 20), from its corpus
# there and interesting inputs of earlier runs. Inputs that break something are left in build/fuzz/found.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

seconds="${1:-20}"
mapfile -t targets < <(find tests/fuzz -name '*_fuzz.cpp' -printf '%f\n' | sed 's/\.cpp$//' | sort)
scripts/build.sh fuzz "${targets[@]}"
mkdir -p build/fuzz/found
for target in "${targets[@]}"; do
    step "$target, $seconds s"
    mkdir -p "build/fuzz/corpus/$target"
    log="build/fuzz/$target.log"
    nice "build/fuzz/bin/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build/fuzz/found/$target-" \
        "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1 || {
        tail -n 60 -- "$log" >&2
        fail "$target: see build/fuzz/found"
    }
    grep '^stat::' "$log"
done

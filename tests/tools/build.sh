#!/usr/bin/env bash
# build.sh MODULE PROGRAM: finds or builds a program that MODULE/go.mod lists as its tool, and prints
# the directory that holds it as the last line of standard output. Progress goes to standard error.
# MODULE is a directory beside this file, or a path. helm comes ready-made where that is possible.
#
# The version is that of go.mod, also where the program is in $PATH: what it says decides whether
# `make lint` passes.
set -euo pipefail
log_name=tools
here="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=tests/tools/ready_made.sh
source "$here/ready_made.sh"

(($# == 2)) || fail "usage: build.sh MODULE PROGRAM"
module=$1
program=$2
[[ -f "$module/go.mod" ]] || module="$here/$module"
[[ -f "$module/go.mod" ]] || fail "there is no $module/go.mod"
module="$(CDPATH='' cd -- "$module" && pwd)"

if ! find_tool "$module" "$program" && [[ "$program" == helm ]] &&
    ready_made helm "$(module_version "$module/go.mod" helm.sh/helm/v4)"; then
    directory=$ready_made_directory
else
    build_tool "$module" "$program" "about 3 minutes on 2 cores" ||
        fail "the build of $program failed; see above"
    directory=$tool_directory
fi
printf '%s\n' "$directory"

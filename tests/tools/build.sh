#!/usr/bin/env bash
# build.sh MODULE PROGRAM...: builds programs that MODULE/go.mod lists as its tools (`tool` lines),
# once, and prints the directory that holds them as the last line of standard output. Progress goes
# to standard error. MODULE is a directory beside this file, or a path.
#
# The versions are those of go.mod, also where the program is in $PATH: what it says decides whether
# `make lint` passes.
set -euo pipefail
log_name=tools
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source-path=SCRIPTDIR
source "$here/go.sh"

(($# >= 2)) || fail "usage: build.sh MODULE PROGRAM..."
module=$1
shift
[[ -f "$module/go.mod" ]] || module="$here/$module"
[[ -f "$module/go.mod" ]] || fail "there is no $module/go.mod"
module="$(cd -- "$module" && pwd)"
programs=("$@")

# The package of a program: the tool whose path ends in its name.
package_of() {
    awk -v name="$1" '
        $1 == "tool" && $2 != "(" { path = $2 }
        inside && $1 != ")" { path = $1 }
        $1 == "tool" && $2 == "(" { inside = 1 }
        $1 == ")" { inside = 0 }
        path { n = split(path, part, "/"); if (part[n] == name) { print path; exit } path = "" }
    ' "$module/go.mod"
}

build_programs() {
    local go=$1 directory=$2 program package
    for program in "${programs[@]}"; do
        package="$(package_of "$program")"
        [[ -n "$package" ]] || fail "$module/go.mod lists no tool $program"
        go_build "$go" "$module" "" "$directory/$program" "$package" || return 1
    done
}

directory="$cache_root/tools-$(module_key "$module" "${programs[@]}")"
build_once "$directory" "$module" build_programs "${programs[@]}"
printf '%s\n' "$directory"

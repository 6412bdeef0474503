#!/usr/bin/env bash
# deps.sh [SET...]: installs the Debian packages of these sets, if any is missing: build, demo, test,
# sanitize, lint, image (default: all). Newer Debian and Ubuntu have most of them under the same names.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# A control plane is built with Go, which needs venv where it is missing.
control_plane=(python3 python3-venv openssl ca-certificates)
declare -A packages_of=(
    [build]="clang-16 lld-16 cmake ninja-build ccache git libboost1.81-dev libssl-dev zlib1g-dev
        libc-ares-dev libyaml-cpp-dev rapidjson-dev prometheus-cpp-dev libcli11-dev doctest-dev"
    [demo]="${control_plane[*]}"
    # Lua runs what Argo CD is told.
    [test]="${control_plane[*]} python3-pytest python3-pytest-xdist python3-yaml lua5.1"
    # binutils has addr2line, which names the lines where llvm-symbolizer is not installed.
    [sanitize]="libclang-rt-16-dev binutils"
    # The Helm chart and the manifests are shown to a kube-apiserver.
    [lint]="${control_plane[*]} clang-format-16 shellcheck python3-pyflakes python3-pytest
        python3-yaml"
    [image]="buildah debootstrap binutils"
)

is_installed() {
    [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

sets=("$@")
((${#sets[@]})) || sets=("${!packages_of[@]}")
missing=()
for set in "${sets[@]}"; do
    [[ -n "${packages_of[$set]:-}" ]] || fail "no such set: $set (${!packages_of[*]})"
    for package in ${packages_of[$set]}; do
        is_installed "$package" || missing+=("$package")
    done
done
((${#missing[@]})) || exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

command -v apt-get >/dev/null ||
    fail "needs these Debian packages, and there is no apt-get here: ${missing[*]}"
as_root=()
if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "run as root, or install: apt-get install ${missing[*]}"
    as_root=(sudo)
fi

step "installing Debian packages: ${missing[*]}"
apt_get() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get \
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}
apt_get update -q >/dev/null || fail "apt-get update failed; see above"
# Output to a file, since apt's is long; what went wrong is shown.
log="$(mktemp)"
trap 'rm -f -- "$log"' EXIT
started=$SECONDS
apt_get install -y -q --no-install-recommends "${missing[@]}" >"$log" 2>&1 &
install=$!
while kill -0 "$install" 2>/dev/null; do
    for ((i = 0; i < 100; i++)); do
        kill -0 "$install" 2>/dev/null || break
        sleep 0.1
    done
    kill -0 "$install" 2>/dev/null || break
    printf 'installing, %d s so far: %s\n' "$((SECONDS - started))" "$(tail -n 1 "$log" | cut -c1-80)"
done
if ! wait "$install"; then
    cat -- "$log" >&2
    fail "apt-get install failed; see above"
fi
printf 'installed in %d s\n' "$((SECONDS - started))"

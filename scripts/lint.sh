#!/usr/bin/env bash
# lint.sh [--format]: all checks that need no build; --format only formats the C++ in place.
# Continues after a finding, and exits with 1 if there was one.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# files PATTERN...: ours of these names, sorted.
files() {
    local names=() pattern
    for pattern in "$@"; do
        names+=(-o -name "$pattern")
    done
    find . \( -path ./build -o -path ./.git \) -prune -o -type f \( "${names[@]:1}" \) -printf '%P\n' |
        sort
}

mapfile -t cpp < <(files '*.cpp' '*.hpp')
if [[ "${1:-}" == --format ]]; then
    clang-format-16 -i "${cpp[@]}"
    exit
fi

trap 'exit 130' INT # whatever the check that runs makes of it

failed=()

# check NAME COMMAND...: runs it and remembers a failure.
check() {
    local name=$1
    shift
    step "$name"
    "$@" || failed+=("$name")
}

alerts() {
    local directory
    directory="$(tests/observability/prometheus.sh | tail -n 1)" || return 1
    "$python" tests/tidy/rules.py "$directory"
}

dockerfile() {
    local hadolint
    hadolint="$(tests/tools/hadolint.sh)" && "$hadolint" --no-color Dockerfile
}

parse_yaml() {
    "$python" - "$@" <<'END'
import sys, yaml
bad = 0
for path in sys.argv[1:]:
    try:
        with open(path) as file:
            for _ in yaml.safe_load_all(file): pass
    except yaml.YAMLError as error:
        print(f"{path}: {error}")
        bad = 1
sys.exit(bad)
END
}

helm_chart() {
    local chart=deploy/helm/omni-connection-operator helm
    helm="$(tests/tools/build.sh helm helm | tail -n 1)/helm"
    # Helm reads no CRDs from outside of a chart.
    diff -r crds "$chart/crds" ||
        { echo "to fix it: cp crds/*.yaml $chart/crds/" && return 1; }
    "$helm" lint --strict --quiet --values "$chart/ci/values.yaml" "$chart" &&
        "$helm" lint --strict --quiet --values "$chart/ci/values.yaml" \
            --set 'namespaces={a,b},metrics.serviceMonitor.enabled=true' "$chart"
}

dry_run() {
    "$python" -B -m pytest -p no:cacheprovider -q tests/deploy -k 'api_server_takes or pod_security'
}

tidy() {
    local clang_tidy
    clang_tidy="$(tests/tools/clang_tidy.sh | tail -n 1)" || return 1
    cmake --preset tidy >build/tidy.configure.log 2>&1 || {
        cat build/tidy.configure.log
        return 1
    }
    nice "$python" scripts/tidy.py "$clang_tidy" build/tidy "$(jobs)"
}

mkdir -p build
mapfile -t shell < <({
    files '*.sh'
    echo .ci/run
} | sort)
mapfile -t py < <(files '*.py')
# A chart's templates are YAML only once they are rendered.
mapfile -t yaml < <(files '*.yaml' '*.yml' .clang-format .clang-tidy | grep -v '/templates/')

check "clang-format: ${#cpp[@]} files (make format fixes them)" \
    clang-format-16 --dry-run -Werror "${cpp[@]}"
check "house rules: tests/tidy/forbidden.sh" tests/tidy/forbidden.sh
check "docs/: links, reasons, length" "$python" tests/tidy/docs.py
check "docs/api.md matches crds/" "$python" scripts/api_reference.py --check
check "alerts: promtool, runbooks" alerts
check "shellcheck: ${#shell[@]} files" shellcheck --external-sources --source-path=SCRIPTDIR "${shell[@]}"
check "Dockerfile: hadolint" dockerfile
check "pyflakes: ${#py[@]} files" "$python" -m pyflakes "${py[@]}"
check "YAML: ${#yaml[@]} files" parse_yaml "${yaml[@]}"
check "README.md shows deploy/samples unchanged" "$python" tests/tidy/samples.py
check "Helm chart" helm_chart
check "deploy/: server-side dry-run against a kube-apiserver" dry_run
check "clang-tidy" tidy

if ((${#failed[@]})); then
    printf '\nlint failed:\n' >&2
    printf '  %s\n' "${failed[@]}" >&2
    exit 1
fi
printf '\nlint: nothing found\n'

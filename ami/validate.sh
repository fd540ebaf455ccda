#!/usr/bin/env bash
# Fails an image that must not be used. Every check has a name; each prints "ok NAME", "FAIL NAME: why", or why it was left out.
#
#   ami/validate.sh                    the system that it runs in: the last step of a build
#   ami/validate.sh --root DIR         an image below DIR; only its files are looked at, nothing of it is run
#   ami/validate.sh --software         an image without a GPU on purpose: leaves out exactly the checks of GPU, and says so
#   ami/validate.sh --skip NAME        leave this one out, too, and say so (again for more)
#   ami/validate.sh --only NAME        nothing else (again for more)
#   ami/validate.sh --list             the names; those of GPU are marked
#
# AGENTS=none allows an image without AWS's agents. Exit code: 0, 1 when a check failed, 2 for wrong arguments.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
for file in "$AMI"/checks/*.sh; do
    # shellcheck source=/dev/null
    . "$file"
done

readonly GPU_CHECKS=(egl-vendor nvenc-library nvenc-driver gpu-required gpu-modules gpu-device)
readonly CHECKS=(runtime pins units exposure enabled accounts owners world-writable settings limits drain firewall clock agents
    no-ssh no-keys no-history machine-id cloud-init configuration secrets)

usage() {
    say "$*"
    exit 2
}

is_in() {
    local wanted=$1 one
    shift
    for one in "$@"; do
        [[ $one != "$wanted" ]] || return 0
    done
    return 1
}

# setting NAME: what every host of the image is told.
setting() { sed -n "s/^$1=//p" "$ROOT/usr/lib/vitrine/defaults.env" 2>/dev/null | tail -n 1; }

# A check says what is wrong, a line a fault, and nothing when all is well. It ends with 3 where it cannot be made here.
run_check() {
    local name=$1 said code=0
    said=$("check_${name//-/_}") || code=$?
    if ((code == 3)); then
        printf 'left out %s: %s\n' "$name" "$said"
    elif ((code != 0)) || [[ -n $said ]]; then
        while IFS= read -r line; do
            printf 'FAIL %s: %s\n' "$name" "$line"
        done <<<"${said:-the check itself failed with code $code}"
        failed+=("$name")
    else
        printf 'ok %s\n' "$name"
    fi
}

ROOT='' software=0 skip=() only=() failed=()
while (($#)); do
    case $1 in
        --root)
            [[ -d ${2:-} ]] || usage "'${2:-}' is no folder"
            ROOT=$(realpath "$2")
            shift
            ;;
        --software) software=1 ;;
        --skip)
            skip+=("${2:?}")
            shift
            ;;
        --only)
            only+=("${2:?}")
            shift
            ;;
        --list)
            printf '%s\n' "${GPU_CHECKS[@]/%/ (GPU)}" "${CHECKS[@]}"
            exit 0
            ;;
        *) usage "unknown argument '$1'" ;;
    esac
    shift
done
[[ $ROOT != / ]] || ROOT=''
for name in "${skip[@]}" "${only[@]}"; do
    is_in "$name" "${GPU_CHECKS[@]}" "${CHECKS[@]}" || usage "no check '$name' (--list has them)"
done

if ((software)); then
    printf '!!! --software: this image is not for a fleet. Not checked: %s\n' "${GPU_CHECKS[*]}"
fi
for name in "${GPU_CHECKS[@]}" "${CHECKS[@]}"; do
    ((${#only[@]} == 0)) || is_in "$name" "${only[@]}" || continue
    if ((software)) && is_in "$name" "${GPU_CHECKS[@]}"; then continue; fi
    if ((${#skip[@]})) && is_in "$name" "${skip[@]}"; then
        printf '!!! left out %s: --skip\n' "$name"
        continue
    fi
    run_check "$name"
done
if ((${#failed[@]})); then
    printf 'this image must not be used: %s\n' "${failed[*]}"
    exit 1
fi
echo 'this image may be used'

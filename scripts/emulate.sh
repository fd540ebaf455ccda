#!/usr/bin/env bash
# Deploys the CloudFormation templates into an emulator of AWS. Sets up what it needs in .venv-emulator, once.
#
#   scripts/emulate.sh [setup | --show]     setup: only the set-up; the rest goes to cloudformation/emulation
set -euo pipefail
cd "$(dirname "$0")/.."

readonly VENV=.venv-emulator
readonly STAMP=$VENV/.installed

fingerprint() { sha256sum requirements-emulator.txt | cut -d' ' -f1; }

ensure_emulators() {
    [[ $(cat "$STAMP" 2>/dev/null) == "$(fingerprint)" ]] && return 0
    local python
    python=$(scripts/setup.sh python)
    printf 'emulate: installing %s pinned packages into %s\n' "$(grep -c == requirements-emulator.txt)" "$VENV" >&2
    "$python" -m venv --clear "$VENV"
    "$VENV/bin/pip" install -qq --disable-pip-version-check --no-input --no-deps --requirement requirements-emulator.txt
    fingerprint >"$STAMP"
}

ensure_emulators
[[ ${1:-} != setup ]] || exit 0
exec "$VENV/bin/python" -m cloudformation.emulation "$@"

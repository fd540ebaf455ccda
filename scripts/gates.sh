#!/usr/bin/env bash
# Judges the CloudFormation templates: every gate, the register of exceptions, seeded faults. Sets up what it needs in .venv-cloud, once.
#
#   scripts/gates.sh [setup | FILE... | --only GATES ...]     setup: only the set-up; the rest goes to cloudformation/gates
#
# Everything comes as packages of Python (node and shellcheck, too) and three of npm: no system package and no root is needed beyond Python
# 3.11 to 3.13. Packages are installed without following what they say they need, because requirements-cloud.txt names it all, and
# leaves out aws-cdk-lib's half a gigabyte of Python that nothing here imports.
set -euo pipefail
readonly HERE=$PWD
cd "$(dirname "$0")/.."

readonly VENV=.venv-cloud
readonly STAMP=$VENV/.installed

say() { printf 'gates: %s\n' "$*" >&2; }

fingerprint() { cat requirements-cloud.txt cloudformation/gates/package.json | sha256sum | cut -d' ' -f1; }

ensure_tools() {
    [[ $(cat "$STAMP" 2>/dev/null) == "$(fingerprint)" ]] && return 0
    local python
    python=$(scripts/setup.sh python)
    say "installing $(grep -c == requirements-cloud.txt) pinned packages into $VENV (a minute or two)"
    "$python" -m venv --clear "$VENV"
    "$VENV/bin/pip" install -qq --disable-pip-version-check --no-input --no-deps --requirement requirements-cloud.txt
    mkdir -p "$VENV/nag"
    cp cloudformation/gates/package.json "$VENV/nag/"
    (
        PATH="$PWD/$VENV/bin:$PATH"
        cd "$VENV/nag"
        npm install --no-package-lock --no-audit --no-fund --loglevel=error >&2
    )
    fingerprint >"$STAMP"
}

ensure_tools
[[ ${1:-} != setup ]] || exit 0
python=$PWD/$VENV/bin/python
export PYTHONPATH=$PWD
cd "$HERE"
exec "$python" -m cloudformation.gates "$@"

#!/usr/bin/env bash
# Everything that is checked without running the product. Runs all checks, then fails if one of them did.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

failed=()

step() {
    local name=$1
    shift
    printf '== %s\n' "$name"
    "$@" || failed+=("$name")
}

viewer_syntax() {
    if ! command -v node >/dev/null; then
        echo 'skipped: node is not installed'
        return 0
    fi
    local file bad=0
    while IFS= read -r file; do
        # From standard input, so that node reads it as the ES module that the browser will.
        node --input-type=module --check - <"$file" || { echo "$file: not a valid ES module" >&2; bad=1; }
    done < <(git ls-files --cached --others --exclude-standard 'streaming/viewer/*.js' 'streaming/viewer/**/*.js' | sort -u)
    return "$bad"
}

step 'ruff' .venv/bin/ruff check .
step 'mypy --strict' .venv/bin/mypy --strict
step 'import walls' .venv/bin/lint-imports --no-cache
step 'viewer syntax' viewer_syntax

if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo 'all checks passed'

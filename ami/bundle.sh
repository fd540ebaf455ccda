#!/usr/bin/env bash
# Packs what an image is made of: these scripts, Vitrine's wheel from the last commit, and every pinned package as a wheel.
# Prints the path of the archive; its SHA-256 lies beside it. The pipeline fetches nothing else but Debian packages.
#
#   ami/bundle.sh [OUTPUT]   default build/ami.tar.gz
#   PYTHON=.venv/bin/python  whose pip is used: of the same minor version as Debian 12's, 3.11
set -euo pipefail
cd "$(dirname "$0")/.."

readonly OUTPUT=${1:-build/ami.tar.gz}
readonly PYTHON=${PYTHON:-.venv/bin/python}
readonly TARGET=(--only-binary :all: --implementation cp --python-version 3.11
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64
    --platform manylinux2014_x86_64 --platform manylinux_2_12_x86_64 --platform manylinux2010_x86_64
    --platform manylinux_2_5_x86_64 --platform manylinux1_x86_64)

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

pip() { "$PYTHON" -m pip --disable-pip-version-check --quiet "$@"; }

mkdir -p "$(dirname "$OUTPUT")" "$stage/source" "$stage/bundle/wheels"
git archive HEAD | tar -x -C "$stage/source"
git diff --quiet HEAD || echo "bundle: the working tree differs from $(git rev-parse --short HEAD), which is what is packed" >&2
pip download --dest "$stage/bundle/wheels" --no-deps "${TARGET[@]}" --requirement "$stage/source/requirements.txt"
pip wheel --no-deps --no-build-isolation --wheel-dir "$stage/bundle/wheels" "$stage/source"

cp -r "$stage/source/ami" "$stage/source/requirements.txt" "$stage/bundle/"
git rev-parse HEAD >"$stage/bundle/COMMIT"
(cd "$stage/bundle" && sha256sum wheels/*.whl >SHA256SUMS)
# The same commit and wheels give the same bytes.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -C "$stage/bundle" -c . |
    gzip -n -1 >"$OUTPUT"
(cd "$(dirname "$OUTPUT")" && sha256sum "$(basename "$OUTPUT")" >"$(basename "$OUTPUT").sha256")
echo "$OUTPUT"

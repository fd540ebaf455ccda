#!/usr/bin/env bash
# Vitrine in an environment of its own, /opt/vitrine, owned by root: from the bundle's wheels, at the pinned versions, and
# without running any package's own build code.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

readonly HOME_FOLDER=/opt/vitrine
readonly WHEELS=$AMI/../wheels

compgen -G "$WHEELS/vitrine-*.whl" >/dev/null || fail "$WHEELS has no wheel of Vitrine: make the bundle with ami/bundle.sh"
[[ -x $HOME_FOLDER/bin/python ]] || python3 -m venv "$HOME_FOLDER"
pip() { "$HOME_FOLDER/bin/python" -m pip --isolated --disable-pip-version-check --quiet --no-cache-dir "$@"; }
pip install --no-index --no-deps --only-binary :all: "$WHEELS"/*.whl
pip install --no-index --no-deps --force-reinstall "$WHEELS"/vitrine-*.whl # a new build has the old version's number
pip check
"$HOME_FOLDER/bin/python" -m compileall -q "$HOME_FOLDER/lib" >/dev/null || true # some packages ship templates of code
chown -R root:root "$HOME_FOLDER"
chmod -R go-w "$HOME_FOLDER"
ln -sfn "$HOME_FOLDER/bin/vitrine" /usr/local/bin/vitrine

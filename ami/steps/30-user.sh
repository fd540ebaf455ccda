#!/usr/bin/env bash
# The user that Vitrine runs as: no shell, no home, no password; and the folder of what the instance is told.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

getent group vitrine >/dev/null || groupadd --system vitrine
getent passwd vitrine >/dev/null ||
    useradd --system --gid vitrine --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin \
        --comment 'Vitrine' vitrine
for group in video render; do # who may open /dev/dri where a device file is not open to all
    if getent group "$group" >/dev/null; then usermod --append --groups "$group" vitrine; fi
done
install -d -o root -g vitrine -m 0750 /etc/vitrine

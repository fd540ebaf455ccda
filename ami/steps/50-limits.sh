#!/usr/bin/env bash
# The kernel's settings: buffers for media, ports that nothing else may take, what helps against a broken or taken-over process.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

place /etc/sysctl.d/60-vitrine.conf
place /etc/systemd/journald.conf.d/60-vitrine.conf
place /etc/systemd/coredump.conf.d/60-vitrine.conf

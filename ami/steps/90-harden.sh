#!/usr/bin/env bash
# Nobody logs in: no SSH, no passwords, no default user. First boot does little. Packages do not change under a running host.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

apt_purge openssh-server openssh-sftp-server
passwd --lock root >/dev/null
# Hosts are replaced, not patched: a library that changes under a render process is a fault that only one host has. The
# pipeline builds a new image each week, with every update of that day, and the group replaces its hosts.
apt_purge unattended-upgrades
mask_units apt-daily.timer apt-daily-upgrade.timer
place /etc/cloud/cloud.cfg.d/90-vitrine.cfg

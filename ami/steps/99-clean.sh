#!/usr/bin/env bash
# Takes out what belongs to the machine that built the image and not to those that start from it.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin # not /tmp: the builder works there, and booting empties it
rm -rf /var/lib/cloud/* /run/cloud-init
rm -f /etc/ssh/ssh_host_* ~root/.bash_history ~root/.python_history ~root/.wget-hsts ~root/.lesshst
rm -rf ~root/.ssh ~root/.aws ~root/.cache ~root/.gnupg ~root/.config
find /home -mindepth 2 -maxdepth 2 \( -name .ssh -o -name .bash_history -o -name .aws -o -name .cache \) -exec rm -rf {} +
rm -f /var/lib/systemd/random-seed /var/lib/dbus/machine-id /etc/vitrine/vitrine.env
: >/etc/machine-id # empty, not absent: systemd then makes a new one and treats it as a first boot
find /var/log -type f -delete
# The address of whoever built it is no name for its copies.
rm -f /etc/hostname
# What was installed from: 200 MB that every host would read from a snapshot. The scripts stay, for validate.sh.
rm -rf "$AMI/../wheels"

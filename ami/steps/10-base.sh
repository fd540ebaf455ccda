#!/usr/bin/env bash
# What every host needs beside Vitrine: Python, a clock that is right, a firewall, first-boot configuration, logs as files.
# Also brings what is installed up to date: the image is the unit of patching (docs/image.md).
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

readonly PACKAGES=(
    ca-certificates chrony cloud-init cloud-guest-utils curl dbus iproute2 kmod libpam-systemd logrotate nftables procps
    python3 python3-venv rsyslog systemd-sysv udev
)

apt-get update -q >/dev/null
apt-get upgrade -yq -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold >/dev/null
apt_install "${PACKAGES[@]}"

# The clock of the hypervisor, at hand on every EC2 instance without any route: leases and tokens compare times.
place /etc/chrony/chrony.conf
enable_units chrony.service

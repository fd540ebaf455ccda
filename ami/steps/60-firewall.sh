#!/usr/bin/env bash
# Who may ask the instance metadata service, which hands out the host's credentials. Rules without connection tracking, so that
# there is no table of connections that 256 streams could fill.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

place /etc/nftables.conf 0755
enable_units nftables.service

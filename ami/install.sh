#!/usr/bin/env bash
# Makes a render host's image of a Debian 12 system: runs every step in order. Root only; safe to repeat,
# but the last step removes the bundle's wheels.
#
# Runs in an EC2 Image Builder instance and in a chroot alike. Nothing is fetched but Debian packages: Vitrine and its pinned
# Python packages come with the bundle (ami/bundle.sh). Parameters, all from the environment:
#
#   SOFTWARE=1               leave the driver out and put Mesa's software rasteriser in (tests; never for a fleet)
#   DRIVER_KERNEL=0          the driver's user-space half only, without kernel, headers and module (a chroot without time)
#   NVIDIA_DEBS=FOLDER       NVIDIA's own Debian packages instead of Debian's 535, with a SHA256SUMS file (steps/20-driver.sh)
#   ENCODER=x264|nvenc       what encodes H.264 (default x264; nvenc needs a driver that FFmpeg accepts: docs/image.md)
#   AGENTS=none              an image without the two agents of AWS on purpose; otherwise both must be given:
#   CLOUDWATCH_AGENT_DEB, CLOUDWATCH_AGENT_SHA256, SSM_AGENT_DEB, SSM_AGENT_SHA256      files, and what they must hash to
#   STEPS="10-base …"        only these
set -euo pipefail
AMI=$(cd "$(dirname "$0")" && pwd)
. "$AMI/lib.sh"

[[ $(id -u) == 0 ]] || fail 'root is needed'
grep -q '^VERSION_ID="12"' /etc/os-release || fail "this is $(. /etc/os-release && echo "$PRETTY_NAME"): only Debian 12 is tested"
umask 022

for step in ${STEPS:-$(cd "$AMI/steps" && printf '%s\n' ./*.sh | sed 's|^\./||; s|\.sh$||')}; do
    [[ -f $AMI/steps/$step.sh ]] || fail "no step '$step'"
    say "$step"
    bash "$AMI/steps/$step.sh"
done

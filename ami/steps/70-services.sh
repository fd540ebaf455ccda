#!/usr/bin/env bash
# The units: who the host is, its devices, the self-test, and Vitrine. They wait for /etc/vitrine/vitrine.env.
#
#   ENCODER=x264|nvenc   what encodes H.264 on this image (default x264)
#   SOFTWARE=1           a software rasteriser is allowed: REQUIRE_GPU=0, and the self-test says so
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

readonly UNITS=(vitrine.service vitrine.path vitrine-{agent,devices,identity,selftest}.service)
readonly DEFAULTS=/usr/lib/vitrine/defaults.env

case ${ENCODER:-x264} in
    x264) encoders=x264,x264-ffmpeg ;;
    nvenc) encoders=nvenc ;;
    *) fail "ENCODER is '$ENCODER': allowed are x264 and nvenc" ;;
esac
for unit in "${UNITS[@]}"; do
    place "/etc/systemd/system/$unit"
done
for program in identity fetch agent; do
    place "/usr/lib/vitrine/$program" 0755
done
place "$DEFAULTS"
sed -i "s/^VITRINE_ENCODER_H264=.*/VITRINE_ENCODER_H264=$encoders/" "$DEFAULTS"
if [[ ${SOFTWARE:-0} == 1 ]]; then
    sed -i 's/^REQUIRE_GPU=.*/REQUIRE_GPU=0/; s/^VITRINE_SELFTEST=.*/VITRINE_SELFTEST=--allow-software/' "$DEFAULTS"
fi
# At boot vitrine.service starts where the file is already, and pulls in the others; vitrine.path waits for it at the first.
enable_units vitrine.service vitrine.path

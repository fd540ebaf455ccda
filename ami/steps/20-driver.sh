#!/usr/bin/env bash
# The GPU's driver, its EGL vendor file and NVENC; or, with SOFTWARE=1, Mesa.
#
#   SOFTWARE=1           Mesa's software rasteriser and nothing of NVIDIA's
#   DRIVER_KERNEL=0      without kernel, headers and module
#   NVIDIA_DEBS=FOLDER   .deb files of one driver version, and SHA256SUMS of them; installed together, in place of Debian's
#
# Two traps, both silent. libegl-nvidia0 alone leaves only Mesa's vendor file, and EGL falls back to software: the file comes
# with nvidia-egl-icd. And Debian's kernel for clouds is built without DRM, so nvidia-drm cannot be: the usual kernel it is.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

readonly COMMON=(libegl1 libgles2 libopengl0)
readonly MESA=(libegl-mesa0 libgl1-mesa-dri)
readonly NVIDIA=(libegl-nvidia0 nvidia-egl-icd libnvidia-encode1 libcuda1 libnvidia-ml1 nvidia-smi nvidia-modprobe)
readonly KERNEL=(linux-image-amd64 linux-headers-amd64 nvidia-kernel-dkms nvidia-kernel-common nvidia-persistenced)

# Debian has the driver in non-free. Both spellings of sources: deb822 (cloud images) and one line each.
add_components() {
    local file
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -f $file ]] || continue
        sed -i -E '/^Components:.*\bmain\b/s/.*/Components: main contrib non-free non-free-firmware/' "$file"
    done
    [[ ! -f /etc/apt/sources.list ]] ||
        sed -i -E '/^deb(-src)? /s/ main.*$/ main contrib non-free non-free-firmware/' /etc/apt/sources.list
    apt-get update -q >/dev/null
}

install_given() {
    [[ -f $NVIDIA_DEBS/SHA256SUMS ]] || fail "$NVIDIA_DEBS has no SHA256SUMS"
    (cd "$NVIDIA_DEBS" && sha256sum --check --strict --quiet SHA256SUMS) || fail "$NVIDIA_DEBS: other files than SHA256SUMS says"
    local file files=()
    for file in "$NVIDIA_DEBS"/*.deb; do
        grep -qF "$(basename "$file")" "$NVIDIA_DEBS/SHA256SUMS" || fail "$file is not in SHA256SUMS"
        files+=("$file")
    done
    apt_install "${files[@]}"
}

# All of them, with the one that runs while an image is built: it would be started again otherwise, and have no module.
purge_cloud_kernels() {
    local names
    mapfile -t names < <(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' 'linux-*-cloud-amd64' 2>/dev/null |
        awk '$2 == "installed" { print $1 }')
    echo 'linux-base linux-base/removing-running-kernel boolean false' | debconf-set-selections
    apt_purge "${names[@]}"
}

apt_install "${COMMON[@]}"
if [[ ${SOFTWARE:-0} == 1 ]]; then
    say 'SOFTWARE=1: no driver, this image draws with the processor'
    apt_install "${MESA[@]}"
    exit 0
fi
add_components
if [[ -n ${NVIDIA_DEBS:-} ]]; then
    install_given
else
    apt_install "${NVIDIA[@]}"
    if [[ ${DRIVER_KERNEL:-1} == 1 ]]; then
        apt_install "${KERNEL[@]}"
        purge_cloud_kernels
    fi
fi
# A service without privileges cannot load modules or make device files, so both are there before it starts.
place /etc/modules-load.d/vitrine.conf
place /etc/modprobe.d/vitrine.conf

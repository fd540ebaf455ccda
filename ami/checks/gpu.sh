# shellcheck shell=bash
# Checks of the GPU's half of an image. ROOT: below which the image lies, empty for this system.

library() { compgen -G "$ROOT/usr/lib/x86_64-linux-gnu/$1" || compgen -G "$ROOT/usr/lib/x86_64-linux-gnu/nvidia/current/$1"; }

# Version of the driver's libraries, from the name of the file that libnvidia-encode.so.1 leads to.
driver_version() {
    local file
    for file in "$ROOT"/usr/lib/x86_64-linux-gnu{,/nvidia/current}/libnvidia-encode.so.[0-9]*.[0-9]*; do
        [[ -f $file ]] || continue
        printf '%s\n' "${file##*.so.}"
        return 0
    done
    return 1
}

check_egl_vendor() {
    local files named
    mapfile -t files < <(compgen -G "$ROOT/usr/share/glvnd/egl_vendor.d/*nvidia*.json"; compgen -G "$ROOT/etc/glvnd/egl_vendor.d/*nvidia*.json")
    if ((${#files[@]} == 0)); then
        echo 'no NVIDIA file in /usr/share/glvnd/egl_vendor.d: EGL would draw with Mesa in silence (package nvidia-egl-icd)'
        return 0
    fi
    named=$(sed -n 's/.*"library_path"[^"]*"\([^"]*\)".*/\1/p' "${files[0]}")
    [[ -n $named ]] || echo "${files[0]#"$ROOT"} names no library"
    library "$named" >/dev/null || echo "${files[0]#"$ROOT"} names $named, which is not there (package libegl-nvidia0)"
}

check_nvenc_library() {
    library 'libnvidia-encode.so.1' >/dev/null ||
        echo 'no libnvidia-encode.so.1: no picture is encoded on the GPU (package libnvidia-encode1)'
    library 'libcuda.so.1' >/dev/null || echo 'no libcuda.so.1, which NVENC needs (package libcuda1)'
}

# FFmpeg refuses a driver that is older than the headers it was built with, and says so only when it opens the encoder.
check_nvenc_driver() {
    local needed found
    if [[ ,$(setting VITRINE_ENCODER_H264), != *,nvenc,* ]]; then
        echo "VITRINE_ENCODER_H264 is $(setting VITRINE_ENCODER_H264): NVENC is not used"
        return 3
    fi
    needed=$(cat "$ROOT"/opt/vitrine/lib/python3*/site-packages/av.libs/libavcodec* 2>/dev/null |
        tr '\0' '\n' | LC_ALL=C grep -a -x -E '[4-9][0-9]{2}\.[0-9]{1,3}(\.[0-9]{1,3})?' | sort -V | tail -n 1)
    [[ -n $needed ]] || { echo 'which driver FFmpeg needs cannot be read from its libavcodec'; return 0; }
    found=$(driver_version) || { echo 'no driver'; return 0; }
    [[ $(printf '%s\n' "$needed" "$found" | sort -V | head -n 1) == "$needed" ]] ||
        echo "the driver is $found, FFmpeg opens NVENC from $needed on: give NVIDIA_DEBS, or ENCODER=x264"
}

# With Mesa beside the driver, or without, a host that cannot reach its GPU must not serve.
check_gpu_required() {
    [[ $(setting REQUIRE_GPU) == 1 ]] ||
        echo "REQUIRE_GPU is '$(setting REQUIRE_GPU)' in defaults.env: a host would draw with its processor in silence"
    [[ $(setting VITRINE_SELFTEST) != *--allow-software* ]] || echo 'VITRINE_SELFTEST has --allow-software'
    [[ ! -e $ROOT/etc/glvnd/egl_vendor.d/50_mesa.json ]] ||
        echo '/etc/glvnd/egl_vendor.d has 50_mesa.json, which comes before the driver'
}

check_gpu_modules() {
    local kernel found=0
    for kernel in "$ROOT"/boot/vmlinuz-*; do
        [[ -e $kernel ]] || continue
        kernel=${kernel##*/vmlinuz-}
        found=1
        [[ $kernel != *cloud* ]] || echo "kernel $kernel: built without DRM, for which there can be no nvidia-drm"
        [[ -n $(find "$ROOT/lib/modules/$kernel" -name 'nvidia*.ko*' -print -quit 2>/dev/null) ]] || echo "kernel $kernel has no module of NVIDIA's"
    done
    ((found)) || echo 'no kernel in /boot'
    grep -qx nvidia-uvm "$ROOT/etc/modules-load.d/vitrine.conf" 2>/dev/null ||
        echo '/etc/modules-load.d/vitrine.conf does not load nvidia-uvm'
}

# The only one that needs the GPU itself. Where none is, the self-test of the first boot makes it, and abandons the host.
check_gpu_device() {
    if [[ -n $ROOT || ! -e /dev/nvidia0 ]]; then
        echo 'needs a GPU, and none is here; the self-test at boot makes it'
        return 3
    fi
    local said
    said=$(REQUIRE_GPU=1 /opt/vitrine/bin/vitrine selftest 2>&1 >/dev/null) || echo "${said:-the self-test failed}"
}

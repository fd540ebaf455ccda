#!/usr/bin/env bash
# Makes this checkout runnable. Safe to repeat: what is there is left alone, and a second run takes a fraction of a second.
#
#   scripts/setup.sh            system libraries (EGL and OpenGL through Mesa, unless a driver is there) and .venv
#   scripts/setup.sh browser    the same, and what the tests drive: Chromium, Firefox, nginx, GStreamer's webrtcbin, and
#                               what networks are emulated with (coturn, nftables), what judges shell scripts
#   scripts/setup.sh python     only the path of a Python that will do
#
# As root on Debian or Ubuntu it installs what is missing with apt-get. Otherwise it says what to install.
# PYTHON=/path/to/python chooses the interpreter; without it the newest of 3.13, 3.12, 3.11 is taken.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly GL_PACKAGES=(libegl1 libegl-mesa0 libgl1-mesa-dri libgles2 libopengl0)
readonly PLAYER_PACKAGES=(gstreamer1.0-tools gstreamer1.0-nice gstreamer1.0-plugins-{base,good,bad}
    gir1.2-gst-plugins-bad-1.0 python3-gi)
readonly NETWORK_PACKAGES=(coturn iproute2 nftables procps util-linux)
readonly STAMP=.venv/.installed

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

can_install() { [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; }

apt_install() {
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    if ! { apt-get update -q && apt-get install -yq --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# need WHAT PACKAGE…: installs, or says how to and returns 1.
need() {
    local what=$1
    shift
    if can_install; then
        apt_install "$@" && return 0
        say "$what: apt-get could not install it (above is why)"
        return 1
    fi
    say "$what is missing. On Debian or Ubuntu:  sudo apt-get install $*"
    return 1
}

# ---------------------------------------------------------------- EGL and OpenGL

has_library() { PATH="$PATH:/usr/sbin:/sbin" ldconfig -p | grep -F "$1 " >/dev/null; }

has_gl_driver() {
    local file
    for file in /usr/share/glvnd/egl_vendor.d/*nvidia*.json /etc/glvnd/egl_vendor.d/*.json \
        /usr/lib/*/dri/*swrast_dri.so /usr/lib64/dri/*swrast_dri.so /usr/lib/dri/*swrast_dri.so \
        /usr/lib/*/libgallium-*.so /usr/lib64/libgallium-*.so /usr/lib/libgallium-*.so; do
        [[ -e $file ]] && return 0
    done
    return 1
}

ensure_gl() {
    if has_library libEGL.so.1 && has_library libOpenGL.so.0 && has_library libGLESv2.so.2 && has_gl_driver; then
        return 0
    fi
    need 'EGL with OpenGL (Mesa is enough)' "${GL_PACKAGES[@]}" || exit 1
}

# ---------------------------------------------------------------- Python

usable_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if usable_python "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

ensure_python() {
    find_python && return 0
    [[ -z ${PYTHON:-} ]] || fail "PYTHON=$PYTHON is not a Python 3.11 to 3.13 with the venv module"
    need 'Python 3.11 or newer with the venv module' python3 python3-venv || exit 1
    find_python || fail 'the Python of this distribution is too old: install Python 3.11, 3.12 or 3.13 and pass PYTHON=/path/to/it'
}

fingerprint() { cat pyproject.toml requirements.txt requirements-dev.txt | sha256sum | cut -d' ' -f1; }

ensure_venv() {
    [[ -x .venv/bin/vitrine && $(cat "$STAMP" 2>/dev/null) == "$(fingerprint)" ]] && return 0
    local python verbosity=()
    if ! usable_python .venv/bin/python; then
        python=$(ensure_python)
        say "making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    [[ -t 2 ]] || verbosity=(-qq)
    say "installing $(cat requirements.txt requirements-dev.txt | grep -c ==) pinned packages into .venv (a minute or two)"
    .venv/bin/pip install "${verbosity[@]}" --disable-pip-version-check --no-input --requirement requirements-dev.txt
    .venv/bin/pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation --editable .
    fingerprint >"$STAMP"
}

# ---------------------------------------------------------------- what the tests drive

has_chromium() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" >/dev/null && return 0
    done
    return 1
}

has_firefox() { command -v firefox-esr >/dev/null || command -v firefox >/dev/null; }

has_player() {
    local plugin
    for plugin in webrtc nice dtls srtp; do
        compgen -G "/usr/lib/*/gstreamer-1.0/libgst$plugin.so" >/dev/null || return 1
    done
    compgen -G '/usr/lib/*/girepository-1.0/GstWebRTC-1.0.typelib' >/dev/null && [[ -d /usr/lib/python3/dist-packages/gi ]]
}

has_nginx() { PATH="$PATH:/usr/sbin:/sbin" command -v nginx >/dev/null; }

has_networks() {
    local name
    for name in ip nft nsenter sysctl turnserver; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "$name" >/dev/null || return 1
    done
}

ensure_networks() {
    has_networks && return 0
    need 'what networks are emulated with' "${NETWORK_PACKAGES[@]}" || return 1
    # The tests start a TURN server of their own. The one of the package has no business on this machine.
    ! command -v systemctl >/dev/null || systemctl disable --now coturn >/dev/null 2>&1 || true
}

ensure_nginx() {
    has_nginx && return 0
    need 'nginx, as a CDN' nginx-light || return 1
    # As with coturn: the tests start one of their own.
    ! command -v systemctl >/dev/null || systemctl disable --now nginx >/dev/null 2>&1 || true
}

has_shell_checks() { command -v shellcheck >/dev/null && command -v systemd-analyze >/dev/null; }

# Without these the tests that need them skip, and with CI=true they fail: so their absence is said, and is no error here.
ensure_browser() {
    has_chromium || need Chromium chromium || say 'the tests that need a browser will be skipped'
    has_firefox || need Firefox firefox-esr || say 'the tests that need Firefox will be skipped'
    ensure_nginx || say 'the tests with a caching proxy will be skipped'
    has_player || need "GStreamer's webrtcbin" "${PLAYER_PACKAGES[@]}" || say 'the test with an independent player will be skipped'
    ensure_networks || say 'the tests of networks will be skipped'
    has_shell_checks || need 'what judges scripts and units' shellcheck systemd || say 'the tests of the image will be skipped'
}

if [[ ${1:-} == python ]]; then
    ensure_python
    exit 0
fi
ensure_gl
ensure_venv
case ${1:-} in
    '') ;;
    browser) ensure_browser ;;
    *) fail "unknown argument '$1': nothing, browser or python" ;;
esac

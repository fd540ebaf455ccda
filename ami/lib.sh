# shellcheck shell=bash
# What every script of the image shares: how it speaks, fails, and puts a file of ami/files/ in its place.
# ROOT is empty: the scripts change the system that they run in, a build instance or a chroot.

readonly AMI=${AMI:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}
export DEBIAN_FRONTEND=noninteractive

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

apt_install() { apt-get install -yq --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@" >/dev/null; }

is_installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

apt_purge() {
    local name present=()
    for name in "$@"; do
        if is_installed "$name"; then present+=("$name"); fi
    done
    ((${#present[@]} == 0)) || apt-get purge -yq -o Dpkg::Use-Pty=0 "${present[@]}" >/dev/null
}

# place PATH [MODE]: a file of ami/files/, which mirrors the root of the image, owned by root.
place() { install -D -o root -g root -m "${2:-0644}" "$AMI/files$1" "$1"; }

# A chroot has no running systemd: enabling only writes links, so that is all that is done, there and on an instance.
enable_units() { systemctl --root=/ enable --quiet "$@"; }

mask_units() { systemctl --root=/ mask --quiet "$@"; }

# checked FILE SHA256: fails unless the file is the one that was meant.
checked() {
    [[ -f $1 ]] || fail "$1 is not there"
    [[ $2 =~ ^[0-9a-f]{64}$ ]] || fail "$1: its SHA-256 is '$2', expected 64 hexadecimal digits"
    echo "$2  $1" | sha256sum --check --status || fail "$1 is not the file with SHA-256 $2"
}

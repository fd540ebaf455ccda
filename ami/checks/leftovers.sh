# shellcheck shell=bash
# Checks for what belongs to the builder and must not be in every host. ROOT: below which the image lies, empty for this system.

#: Private keys, AWS's access keys, our own signed tokens.
readonly SECRETS='-----BEGIN ([A-Z]+ )?PRIVATE KEY-----|\b(AKIA|ASIA)[0-9A-Z]{16}\b|aws_secret_access_key *=|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.'

# below NAME…: such files of root and of every user.
below() {
    local name
    for name in "$@"; do
        find "$ROOT/root" "$ROOT/home" -maxdepth 3 -name "$name" -printf '%p\n' 2>/dev/null | sed "s|^$ROOT/|/|" || true
    done
}

check_no_ssh() {
    [[ ! -e $ROOT/usr/sbin/sshd ]] || echo '/usr/sbin/sshd: an SSH server is installed'
}

check_no_keys() {
    below authorized_keys 'id_*' .aws
    find "$ROOT/etc/ssh" -name 'ssh_host_*' -printf '/etc/ssh/%f\n' 2>/dev/null || true
}

check_no_history() { below '.*_history' .wget-hsts .lesshst; }

check_machine_id() {
    [[ -e $ROOT/etc/machine-id ]] || echo '/etc/machine-id is missing: it must be there, and empty'
    [[ ! -s $ROOT/etc/machine-id ]] || echo '/etc/machine-id is not empty: all hosts would be one'
    [[ ! -s $ROOT/var/lib/dbus/machine-id || -L $ROOT/var/lib/dbus/machine-id ]] || echo '/var/lib/dbus/machine-id is not empty'
    [[ ! -e $ROOT/var/lib/systemd/random-seed ]] || echo '/var/lib/systemd/random-seed: all hosts would begin with the same'
}

check_cloud_init() {
    [[ ! -e $ROOT/var/lib/cloud/instance && ! -e $ROOT/var/lib/cloud/instances && ! -e $ROOT/var/lib/cloud/sem ]] ||
        echo '/var/lib/cloud holds the state of the builder: user data would not run'
    grep -qx 'users: \[\]' "$ROOT/etc/cloud/cloud.cfg.d/90-vitrine.cfg" 2>/dev/null || echo 'cloud-init would make a user'
}

check_configuration() {
    [[ ! -e $ROOT/etc/vitrine/vitrine.env ]] || echo '/etc/vitrine/vitrine.env is there: every host would start with it'
    find "$ROOT/etc/vitrine" -type f ! -name vitrine.env -printf '/etc/vitrine/%P\n' 2>/dev/null || true
}

check_secrets() {
    grep -rIlE --devices=skip --exclude-dir=ssl --exclude-dir=ca-certificates -e "$SECRETS" \
        "$ROOT"/{etc,root,home,var/log,var/lib/cloud,usr/lib/vitrine,srv} 2>/dev/null | sed "s|^$ROOT/|/|; s|$|: holds a secret|" | head -n 5 || true
}

# shellcheck shell=bash
# Checks of what was installed: Vitrine, its units, owners, settings. ROOT: below which the image lies, empty for this system;
# software: 1 for an image without a GPU.

readonly OWN_UNITS=(vitrine.service vitrine.path vitrine-{agent,devices,identity,selftest}.service)
#: Largest exposure by `systemd-analyze security`, times ten: of what serves strangers, and of what only prepares.
readonly EXPOSED_MOST=20 PREPARING_MOST=60

# analyze COMMAND…: systemd-analyze on the image.
analyze() { systemd-analyze ${ROOT:+--root="$ROOT"} "$@" 2>&1; }

check_runtime() {
    [[ -x $ROOT/opt/vitrine/bin/vitrine ]] || { echo '/opt/vitrine/bin/vitrine is not there'; return 0; }
    [[ -x $ROOT/usr/lib/vitrine/identity ]] || echo '/usr/lib/vitrine/identity is not there'
    [[ -n $ROOT ]] || /opt/vitrine/bin/vitrine --version >/dev/null || echo '/opt/vitrine/bin/vitrine does not run'
}

# Every pinned package is there, in that version.
check_pins() {
    local packages name version found
    packages=$(compgen -G "$ROOT/opt/vitrine/lib/python3*/site-packages") || { echo 'no site-packages'; return 0; }
    while IFS='=' read -r name _ version; do
        found=$(find "$packages" -maxdepth 1 -iname "${name//[-.]/_}-*.dist-info" -printf '%f\n' | sed 's/^[^-]*-//; s/\.dist-info$//')
        [[ $found == "$version" ]] || echo "$name is ${found:-missing}, pinned is $version"
    done < <(grep -E '^[A-Za-z0-9]' "$AMI/../requirements.txt")
}

# `verify` ends with 0 whatever it finds, so that what it says is what counts.
check_units() {
    local unit
    for unit in "${OWN_UNITS[@]}"; do
        [[ -f $ROOT/etc/systemd/system/$unit ]] || { echo "$unit is not there"; continue; }
        analyze verify "$ROOT/etc/systemd/system/$unit" | grep -F vitrine || true
    done | sort -u | if ((${software:-0})); then grep -v nvidia-modprobe || true; else cat; fi
}

check_exposure() {
    local unit score most
    for unit in "${OWN_UNITS[@]}"; do
        most=$PREPARING_MOST
        case $unit in
            *.path) continue ;;
            vitrine.service | vitrine-selftest.service | vitrine-identity.service) most=$EXPOSED_MOST ;;
        esac
        score=$(analyze security --offline=true --no-pager "$unit" | sed -n 's/.*exposure level for [^:]*: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
        [[ -n $score ]] || { echo "$unit: no score"; continue; }
        ((10#$score <= most)) || echo "$unit: exposure ${score%?}.${score: -1}, allowed is ${most%?}.${most: -1}"
    done
}

check_enabled() {
    local unit
    for unit in vitrine.service vitrine.path nftables.service chrony.service; do
        [[ -n $(find "$ROOT/etc/systemd/system" -path '*.wants/*' -name "$unit" -print -quit 2>/dev/null) ]] || echo "$unit is not enabled"
    done
    for unit in apt-daily.timer apt-daily-upgrade.timer; do
        [[ $(readlink "$ROOT/etc/systemd/system/$unit") == /dev/null ]] || echo "$unit is not masked"
    done
}

check_accounts() {
    local shell
    shell=$(awk -F: '$1 == "vitrine" { print $7 }' "$ROOT/etc/passwd")
    [[ $shell == /usr/sbin/nologin ]] || echo "the user vitrine has the shell '${shell:-none: there is no such user}'"
    awk -F: '$2 != "" && $2 !~ /^[!*]/ { print $1 " has a password" } $2 == "" { print $1 " needs no password" }' "$ROOT/etc/shadow"
    awk -F: '$3 == 0 && $1 != "root" { print $1 " is root under another name" }' "$ROOT/etc/passwd"
}

check_owners() {
    local group
    find "$ROOT/opt/vitrine" "$ROOT/usr/lib/vitrine" "$ROOT"/etc/systemd/system/vitrine* "$ROOT/etc/nftables.conf" \
        \( ! -user 0 -o ! -type l -perm /0022 \) -printf '%p: owner %u, mode %m\n' 2>&1 | sed "s|^$ROOT/|/|" | head -n 5
    group=$(awk -F: '$1 == "vitrine" { print $3 }' "$ROOT/etc/group")
    [[ $(stat -c '%u:%g %a' "$ROOT/etc/vitrine" 2>&1) == "0:$group 750" ]] ||
        echo "/etc/vitrine: $(stat -c 'owner %u:%g, mode %a' "$ROOT/etc/vitrine" 2>&1), expected 0:$group and 750"
}

check_world_writable() {
    find "$ROOT/" -xdev \( -path "$ROOT/proc" -o -path "$ROOT/sys" -o -path "$ROOT/dev" -o -path "$ROOT/run" \) -prune -o \
        -perm -0002 ! -type l ! -type s ! \( -type d -perm -1000 \) -printf '/%P\n' | head -n 5
}

check_settings() {
    local name
    for name in VITRINE_HOST VITRINE_PORT VITRINE_UDP_PORTS VITRINE_ENCODER_H264 VITRINE_CACHE_FOLDER REQUIRE_GPU; do
        [[ -n $(setting "$name") ]] || echo "defaults.env has no $name"
    done
    [[ $(setting VITRINE_PORT) == 8080 ]] || echo "VITRINE_PORT is $(setting VITRINE_PORT), the load balancer asks 8080"
    [[ $(setting VITRINE_UDP_PORTS) == 49152-49407 ]] ||
        echo "VITRINE_UDP_PORTS is $(setting VITRINE_UDP_PORTS), the security group lets 49152-49407 in"
}

# The media's ports are kept free, and the other settings of the kernel are there.
check_limits() {
    local file=$ROOT/etc/sysctl.d/60-vitrine.conf name
    grep -qx "net.ipv4.ip_local_reserved_ports = $(setting VITRINE_UDP_PORTS)" "$file" 2>/dev/null ||
        echo 'VITRINE_UDP_PORTS are not reserved in sysctl.d/60-vitrine.conf'
    for name in net.core.rmem_max net.core.wmem_max kernel.dmesg_restrict kernel.yama.ptrace_scope; do
        grep -q "^$name = " "$file" 2>/dev/null || echo "no $name in sysctl.d/60-vitrine.conf"
    done
    grep -qx 'LimitNOFILE=65536' "$ROOT/etc/systemd/system/vitrine.service" 2>/dev/null || echo 'vitrine.service has no LimitNOFILE=65536'
}

check_drain() {
    local drain stop
    drain=$(setting VITRINE_DRAIN_SECONDS)
    stop=$(sed -n 's/^TimeoutStopSec=//p' "$ROOT/etc/systemd/system/vitrine.service" 2>/dev/null)
    ((${stop:-0} >= ${drain:-999} + 10)) || echo "systemd waits ${stop:-?} s, viewers may stay for ${drain:-?}: 10 more are needed"
    ((${stop:-999} <= 115)) || echo "TimeoutStopSec=$stop: a Spot host ends 120 s after its notice"
}

check_firewall() {
    local file=$ROOT/etc/nftables.conf address
    for address in 169.254.169.254 fd00:ec2::254; do
        grep -E "^ *ip6? daddr $address meta skuid != \{ root, vitrine \} .*reject" "$file" >/dev/null 2>&1 ||
            echo "anybody here may ask $address for the host's credentials"
    done
    ! grep -Eq '^[^#]*\bct (state|count|mark)' "$file" 2>/dev/null || echo 'rules with connection tracking'
    [[ -n $ROOT || $(id -u) != 0 ]] || nft --check --file "$file" 2>&1 | head -n 3
}

check_clock() {
    grep -q '^server 169.254.169.123 ' "$ROOT/etc/chrony/chrony.conf" 2>/dev/null || echo 'chrony does not ask 169.254.169.123'
}

check_agents() {
    if [[ ${AGENTS:-} == none ]]; then
        echo 'AGENTS=none: nobody hears from this image, nobody gets in'
        return 3
    fi
    [[ -x $ROOT/opt/aws/amazon-cloudwatch-agent/bin/start-amazon-cloudwatch-agent ]] || echo 'no CloudWatch agent'
    [[ -x $ROOT/usr/bin/amazon-ssm-agent ]] || echo 'no SSM agent: there would be no way in'
}

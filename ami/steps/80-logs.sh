#!/usr/bin/env bash
# The log as a file, which rotates; the two agents of AWS, where the pipeline gives them.
#
#   CLOUDWATCH_AGENT_DEB, CLOUDWATCH_AGENT_SHA256   sends that file and the machine's own numbers to CloudWatch
#   SSM_AGENT_DEB, SSM_AGENT_SHA256                 the only way in for people: there is no SSH on this image
#   AGENTS=none                                     neither, on purpose
#
# Neither is a Debian package. AWS publishes both as files: the pipeline brings them, and says what they must hash to.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

place /etc/rsyslog.d/10-vitrine.conf
place /etc/logrotate.d/vitrine
install -d -o root -g adm -m 0750 /var/log/vitrine
place /usr/lib/vitrine/agent.json

if [[ ${AGENTS:-} == none ]]; then
    say 'AGENTS=none: this image reports to nobody and lets nobody in'
    exit 0
fi
for name in CLOUDWATCH_AGENT SSM_AGENT; do
    # Image Builder itself works through the second, so a build instance may have it already.
    if [[ $name == SSM_AGENT && -z ${SSM_AGENT_DEB:-} ]] && is_installed amazon-ssm-agent; then continue; fi
    file=${name}_DEB
    hash=${name}_SHA256
    [[ -n ${!file:-} ]] || fail "$file is not given: the package of AWS as a file, and ${name}_SHA256; or AGENTS=none"
    checked "${!file}" "${!hash:-}"
    apt_install "$(realpath "${!file}")"
done
enable_units amazon-ssm-agent.service # the other is started by vitrine-agent.service, once it knows where to send

"""How this project prepares aiortc and aioice in a process: extensions it offers, addresses, ciphers, consent."""

from __future__ import annotations

from typing import Any

import aioice.ice
from aiortc import RTCCertificate, RTCPeerConnection, RTCRtpTransceiver
from OpenSSL import SSL

from streaming.rtc import extensions
from streaming.rtc.ice import host_addresses

# RFC 7675 allows 30 s: three failures of checks up to 9 s apart, each waiting half a second. Checks are most of what a
# viewer at rest costs.
CONSENT_SECONDS, CONSENT_FAILURES = 7.5, 3
CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
)


def install() -> None:
    """Prepare aiortc and aioice in this process; doing it twice is harmless."""
    extensions.offer()
    ice: Any = aioice.ice
    ice.CONSENT_INTERVAL, ice.CONSENT_FAILURES = CONSENT_SECONDS, CONSENT_FAILURES
    aioice.ice.get_host_addresses = aioice_addresses
    certificates: Any = RTCCertificate
    certificates._create_ssl_context = dtls_context


_aiortc_context: Any = RTCCertificate._create_ssl_context


def aioice_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """What a connection binds that is not given a policy: those of our own clients in tests and load."""
    return host_addresses(ipv4=use_ipv4, ipv6=use_ipv6)


def await_hello(pc: RTCPeerConnection, offer: str) -> None:
    """Leave the first word of DTLS to a player that offers both roles. Call it before `createAnswer`.

    The player asks first whether a pair of addresses works, so it knows half a round trip before us; and who answers
    the handshake may send half a round trip before who began it. Together the first picture comes one earlier.
    """
    if "a=setup:actpass" not in offer:
        return
    for transceiver in pc.getTransceivers():
        transceiver.receiver.transport._set_role("server")
    if pc.sctp is not None:
        pc.sctp.transport._set_role("server")


def send_only(transceiver: RTCRtpTransceiver) -> None:
    """Nothing will be received: without its estimate of that, a thousand objects less for the garbage collector."""
    receiver: Any = transceiver.receiver
    receiver._RTCRtpReceiver__remote_bitrate_estimator = None


def dtls_context(certificate: RTCCertificate, srtp_profiles: list[Any]) -> SSL.Context:
    """aiortc's context, which knows only players with ECDSA certificates, also for those with RSA (GStreamer's)."""
    context: SSL.Context = _aiortc_context(certificate, srtp_profiles)
    context.set_cipher_list(CIPHERS)
    return context

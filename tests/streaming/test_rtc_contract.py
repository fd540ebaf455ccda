"""Every private name of aiortc 1.16, aioice 0.13 and pylibsrtp that streaming/rtc relies on, and how it is used."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
from typing import Any

import aiortc
import pylibsrtp
import pytest
from aioice import turn
from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import RTCCertificate, RTCConfiguration, RTCDtlsTransport, RTCIceTransport, RTCPeerConnection, RTCRtpSender
from aiortc.rtcdtlstransport import SRTP_PROFILES
from OpenSSL import SSL

from streaming.rtc.records import Records
from streaming.rtc.wire import _binding

SENDER = ("lsr", "lsr_time", "ntp_timestamp", "octet_count", "packet_count", "rtp_exited", "rtp_started")
SENDER += ("rtp_timestamp", "rtx_payload_type")


def test_versions_are_those_that_were_read() -> None:
    assert aiortc.__version__.startswith("1.16.")
    assert pylibsrtp.__version__.startswith("1.0.")


def test_sender_still_asks_itself_for_what_is_replaced() -> None:
    send = inspect.getsource(RTCRtpSender.send)
    assert "self._run_rtp(parameters.codecs[0])" in send
    assert send.index("__rtx_payload_type = ") < send.index("self._run_rtp(")
    reports = inspect.getsource(RTCRtpSender._run_rtcp)
    assert "self.__lsr = ((self.__ntp_timestamp) >> 16) & 0xFFFFFFFF" in reports
    assert "self.__lsr_time = time.time()" in reports


async def test_private_names_of_the_sender_exist() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    sender = peer.addTransceiver("video").sender
    missing = [name for name in SENDER if not hasattr(sender, f"_RTCRtpSender__{name}")]
    assert isinstance(sender._ssrc, int)
    assert isinstance(sender._rtx_ssrc, int)
    await peer.close()
    assert missing == []


def test_transport_hands_rtcp_to_a_method_of_its_own() -> None:
    assert "await self._handle_rtcp_data(data)" in inspect.getsource(RTCDtlsTransport._recv_next)


def test_rtp_leaves_as_aiortc_itself_would_send_it() -> None:
    rtp = inspect.getsource(RTCDtlsTransport._send_rtp)
    assert "self._state != State.CONNECTED" in rtp
    assert "self._tx_srtp.protect(data)" in rtp
    assert "self._connection = gatherer._connection" in inspect.getsource(RTCIceTransport.__init__)
    way = inspect.getsource(Connection.sendto)
    assert "self._nominated.get(component)" in way
    assert "active_pair.protocol.send_data(data, active_pair.remote_addr)" in way
    assert "self.transport.sendto(data, addr)" in inspect.getsource(StunProtocol.send_data)
    assert isinstance(inspect.getattr_static(CandidatePair, "remote_addr"), property)
    assert "self._nominated.clear()" in inspect.getsource(Connection.close)


async def test_a_plain_socket_is_found_and_a_relay_has_none() -> None:
    loop = asyncio.get_running_loop()
    transport: Any
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    assert isinstance(transport._sock, socket.socket)
    transport.close()
    assert "_sock" not in inspect.getsource(turn.TurnTransport)
    assert not hasattr(turn.TurnTransport, "_sock")


async def test_records_are_opened_and_sealed_as_pyopenssl_would() -> None:
    certificates = [RTCCertificate.generateCertificate() for _ in range(2)]
    client, server = (SSL.Connection(certificate._create_ssl_context(SRTP_PROFILES)) for certificate in certificates)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(10):
        for end, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                end.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                while True:
                    other.bio_write(end.bio_read(1500))
    ours = Records(client)
    server.bio_write(ours.seal(b"question" * 100))
    assert server.recv(1500) == b"question" * 100
    server.send(b"answer")
    assert ours.open(server.bio_read(1500)) == b"answer"
    for broken in (b"\x17", bytes(64), b"\x17\xfe\xfd" + bytes(40)):
        with pytest.raises(SSL.Error):
            ours.open(broken)
    server.send(b"still there")
    assert ours.open(server.bio_read(1500)) == b"still there"


@pytest.mark.parametrize(
    "profile",
    [pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80]
    + [pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM],
)
def test_libsrtp_in_place_is_what_its_wrapper_does(profile: int) -> None:
    def session() -> Any:
        policy = pylibsrtp.Policy(bytes(range(64)), pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        return pylibsrtp.Session(policy)

    packet = bytes.fromhex("806000010000000000000001") + bytes(range(256)) * 4
    arena, length = _binding.ffi.new("char[]", 2048), _binding.ffi.new("int *")
    _binding.ffi.buffer(arena)[0 : len(packet)] = packet
    length[0] = len(packet)
    raw = session()
    assert _binding.lib.srtp_protect(raw._srtp[0], arena, length) == _binding.lib.srtp_err_status_ok
    assert bytes(_binding.ffi.buffer(arena)[0 : length[0]]) == session().protect(packet)
    assert length[0] - len(packet) in (10, 16)

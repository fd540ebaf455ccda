"""Data channels with the plain cases in place: what a stock aiortc peer sends and gets, also over a path that loses."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCDtlsTransport, RTCPeerConnection, RTCSctpTransport
from aiortc.rtcsctptransport import DataChunk, InboundStream

from streaming import rtc
from streaming.rtc.sctp import SACK_PACKETS, SACK_SECONDS
from tests.streaming.wires import until

STATE = """
    _advanced_peer_ack_tsn _advertised_rwnd _association_state _cwnd _data_channel_queue _data_channels
    _fast_recovery_exit _flight_size _forward_tsn_chunk _forward_tsn_streams _inbound_streams _last_received_tsn
    _last_sacked_tsn _local_port _local_tsn _local_verification_tag _outbound_queue _outbound_stream_seq
    _partial_bytes_acked _reconfig_deferred _remote_port _remote_verification_tag _sack_misordered _sent_queue
    _t3_handle
"""


@dataclass(eq=False)
class Pair:
    """A stock peer and ours, and what each got."""

    player: RTCPeerConnection
    server: RTCPeerConnection
    camera: RTCDataChannel
    control: RTCDataChannel
    ours: dict[str, RTCDataChannel] = field(default_factory=dict)
    got: dict[str, list[Any]] = field(default_factory=lambda: {"camera": [], "control": []})
    answers: list[Any] = field(default_factory=list)
    datagrams: int = 0  # that our side sent

    def lose(self, to_server: list[bool], to_player: list[bool]) -> None:
        """Drop the next datagrams of each direction where the list says so."""
        for peer, losses in ((self.server, to_server), (self.player, to_player)):
            connection: Any = connection_of(peer)
            connection.data_received = dropping(connection.data_received, list(losses))


def dropping(deliver: Any, losses: list[bool]) -> Any:
    def put(data: bytes, component: int) -> None:
        if not losses or not losses.pop(0):
            deliver(data, component)

    return put


def connection_of(peer: RTCPeerConnection) -> Any:
    assert peer.sctp is not None
    return peer.sctp.transport.transport._connection


@asynccontextmanager
async def connected() -> AsyncIterator[Pair]:
    rtc.install()
    configuration = RTCConfiguration(iceServers=[])
    player, server = RTCPeerConnection(configuration), RTCPeerConnection(configuration)
    camera = player.createDataChannel("camera", ordered=False, maxRetransmits=0)
    pair = Pair(player, server, camera, player.createDataChannel("control"))
    pair.control.on("message", pair.answers.append)

    def opened(channel: RTCDataChannel) -> None:
        pair.ours[channel.label] = channel
        channel.on("message", pair.got[channel.label].append)

    server.on("datachannel", opened)
    try:
        await player.setLocalDescription(await player.createOffer())
        await server.setRemoteDescription(player.localDescription)
        await server.setLocalDescription(await server.createAnswer())
        rtc.police(server, 100_000, 100_000_000)
        await player.setRemoteDescription(server.localDescription)
        await until(lambda: len(pair.ours) == 2 and pair.control.readyState == pair.camera.readyState == "open")
        await asyncio.sleep(2 * SACK_SECONDS)
        transport = connection_of(server)._nominated[1].protocol.transport
        original = transport.sendto

        def sendto(data: bytes, address: Any) -> None:
            pair.datagrams += data[0] == 23  # application data, no consent checks
            original(data, address)

        connection_of(server)._nominated[1].protocol.transport = Recorded(transport, sendto)
        yield pair
    finally:
        await player.close()
        await server.close()


class Recorded:
    """A transport whose `sendto` is another."""

    def __init__(self, transport: Any, sendto: Any) -> None:
        self._transport, self.sendto = transport, sendto

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def test_cameras_arrive_in_order_and_every_second_is_acknowledged() -> None:
    async with connected() as pair:
        for index in range(100):
            pair.camera.send(f"camera {index}")
            await until(lambda: len(pair.got["camera"]) > index)  # noqa: B023
        assert pair.got["camera"] == [f"camera {index}" for index in range(100)]
        await asyncio.sleep(2 * SACK_SECONDS)
        assert pair.datagrams <= 100 * 3 / 2 / SACK_PACKETS  # a slow machine acknowledges some of them late and alone
        assert pair.player.sctp is not None
        assert not pair.player.sctp._sent_queue
        assert pair.player.sctp._flight_size == 0


async def test_an_acknowledgement_rides_along_with_the_answer() -> None:
    async with connected() as pair:
        pair.ours["camera"].on("message", lambda text: pair.ours["control"].send(f"frame for {text}"))
        for index in range(60):
            pair.camera.send(str(index))
            await until(lambda: len(pair.answers) > index)  # noqa: B023
        assert pair.answers == [f"frame for {index}" for index in range(60)]
        assert pair.datagrams <= 60 * 5 / 4
        await until(lambda: pair.server.sctp is not None and not pair.server.sctp._sent_queue)
        assert pair.server.sctp is not None
        assert pair.server.sctp._flight_size == 0
        assert pair.server.sctp._t3_handle is None


async def test_one_late_message_is_acknowledged_too() -> None:
    async with connected() as pair:
        pair.camera.send("alone")
        await until(lambda: pair.got["camera"] == ["alone"])
        await until(lambda: pair.player.sctp is not None and not pair.player.sctp._sent_queue)
        assert pair.datagrams == 1


async def test_large_binary_empty_and_odd_messages_take_their_ways_in_order() -> None:
    messages = ["a", "ü" * 700, "x" * 50_000, "", b"", b"\0\1", "y" * 1200, "last", *map(str, range(30))]
    async with connected() as pair:
        for message in messages:
            pair.control.send(message)
        await until(lambda: len(pair.got["control"]) == len(messages))
        assert pair.got["control"] == messages
        for message in messages:
            pair.ours["control"].send(message)
        await until(lambda: len(pair.answers) == len(messages))
        assert pair.answers == messages


async def test_what_is_lost_on_a_reliable_channel_comes_again_in_both_directions() -> None:
    rng = random.Random(11)
    messages = [f"message {index} " + "z" * rng.choice((1, 50, 3000)) for index in range(60)]
    async with connected() as pair:
        pair.lose([rng.random() < 0.1 for _ in range(60)], [rng.random() < 0.1 for _ in range(60)])
        for index, message in enumerate(messages):
            pair.control.send(message)
            pair.ours["control"].send(message)
            pair.camera.send(f"camera {index}")
            await asyncio.sleep(0.002)
        await until(lambda: len(pair.got["control"]) == len(pair.answers) == len(messages))
        assert pair.got["control"] == pair.answers == messages
        cameras = [int(text.split()[1]) for text in pair.got["camera"]]
        assert len(set(cameras)) == len(cameras) > 30


async def test_a_channel_can_be_closed_and_another_opened() -> None:
    async with connected() as pair:
        pair.camera.send("before")
        pair.camera.close()
        await until(lambda: pair.camera.readyState == "closed")
        again = pair.player.createDataChannel("camera", ordered=False, maxRetransmits=0)
        await until(lambda: again.readyState == "open" and pair.ours["camera"].readyState == "open")
        again.send("after")
        await until(lambda: pair.got["camera"] == ["before", "after"])


async def test_forged_and_broken_packets_change_nothing() -> None:
    async with connected() as pair:
        assert pair.server.sctp is not None
        plain: Any = pair.server.sctp._data_channel_send
        receive, state = plain.__self__.receive, pair.server.sctp._last_received_tsn
        rng = random.Random(2)
        for size in (0, 3, 12, 16, 28, 40, 200):
            receive(rng.randbytes(size))
        await asyncio.sleep(0.05)
        assert pair.server.sctp._last_received_tsn == state
        pair.camera.send("still here")
        await until(lambda: pair.got["camera"] == ["still here"])


async def test_private_names_exist() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.createDataChannel("x")
    sctp: Any = peer.sctp
    missing = [name for name in STATE.split() if not hasattr(sctp, name)]
    await peer.close()
    assert missing == []
    assert sorted(vars(InboundStream())) == ["reassembly", "sequence_number"]


def test_aiortc_still_does_what_is_done_in_its_place() -> None:
    receive = inspect.getsource(RTCDtlsTransport._recv_next)
    for step in ("self._ssl.bio_write(data)", "self._ssl.recv(1500)", "self._data_receiver._handle_data(data)"):
        assert step in receive
    assert "self._rx_srtp.unprotect_rtcp(data)" in receive
    assert "self._ssl.bio_read(1500)" in inspect.getsource(RTCDtlsTransport._write_ssl)
    send = inspect.getsource(RTCSctpTransport._send)
    lines = [line for line in send.splitlines() if "chunk._" in line and " = " in line]
    fields = {line.split("chunk.")[1].split(" ")[0] for line in lines}
    assert fields == {
        "_abandoned", "_acked", "_book_size", "_expiry", "_in_flight", "_max_retransmits", "_misses", "_retransmit",
        "_sent_count", "_sent_time",
    }  # fmt: skip
    assert set(vars(DataChunk())) == {"flags", "tsn", "stream_id", "stream_seq", "protocol", "user_data"}
    sack = inspect.getsource(RTCSctpTransport._receive_sack_chunk)
    order = ("_last_sacked_tsn = ", "popleft", "_update_rto", "if chunk.gaps", "# adjust", "_t3_cancel", "_t3_restart")
    assert [sack.index(step) for step in order] == sorted(sack.index(step) for step in order)
    assert "transport._data_channel_send(self, data)" in inspect.getsource(RTCDataChannel.send).replace("__", "")

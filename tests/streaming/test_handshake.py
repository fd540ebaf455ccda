"""A packet that is lost while a connection begins is sent again soon: by us, before aioice or OpenSSL think of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aioice.stun
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from streaming.reach import Reach
from streaming.rtc import ice
from streaming.rtc.handshake import repeat_checks
from tests.streaming.test_ice import answer, connected, pair
from tests.streaming.wires import until

HANDSHAKE, CIPHER, BINDING_REQUEST = 22, 20, b"\x00\x01"


def lose(server: RTCPeerConnection, unlucky: Callable[[bytes], bool], count: int) -> list[bytes]:
    """Lose the server's first `count` datagrams that are so; all that are, in the order in which they were sent."""
    sent: list[bytes] = []
    (connection,) = ice.connections(server)
    for protocol in connection._protocols:
        transport: Any = protocol.transport
        deliver = transport.sendto

        def sendto(data: bytes, address: Any, deliver: Any = deliver) -> None:
            if unlucky(data):
                sent.append(data)
                if len(sent) <= count:
                    return
            deliver(data, address)

        protocol.transport = _Transport(transport, sendto)  # type: ignore[assignment]
    return sent


class _Transport:
    """A socket's transport with another way to send."""

    def __init__(self, transport: Any, sendto: Callable[..., None]) -> None:
        self._transport, self.sendto = transport, sendto

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def test_a_lost_flight_of_dtls_goes_out_again_as_it_was() -> None:
    async with pair() as (player, server):
        told = await answer(player, server, Reach())
        sent = lose(server, lambda data: data[0] == HANDSHAKE, 1)
        await player.setRemoteDescription(RTCSessionDescription(told, "answer"))
        await connected(player, server)
    assert sent[1] == sent[0]  # OpenSSL's own repetition would be numbered anew


async def test_a_player_that_missed_the_last_flight_is_noticed() -> None:
    """It could not read what was sent meanwhile: there has to be another key frame."""
    unheard: list[None] = []
    async with pair() as (player, server):
        told = await answer(player, server, Reach(), unheard=lambda: unheard.append(None))
        sent = lose(server, lambda data: data[0] == CIPHER, 1)
        await player.setRemoteDescription(RTCSessionDescription(told, "answer"))
        await connected(player, server)
    assert len(sent) > 1
    assert unheard


async def test_nobody_is_thought_to_have_missed_it_who_has_not() -> None:
    unheard: list[None] = []
    async with pair() as (player, server):
        told = await answer(player, server, Reach(), unheard=lambda: unheard.append(None))
        await player.setRemoteDescription(RTCSessionDescription(told, "answer"))
        await connected(player, server)
    assert unheard == []


async def test_a_lost_check_goes_out_again_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair() as (player, server):
        told = await answer(player, server, Reach(), bare=True)
        monkeypatch.setattr(aioice.stun, "RETRY_RTO", 1000.0)
        sent = lose(server, lambda data: data[:2] == BINDING_REQUEST, 2)
        await player.setRemoteDescription(RTCSessionDescription(told, "answer"))
        await connected(player, server)
    transactions = [data[8:20] for data in sent]
    assert transactions[1:].count(transactions[0]) + transactions[2:].count(transactions[1]) > 0


async def test_nobody_is_checked_over_and_over_who_has_not_chosen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate is anybody's address: what an offer claims gets the few checks of ICE, no more."""
    monkeypatch.setattr(aioice.stun, "RETRY_RTO", 1000.0)
    async with pair() as (player, server):
        await answer(player, server, Reach(), bare=True)
        sent = lose(server, lambda data: data[:2] == BINDING_REQUEST, 1 << 30)
        claimed = candidate_from_sdp("1 1 udp 2113937151 198.51.100.9 40000 typ host")
        claimed.sdpMid = player.getTransceivers()[0].mid
        await server.addIceCandidate(claimed)
        (connection,) = ice.connections(server)
        await until(lambda: connection._check_list and len(sent) == len(connection._check_list))
        before = len(sent)
        repeat_checks(connection)
        assert len(sent) == before
        connection._check_list[0].remote_nominated = True
        repeat_checks(connection)
        assert len(sent) == before + 1
        assert sent[-1] in sent[:-1]

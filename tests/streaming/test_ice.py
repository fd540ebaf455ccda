"""The contract with aioice 0.13 that streaming/rtc/ice.py relies upon, and how a connection comes about."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aioice.ice
import ifaddr
import pytest
from aiortc import RTCConfiguration, RTCIceTransport, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcicetransport import RTCIceGatherer

from streaming import rtc
from streaming.reach import Reach, parse_reach
from streaming.rtc import ice
from streaming.sdp import without_unresolvable

TIMEOUT = 20.0
OURS = (
    "_check_list _check_list_state _early_checks _early_checks_done _local_candidates _local_candidates_end "
    "_local_candidates_start _protocols _query_consent_task _remote_candidates"
)


def test_aioice_and_aiortc_are_as_they_were_read() -> None:
    connection = aioice.ice.Connection(ice_controlling=False)
    assert [name for name in OURS.split() if not hasattr(connection, name)] == []
    assert "await self._connection.gather_candidates()" in inspect.getsource(RTCIceGatherer.gather)
    assert "await self._connection.connect()" in inspect.getsource(RTCIceTransport.start)
    for call in ("_pair_remote_candidate", "_unfreeze_initial", "check_incoming", "_check_periodic", "query_consent"):
        assert call in inspect.getsource(aioice.ice.Connection.connect)


def test_a_machine_with_nothing_else_has_its_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    rtc.install()
    loopback = ifaddr.Adapter("lo", "lo", [ifaddr.IP("127.0.0.1", 8, "lo"), ifaddr.IP(("::1", 0, 0), 128, "lo")], 1)
    link_local = ifaddr.Adapter("eth0", "eth0", [ifaddr.IP(("fe80::1", 0, 2), 64, "eth0")], 2)
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [loopback, link_local])
    assert ice.host_addresses() == ["127.0.0.1", "::1"]
    assert aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False) == ["127.0.0.1"]


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection]]:
    """A player that asks for video, and a server."""
    rtc.install()
    player, server = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    player.addTransceiver("video", direction="recvonly")
    player.createDataChannel("control")
    server.addTransceiver("video", direction="sendonly")
    try:
        yield player, server
    finally:
        await player.close()
        await server.close()


async def answer(
    player: RTCPeerConnection,
    server: RTCPeerConnection,
    policy: Reach,
    *,
    bare: bool = False,
    unheard: Callable[[], None] = lambda: None,
) -> str:
    """The server's answer to the player's offer; bare: to one without candidates."""
    await player.setLocalDescription(await player.createOffer())
    lines = player.localDescription.sdp.splitlines(keepends=True)
    offer = "".join(line for line in lines if not (bare and line.startswith("a=candidate")))
    await server.setRemoteDescription(RTCSessionDescription(without_unresolvable(offer), "offer"))
    rtc.reach(server, policy, unheard)
    rtc.await_hello(server, offer)
    await server.setLocalDescription(await server.createAnswer())
    return str(server.localDescription.sdp)


async def connected(*peers: RTCPeerConnection) -> None:
    async with asyncio.timeout(TIMEOUT):
        while any(peer.connectionState != "connected" for peer in peers):
            await asyncio.sleep(0.005)


def candidates(sdp: str) -> list[tuple[int, str, int]]:
    """(priority, address, port) of each different candidate."""
    words = [line.split() for line in sdp.splitlines() if line.startswith("a=candidate")]
    return list(dict.fromkeys((int(line[3]), line[4], int(line[5])) for line in words))


@pytest.mark.parametrize("bare", [True, False])
async def test_an_offer_connects_with_candidates_or_without(bare: bool) -> None:
    async with pair() as (player, server):
        told = await answer(player, server, Reach(), bare=bare)
        await player.setRemoteDescription(RTCSessionDescription(told, "answer"))
        await connected(player, server)


async def test_candidates_that_come_later_are_checked() -> None:
    """The player sends nothing by itself before it has the answer: here the server's checks must begin."""
    async with pair() as (player, server):
        told = await answer(player, server, Reach(), bare=True)
        transceiver = player.getTransceivers()[0]
        for candidate in transceiver.receiver.transport.transport.iceGatherer.getLocalCandidates():
            candidate.sdpMid = transceiver.mid
            await server.addIceCandidate(candidate)
        (connection,) = ice.connections(server)
        async with asyncio.timeout(TIMEOUT):
            while not any(checked.state.name == "SUCCEEDED" for checked in connection._check_list):
                await asyncio.sleep(0.005)
        await player.setRemoteDescription(RTCSessionDescription(told, "answer"))
        await connected(player, server)


async def test_an_answer_tells_the_public_address_only_and_a_port_of_the_range() -> None:
    policy = parse_reach(["203.0.113.7", "2001:db8::7"], "42000-42999", [])
    async with pair() as (player, server):
        sdp = await answer(player, server, policy)
        told = candidates(sdp)
        assert {address for _, address, _ in told} <= {"203.0.113.7", "2001:db8::7"}
        assert all(42000 <= port <= 42999 for _, _, port in told)
        (connection,) = ice.connections(server)
        bound = [protocol.transport.get_extra_info("sockname")[:2] for protocol in connection._protocols]
        assert sorted(port for _, port in bound) == sorted(port for _, _, port in told)
        assert [address for address, _ in bound if address in sdp] == []


async def test_every_candidate_has_a_priority_of_its_own_in_the_order_they_are_told() -> None:
    policy = Reach()
    async with pair() as (player, server):
        priorities = [priority for priority, _, _ in candidates(await answer(player, server, policy))]
        assert priorities == sorted(set(priorities), reverse=True)


async def test_closing_ends_the_attempt_and_gives_the_ports_back() -> None:
    policy = Reach(ports=range(43000, 43002))
    for _ in range(3):
        async with pair() as (player, server):
            await answer(player, server, policy, bare=True)
            await server.close()
            assert server.connectionState == "closed"


@pytest.mark.parametrize(
    ("offered", "answered"), [("actpass", "passive"), ("passive", "active"), ("active", "passive")]
)
async def test_the_player_has_the_first_word_of_dtls_unless_it_leaves_it_to_us(offered: str, answered: str) -> None:
    async with pair() as (player, server):
        await player.setLocalDescription(await player.createOffer())
        offer = player.localDescription.sdp.replace("a=setup:actpass", f"a=setup:{offered}")
        await server.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        rtc.await_hello(server, offer)
        told = (await server.createAnswer()).sdp
        assert {line for line in told.splitlines() if line.startswith("a=setup")} == {f"a=setup:{answered}"}

"""What is lost while a connection begins is sent again after a tenth of a second, not after half or a whole one.

aioice repeats a check after 0.5 s and OpenSSL a flight of its handshake after 1 s, so one lost packet in a few makes
the first picture late by that. Here the same bytes go out again; whoever has them already drops them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from aioice.ice import CandidatePair, Connection
from aiortc import RTCPeerConnection
from aiortc.rtcdtlstransport import RTCDtlsTransport

REPEAT_SECONDS = 0.1  # then twice as long each time
HANDSHAKE = (20, 22)  # types of DTLS records: change of cipher, handshake
FLIGHTS = 3  # repetitions of a connection's flights; then OpenSSL's own timer has its turn


def repeat_flights(pc: RTCPeerConnection, unheard: Callable[[], None]) -> None:
    """Replace `RTCDtlsTransport._do_handshake` in this peer connection. Call it before `setLocalDescription`.

    unheard: called when the player shows that it missed our last word: what was sent since then, it could not read.
    """
    transports = {transceiver.receiver.transport for transceiver in pc.getTransceivers()}
    if pc.sctp is not None:
        transports.add(pc.sctp.transport)
    for transport in transports:
        target: Any = transport
        target._do_handshake = partial(_do_handshake, transport, transport._do_handshake)
        below: Any = transport.transport._connection
        below.data_received = partial(_receive, transport, below.data_received, unheard)


def _receive(
    transport: RTCDtlsTransport,
    deliver: Callable[[bytes, int], None],
    unheard: Callable[[], None],
    data: bytes,
    component: int,
) -> None:
    """A player that repeats its part of a handshake that is complete for us has not got our last flight.

    OpenSSL answers it with that flight before anything else can be sent.
    """
    deliver(data, component)
    if transport.encrypted and data[:1] and data[0] in HANDSHAKE:
        unheard()


async def _do_handshake(transport: RTCDtlsTransport, original: Callable[[], Awaitable[None]]) -> None:
    below: Any = transport.transport
    send = below._send
    newest: list[bytes] = []  # a flight of ours fits one datagram

    async def remembering(data: bytes) -> None:
        newest[:] = [data]
        await send(data)

    below._send = remembering
    repeating = asyncio.ensure_future(_repeat(send, newest))
    try:
        await original()
    finally:
        repeating.cancel()
        below._send = send


async def _repeat(send: Callable[[bytes], Awaitable[None]], newest: list[bytes]) -> None:
    for attempt in range(FLIGHTS):
        await asyncio.sleep(REPEAT_SECONDS * 2**attempt)
        if newest:
            with suppress(ConnectionError):  # it is being closed
                await send(newest[0])


def repeat_checks(connection: Connection) -> None:
    """Send again what is unanswered of pairs that the player has chosen, so that nobody else can be flooded by it."""
    for pair in connection._check_list:
        if pair.remote_nominated and pair.state == CandidatePair.State.IN_PROGRESS:
            for transaction in pair.protocol.transactions.values():
                told: Any = transaction
                if told._Transaction__addr == pair.remote_addr:
                    pair.protocol.send_stun(told._Transaction__request, pair.remote_addr)

"""The track that hands ready pictures to the sender: a small mailbox before RTP. Never re-encodes, never waits.

Our sender is told by a call and takes at once; aiortc's own would await `recv`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from streaming.ipc import Packet

CAPACITY = 4  # pictures; the render process never has more than stream.WINDOW on the way


class PacketTrack(MediaStreamTrack):
    """Video as encoded pictures. `put` never waits; a picture too many is refused."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._pictures: deque[Packet] = deque()
        self._arrived = asyncio.Event()
        self._notify: Callable[[], None] = self._arrived.set

    def listen(self, notify: Callable[[], None]) -> None:
        """Call `notify` after each picture and after the end, instead of waking `take`."""
        self._notify = notify

    def put(self, packet: Packet) -> bool:
        """Add a picture; False when the mailbox is full and it was dropped."""
        if len(self._pictures) >= CAPACITY:
            return False
        self._pictures.append(packet)
        self._notify()
        return True

    def poll(self) -> Packet | None:
        """The next picture, if one waits."""
        return self._pictures.popleft() if self._pictures else None

    async def take(self) -> Packet:
        """The next picture. Raises MediaStreamError when the track has been stopped."""
        while not self._pictures:
            self._arrived.clear()
            if self.readyState != "live":
                raise MediaStreamError
            await self._arrived.wait()
        return self._pictures.popleft()

    async def recv(self) -> av.Packet[Any]:
        """aiortc: the next picture as a packet, as its own sender would ask for it."""
        return as_av(await self.take())

    def stop(self) -> None:
        """aiortc: end the track and wake whoever waits."""
        super().stop()
        self._notify()


def as_av(packet: Packet) -> av.Packet[Any]:
    """What aiortc's packetisers take."""
    result: av.Packet[Any] = av.Packet(packet.data)
    result.pts, result.time_base = packet.timestamp, Fraction(1, 90_000)
    return result

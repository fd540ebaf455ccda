"""Owns viewers without a screen: aiortc clients that count RTP packets and decode none. The load generator.

`python -m benchmarks.viewers URL PATH COUNT WIDTH HEIGHT` joins COUNT of them, prints a line and stays until killed.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

from benchmarks.errors import BenchError
from benchmarks.load.feedback import offered
from benchmarks.load.tap import Tap
from benchmarks.poses import Pose

JOIN_SECONDS = 30.0
TOGETHER = 5  # viewers that connect at once
EVENTS_RELATION = "urn:ietf:params:whep:ext:core:server-sent-events"


class Refused(BenchError):
    """The server has no room for one more: HTTP 503, or 429."""


class Viewer:
    """One session, of ours (adapter "whep") or of the plain stack ("plain").

    packets, octets: RTP received so far, protected payload included. seconds: from POST to the first packet.
    feedback: offer transport-wide feedback, which a `Tap` then sends. listening: its event stream is open.
    event_lines: lines of that so far.
    """

    def __init__(self, codec: str = "h264", adapter: str = "whep", feedback: bool = False) -> None:
        self._adapter, self._feedback = adapter, feedback
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._transceiver = self._peer.addTransceiver("video", direction="recvonly")
        capabilities = RTCRtpReceiver.getCapabilities("video")
        wanted = [
            entry
            for entry in (capabilities.codecs if capabilities else [])
            if entry.mimeType.lower() in (f"video/{codec}", "video/rtx")  # as browsers ask
        ]
        self._transceiver.setCodecPreferences(wanted)
        self._camera = self._peer.createDataChannel("camera", ordered=False, maxRetransmits=0)
        self._control = self._peer.createDataChannel("control")
        self._control.on("open", self._greet)
        self._control.on("message", self._read)
        self._ready = asyncio.Event()
        self._picture = asyncio.Event()
        self._size = (0, 0)
        self._seq = 0
        self._session = ""
        self._events = ""
        self.packets = 0
        self.octets = 0
        self.seconds = 0.0
        self.listening = asyncio.Event()
        self.event_lines = 0

    async def join(self, http: aiohttp.ClientSession, url: str, path: str, size: tuple[int, int]) -> None:
        """Connect and wait for the first packet, of ours also for `ready`. BenchError when that does not come in time.

        Refused (a BenchError) when the server says that it is full.
        """
        self._size = size
        await self._peer.setLocalDescription(await self._peer.createOffer())
        started = time.monotonic()
        answer = await self._offer(http, url, path)
        await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        self._tap()
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                if self._adapter == "whep":
                    await self._ready.wait()
                await self._picture.wait()
        except TimeoutError:
            missing = "first packet" if self._ready.is_set() else "ready message"
            raise BenchError(f"no {missing} within {JOIN_SECONDS:.0f} s of joining") from None
        self.seconds = time.monotonic() - started

    async def _offer(self, http: aiohttp.ClientSession, url: str, path: str) -> str:
        """The answer's SDP."""
        offer = offered(self._peer.localDescription.sdp) if self._feedback else self._peer.localDescription.sdp
        if self._adapter == "plain":
            async with http.post(url + path, json={"sdp": offer, "type": "offer"}) as answer:
                answer.raise_for_status()
                return str((await answer.json())["sdp"])
        async with http.post(url + path, data=offer, headers={"content-type": "application/sdp"}) as answer:
            text = await answer.text()
            if answer.status in (429, 503):
                raise Refused(f"POST {path}: HTTP {answer.status} {text[:200]}")
            if answer.status != 201:
                raise BenchError(f"POST {path}: HTTP {answer.status} {text[:200]}")
            self._session = answer.headers["location"]
            events: Any = answer.links.get(EVENTS_RELATION)
            self._events = str(events["url"]) if events else ""
        return text

    async def take_over(self) -> Tap:
        """Hand the socket to a `Tap`, for little CPU; `look` and `packets` are then its business. After `join`."""
        association: Any = self._peer.sctp
        async with asyncio.timeout(JOIN_SECONDS):
            while association._sent_queue or association._outbound_queue:  # aiortc would send these again for ever
                await asyncio.sleep(0.02)
        sdp = self._peer.remoteDescription.sdp
        chosen = re.search(r"^m=video \S+ \S+ (\d+)", sdp, re.MULTILINE)
        if chosen is None:
            raise BenchError("the server's answer has no video")
        return Tap(self._peer, self._transceiver.receiver, self._camera, int(chosen[1]))

    def look(self, pose: Pose) -> None:
        """Send a camera message."""
        theta, phi, radius, x, y, z, fov = pose
        self._seq += 1
        message = {"type": "camera", "seq": self._seq, "orbit": [theta, phi, radius], "target": [x, y, z], "fov": fov}
        self._camera.send(json.dumps(message))

    async def watch_events(self, http: aiohttp.ClientSession) -> bool:
        """Read the session's event stream until it ends, as browsers do beside the media; False without one."""
        if not self._events:
            return False
        async with http.get(self._events, headers={"accept": "text/event-stream"}) as answer:
            if answer.status != 200:
                raise BenchError(f"GET {self._events}: HTTP {answer.status}")
            self.listening.set()
            async for _ in answer.content:
                self.event_lines += 1
        return True

    async def leave(self, http: aiohttp.ClientSession, url: str) -> None:
        """End the session with DELETE, as WHEP asks, then close. The plain stack is only left."""
        if self._session:
            async with http.delete(url + self._session) as answer:
                if answer.status not in (200, 204):
                    raise BenchError(f"DELETE {self._session}: HTTP {answer.status}")
        await self._peer.close()

    def _greet(self) -> None:
        self._control.send(json.dumps({"type": "hello", "version": 1}))
        self._control.send(json.dumps({"type": "viewport", "width": self._size[0], "height": self._size[1]}))

    def _read(self, text: str) -> None:
        if json.loads(text).get("type") == "ready":
            self._ready.set()

    def _tap(self) -> None:
        """Take RTP out before it is decrypted: header bytes are in clear, and a decoder here would measure itself."""
        transport: Any = self._transceiver.receiver.transport.transport
        receive = transport._recv

        async def counted() -> bytes:
            while True:
                data: bytes = await receive()
                is_rtp = 127 < data[0] < 192 and not 192 <= data[1] <= 223
                if not is_rtp:
                    return data
                self.packets += 1
                self.octets += len(data)
                self._picture.set()

        transport._recv = counted


async def join_all(http: aiohttp.ClientSession, url: str, path: str, count: int, size: tuple[int, int]) -> list[Viewer]:
    """Join `count` viewers, a few at a time."""
    viewers = [Viewer() for _ in range(count)]
    gate = asyncio.Semaphore(TOGETHER)

    async def one(viewer: Viewer) -> None:
        async with gate:
            await viewer.join(http, url, path, size)

    await asyncio.gather(*(one(viewer) for viewer in viewers))
    return viewers


async def _stay(url: str, path: str, count: int, size: tuple[int, int]) -> None:
    async with aiohttp.ClientSession() as http:
        viewers = await join_all(http, url, path, count, size)
        sys.stdout.write(f"joined {len(viewers)}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_stay(sys.argv[1], sys.argv[2], int(sys.argv[3]), (int(sys.argv[4]), int(sys.argv[5]))))

"""Owns viewers without a screen: aiortc clients that count RTP packets and decode none. The load generator.

`python -m benchmarks.viewers URL PATH COUNT WIDTH HEIGHT` joins COUNT of them, prints a line and stays until killed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

from benchmarks.errors import BenchError
from benchmarks.poses import Pose

JOIN_SECONDS = 30.0


class Viewer:
    """One WHEP session. packets, octets: RTP received so far, protected payload included."""

    def __init__(self, codec: str = "h264") -> None:
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._transceiver = self._peer.addTransceiver("video", direction="recvonly")
        capabilities = RTCRtpReceiver.getCapabilities("video")
        wanted = [
            entry
            for entry in (capabilities.codecs if capabilities else [])
            if entry.mimeType.lower() == f"video/{codec}"
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
        self.packets = 0
        self.octets = 0

    async def join(self, http: aiohttp.ClientSession, url: str, path: str, size: tuple[int, int]) -> None:
        """Connect and wait for `ready` and the first packet. BenchError when either does not come in time."""
        self._size = size
        await self._peer.setLocalDescription(await self._peer.createOffer())
        headers = {"content-type": "application/sdp"}
        async with http.post(url + path, data=self._peer.localDescription.sdp, headers=headers) as answer:
            text = await answer.text()
            if answer.status != 201:
                raise BenchError(f"POST {path}: HTTP {answer.status} {text[:200]}")
            self._session = answer.headers["location"]
        await self._peer.setRemoteDescription(RTCSessionDescription(text, "answer"))
        self._tap()
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                await self._ready.wait()
                await self._picture.wait()
        except TimeoutError:
            missing = "first packet" if self._ready.is_set() else "ready message"
            raise BenchError(f"no {missing} within {JOIN_SECONDS:.0f} s of joining") from None

    def look(self, pose: Pose) -> None:
        """Send a camera message."""
        theta, phi, radius, x, y, z, fov = pose
        self._seq += 1
        message = {"type": "camera", "seq": self._seq, "orbit": [theta, phi, radius], "target": [x, y, z], "fov": fov}
        self._camera.send(json.dumps(message))

    async def leave(self, http: aiohttp.ClientSession, url: str) -> None:
        """End the session with DELETE, as WHEP asks, then close."""
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
    """Join `count` viewers at once."""
    viewers = [Viewer() for _ in range(count)]
    await asyncio.gather(*(viewer.join(http, url, path, size) for viewer in viewers))
    return viewers


async def _stay(url: str, path: str, count: int, size: tuple[int, int]) -> None:
    async with aiohttp.ClientSession() as http:
        viewers = await join_all(http, url, path, count, size)
        sys.stdout.write(f"joined {len(viewers)}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_stay(sys.argv[1], sys.argv[2], int(sys.argv[3]), (int(sys.argv[4]), int(sys.argv[5]))))

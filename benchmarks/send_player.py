"""Owns the far end of `vitrine bench send`, in a process of its own: viewers who count RTP and send cameras.

Reads one JSON command a line from stdin and answers each by a line: {"join": n} → {"offers"}, {"answers"} → {"joined"},
{"drag": {"rate", "seconds"}} → {"cameras", "answers", "packets"}. Ends when stdin does.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

from benchmarks.load.tap import Tap

CONNECT_SECONDS = 20.0
_SETTLE_SECONDS = 0.3  # until the last answers are in


class Player:
    """One viewer: H.264, a camera channel, a control channel."""

    def __init__(self) -> None:
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._video = self._peer.addTransceiver("video", direction="recvonly")
        known = RTCRtpReceiver.getCapabilities("video")
        wanted = [codec for codec in known.codecs if codec.mimeType in ("video/H264", "video/rtx")] if known else []
        self._video.setCodecPreferences(wanted)
        self._camera = self._peer.createDataChannel("camera", ordered=False, maxRetransmits=0)
        self._control = self._peer.createDataChannel("control")
        self.tap: Tap | None = None

    async def offer(self) -> str:
        """SDP."""
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return str(self._peer.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        """Connect, and read the socket cheaply from then on."""
        await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(CONNECT_SECONDS):
            while not (_open(self._camera) and _open(self._control)) or _busy(self._peer):
                await asyncio.sleep(0.02)
        chosen = re.search(r"^m=video \S+ \S+ (\d+)", answer, re.MULTILINE)
        self.tap = Tap(self._peer, self._video.receiver, self._camera, int(chosen[1]) if chosen else 0)

    async def drag(self, rate: float, seconds: float) -> int:
        """Send cameras; how many."""
        count = round(rate * seconds)
        for seq in range(count):
            pose = {"orbit": [seq * 0.37 % 360, 75.125, 1.375], "target": [0.125, 0.25, 0.375], "fov": 30.5}
            if self.tap is not None:
                self.tap.send(json.dumps({"type": "camera", "seq": seq, **pose}))
            await asyncio.sleep(1 / rate)
        return count


def _open(channel: RTCDataChannel) -> bool:
    return channel.readyState == "open"


def _busy(peer: RTCPeerConnection) -> bool:
    """Whether aiortc would still send something again that the tap knows nothing of."""
    association: Any = peer.sctp
    return bool(association._sent_queue or association._outbound_queue)


async def _answer(players: list[Player], command: dict[str, Any]) -> dict[str, Any]:
    if "join" in command:
        players += [Player() for _ in range(command["join"])]
        return {"offers": [await player.offer() for player in players]}
    if "answers" in command:
        pairs = zip(players, command["answers"], strict=True)
        await asyncio.gather(*(player.accept(answer) for player, answer in pairs))
        return {"joined": len(players)}
    cameras = sum(await asyncio.gather(*(player.drag(**command["drag"]) for player in players)))
    await asyncio.sleep(_SETTLE_SECONDS)
    taps = [player.tap for player in players if player.tap is not None]
    answers = sum(len(tap.shown) for tap in taps)
    return {"cameras": cameras, "answers": answers, "packets": sum(tap.packets for tap in taps)}


async def main() -> None:
    """Until stdin ends."""
    players: list[Player] = []
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(json.dumps(await _answer(players, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())

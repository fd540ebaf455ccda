"""Owns `vitrine bench send`: processor time of an RTP packet and of a camera message, aiortc's own way and ours.

The sender is this process, with peer connections as a network process has them; pictures are encoded beforehand. The
players run in a process of their own and decode nothing. Whatever the sender's process does while pictures leave, or
while cameras come and are answered, is counted: system calls, timers, the event loop.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from rich.table import Table

from benchmarks import machine
from benchmarks.errors import BenchError
from benchmarks.progress import Progress
from benchmarks.report import envelope
from benchmarks.send_player import CONNECT_SECONDS
from streaming import rtc
from streaming.congestion import Controller
from streaming.ipc import Packet
from streaming.protocol import Camera, FrameShown, dump, parse
from streaming.track import PacketTrack

OURS, STOCK = "ours", "aiortc"
PACKET_LIMIT = 10.0  # µs of processor time, promised
CAMERAS_PER_SECOND = 300.0  # of each player, for the reason that `Plan` gives
_BITRATE = 40_000_000  # bits a second, above what is sent to one viewer: pacing is not what is measured
_LINE = 1 << 20  # bytes of one answer of the players
_SETTLE_SECONDS = 0.2
_DATAGRAMS, _OCTETS = 8000.0, 2_560_000.0  # a second from one player: more than any here sends


@dataclass(frozen=True, slots=True)
class Plan:
    """viewers: at once; pictures: for each; octets: of a picture; pace: pictures a second; drag: seconds of cameras.

    Eight connections at 200 pictures a second send what 53 viewers at 30 do: the process is busy. One that hardly has
    anything to do finds its caches cold, and pays up to twice as much for whatever it does.
    """

    viewers: int = 8
    pictures: int = 600
    octets: int = 12_500
    pace: float = 200.0
    drag: float = 3.0


def measure(plan: Plan, rounds: int, progress: Progress) -> dict[str, Any]:
    """Both ways in turn, `rounds` times; medians in µs, and every round's."""
    order = [side for index in range(rounds) for side in ((STOCK, OURS) if index % 2 else (OURS, STOCK))]
    progress.begin("send", len(order))
    found: dict[str, list[dict[str, float]]] = {OURS: [], STOCK: []}
    before = machine.sample_cpu(time.monotonic(), {})
    for side in order:
        found[side].append(asyncio.run(_side(side, plan)))
        progress.step(side)
    other = machine.cpu_percent(before, machine.sample_cpu(time.monotonic(), {}))
    sides = {side: _medians(figures) | {"rounds": figures} for side, figures in found.items()}
    ratios = {key: sides[STOCK][key] / sides[OURS][key] for key in ("packet_us", "picture_us", "camera_us")}
    spread = {f"{side}, {key}": [r[key] for r in found[side]] for side in found for key in ("packet_us", "camera_us")}
    result = envelope("send", {name: getattr(plan, name) for name in Plan.__slots__} | {"rounds": rounds})
    passed = sides[OURS]["packet_us"] <= PACKET_LIMIT
    # Both ends run here, so that all use of the machine is ours: only the spread of the rounds tells of others.
    warnings = machine.instability({}, spread)
    return result | {"sides": sides, "ratios": ratios, "busy": other, "passed": passed, "warnings": warnings}


def table(result: dict[str, Any]) -> Table:
    """What each costs, and the ratio."""
    plan, sides = result["plan"], result["sides"]
    title = f"µs of processor time; {plan['viewers']} viewers, pictures of {plan['octets'] / 1000:g} kB"
    view = Table(title=title)
    for heading in ("", STOCK, OURS, "ratio", "promised"):
        view.add_column(heading, justify="right" if heading else "left")
    names = {"packet_us": "RTP packet", "picture_us": "picture", "camera_us": "camera message and its answer"}
    for key, name in names.items():
        promised = f"≤ {PACKET_LIMIT:g}" if key == "packet_us" else ""
        figures = f"{sides[STOCK][key]:.1f}", f"{sides[OURS][key]:.1f}", f"{result['ratios'][key]:.1f}"
        view.add_row(name, *figures, promised)
    return view


def picture(octets: int) -> bytes:
    """An H.264 picture of one slice that nobody decodes."""
    return b"\0\0\0\1\x65" + bytes(random.Random(octets).choices(range(1, 256), k=octets - 5))


def _medians(figures: Sequence[dict[str, float]]) -> dict[str, Any]:
    return {key: statistics.median(one[key] for one in figures) for key in figures[0]}


class _Sender:
    """One peer connection of a side, sending on what it is given and answering cameras."""

    def __init__(self, side: str) -> None:
        self._side = side
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.on("datachannel", self._opened)
        self._control: RTCDataChannel | None = None
        self._sender: RTCRtpSender | None = None
        self.track = PacketTrack()
        self.cameras = 0

    async def answer(self, offer: str) -> str:
        """SDP."""
        transceiver = self._peer.addTransceiver(self.track, direction="sendonly")
        self._sender = transceiver.sender
        await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        if self._side == OURS:
            hooks = rtc.SenderHooks(lambda *_: None, lambda: None, lambda: None, lambda _: None)
            rtc.PacketPump(self._sender, self.track, hooks, Controller(_BITRATE, _BITRATE, _BITRATE))
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        if self._side == OURS:
            rtc.police(self._peer, _DATAGRAMS, _OCTETS)
        return str(self._peer.localDescription.sdp)

    @property
    def packets(self) -> int:
        """Sent so far."""
        return int(getattr(self._sender, "_RTCRtpSender__packet_count"))  # noqa: B009

    async def close(self) -> None:
        """Hang up."""
        await self._peer.close()

    def _opened(self, channel: RTCDataChannel) -> None:
        if channel.label == "control":
            self._control = channel
        else:
            channel.on("message", self._camera)

    def _camera(self, text: str) -> None:
        message = parse("camera", text)
        self.cameras += 1
        if isinstance(message, Camera) and self._control is not None:
            self._control.send(dump(FrameShown(self.cameras * 1500, message.seq)))


class _Players:
    """The process of the players; commands and answers are lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, **command: Any) -> dict[str, Any]:
        """One command, one answer. BenchError when the process has ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise BenchError("the players' process has no pipes")
        stdin.write(json.dumps(command).encode() + b"\n")
        await stdin.drain()
        line = await stdout.readline()
        if not line:
            raise BenchError("the players' process ended")
        found: dict[str, Any] = json.loads(line)
        return found

    async def close(self) -> None:
        """End the process."""
        self._process.terminate()
        await self._process.wait()


async def _side(side: str, plan: Plan) -> dict[str, float]:
    """One round: connect, send pictures, answer cameras."""
    rtc.install()
    pipe = asyncio.subprocess.PIPE
    module = (sys.executable, "-m", "benchmarks.send_player")
    players = _Players(await asyncio.create_subprocess_exec(*module, stdin=pipe, stdout=pipe, limit=_LINE))
    senders = [_Sender(side) for _ in range(plan.viewers)]
    try:
        async with asyncio.timeout(3 * CONNECT_SECONDS):
            offers = (await players.ask(join=plan.viewers))["offers"]
            pairs = zip(senders, offers, strict=True)
            await players.ask(answers=[await sender.answer(offer) for sender, offer in pairs])
        gc.freeze()  # as a network process does: what was imported is not looked through for garbage
        sent = await _send(senders, plan)
        return sent | {"camera_us": await _answer_cameras(senders, players, plan)}
    finally:
        await asyncio.gather(*(sender.close() for sender in senders))
        await players.close()


async def _send(senders: Sequence[_Sender], plan: Plan) -> dict[str, float]:
    data, loop = picture(plan.octets), asyncio.get_running_loop()
    began, cpu = loop.time(), time.process_time()
    for index in range(plan.pictures):
        for sender in senders:
            sender.track.put(Packet(1, index * 3000, -1, False, data, (len(data),)))
        await asyncio.sleep(max(0.0, began + (index + 1) / plan.pace - loop.time()))
    await asyncio.sleep(_SETTLE_SECONDS)
    spent = time.process_time() - cpu
    packets = sum(sender.packets for sender in senders)
    if not packets:
        raise BenchError("no packet was sent")
    return {
        "packet_us": spent / packets * 1e6,
        "picture_us": spent / (plan.pictures * plan.viewers) * 1e6,
        "packets": packets,
    }


async def _answer_cameras(senders: Sequence[_Sender], players: _Players, plan: Plan) -> float:
    cpu = time.process_time()
    said = await players.ask(drag={"rate": CAMERAS_PER_SECOND, "seconds": plan.drag})
    spent = time.process_time() - cpu
    came = sum(sender.cameras for sender in senders)
    if came < 0.9 * said["cameras"]:
        raise BenchError(f"of {said['cameras']} cameras {came} came")
    return spent / came * 1e6

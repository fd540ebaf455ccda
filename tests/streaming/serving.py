"""The real command with the fake backend: a whole process tree on a free port. And a WHEP client that taps RTP."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import aiohttp
import psutil
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    url: str
    process: subprocess.Popen[str]

    def children(self) -> dict[str, psutil.Process]:
        """Its processes that play a role, by role."""
        named = {
            name_of(child).removeprefix("vitrine "): child for child in psutil.Process(self.process.pid).children()
        }
        return {name.replace("net-", "network-"): child for name, child in named.items() if not name.endswith("?")}


def name_of(process: psutil.Process) -> str:
    """What the kernel calls it: a process names itself when it takes a role. "" when it is gone."""
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "vitrine.py"), "serve", *arguments]


def environment(**settings: str) -> dict[str, str]:
    own = {f"VITRINE_{name.upper()}": value for name, value in settings.items()}
    usual = {"VITRINE_BACKEND": "tests.streaming.fakes:backend", "VITRINE_SPARES": "0", "VITRINE_DRAIN_SECONDS": "1"}
    return {**os.environ, **usual, "PYTHONPATH": str(ROOT), **own}


def make_models(folder: Path) -> Path:
    """Two models, and one that does not load."""
    folder.mkdir(exist_ok=True)
    for name, content in (("chair", "ok"), ("lamp", "ok"), ("broken", "bad")):
        (folder / f"{name}.glb").write_text(content)
    return folder


@contextmanager
def serving(models: Path | str, *arguments: str, log: IO[str] | None = None, **settings: str) -> Iterator[Served]:
    """Start, wait for the announcement, and end for certain. log: where its stderr goes."""
    process = subprocess.Popen(
        command("--models", str(models), "--port", "0", *arguments),
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=environment(**settings),
    )
    family: list[psutil.Process] = []
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        line = process.stdout.readline() if ready else ""
        assert "http://" in line, f"the server did not announce itself, but said {line!r}"
        yield Served(line.split()[-1].rstrip("/"), process)
    finally:
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in family:
            if child.is_running():
                child.kill()
        if process.stdout is not None:
            process.stdout.close()


@dataclass(eq=False)
class Client:
    """A WHEP viewer without a decoder. packets: RTP as it came, decrypted; messages: of the control channel."""

    url: str
    http: aiohttp.ClientSession
    codecs: tuple[str, ...] = ("video/H264", "video/VP8")
    channels: bool = True
    token: str = ""
    packets: list[bytes] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    location: str = ""
    answer: str = ""
    links: str = ""  # of the answer's Link headers
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    camera: RTCDataChannel | None = None
    control: RTCDataChannel | None = None

    def __post_init__(self) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def offer(self) -> str:
        transceiver = self.peer.addTransceiver("video", direction="recvonly")
        known = RTCRtpReceiver.getCapabilities("video").codecs
        transceiver.setCodecPreferences([codec for codec in known if codec.mimeType in (*self.codecs, "video/rtx")])
        if self.channels:
            self.camera = self.peer.createDataChannel("camera", ordered=False, maxRetransmits=0)
            self.control = self.peer.createDataChannel("control")
            self.control.on("open", self.opened.set)
            self.control.on("message", lambda text: self.messages.append(json.loads(text)))
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return str(self.peer.localDescription.sdp)

    async def join(self, model: str = "chair", query: Mapping[str, str] | None = None) -> None:
        headers = {"Content-Type": "application/sdp", **self.authorization}
        url = f"{self.url}/whep/{model}"
        sdp = await self.offer()
        async with self.http.post(url, data=sdp, headers=headers, params=dict(query or {})) as response:
            assert response.status == 201, await response.text()
            self.location, self.answer = response.headers["Location"], await response.text()
            self.links = ", ".join(response.headers.getall("Link", []))
        await self.peer.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))
        receiver: Any = self.peer.getTransceivers()[0].receiver
        receiver.transport._handle_rtp_data = self._keep
        if self.channels:
            await asyncio.wait_for(self.opened.wait(), WAIT_SECONDS)
        await self.until(lambda: self.packets)

    async def _keep(self, data: bytes, arrival_time_ms: int) -> None:
        self.packets.append(data)

    def say(self, **message: Any) -> None:
        assert self.control is not None
        self.control.send(json.dumps(message))

    def look(self, seq: int, theta: float = 0.0) -> None:
        assert self.camera is not None
        message = {"type": "camera", "seq": seq, "orbit": [theta, 75, 2], "target": [0, 0, 0], "fov": 30}
        self.camera.send(json.dumps(message))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                await asyncio.sleep(0.01)

    async def quiet(self, seconds: float) -> int:
        """RTP packets that come within so many seconds."""
        before = len(self.packets)
        await asyncio.sleep(seconds)
        return len(self.packets) - before

    async def leave(self) -> int:
        async with self.http.delete(self.url + self.location, headers=self.authorization) as response:
            status = response.status
        await self.peer.close()
        return status


@asynccontextmanager
async def client(server: Served, **options: Any) -> AsyncIterator[Client]:
    """A client that is closed at the end, politely or not."""
    async with aiohttp.ClientSession() as http:
        made = Client(server.url, http, **options)
        try:
            yield made
        finally:
            await made.peer.close()


async def gauge(server: Served, name: str) -> float:
    """The sum of a metric over all processes."""
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    values = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} "))]
    return sum(values)

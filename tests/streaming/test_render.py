"""The render process with a fake device and links that only write down: who gets packets, and whose word counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from renderer.view import View
from streaming.config import Config
from streaming.errors import SignallingError
from streaming.ipc import CameraInput, Handler, Link, Packet, Params
from streaming.render import RenderProcess
from streaming.viewspec import view_to_json
from tests.streaming.fakes import FakeBackend

VIEW = view_to_json(View(width=64, height=64))
ORBIT, TARGET = (10.0, 75.0, 1.0), (0.0, 0.0, 0.0)


class Network(Link):
    """A link to a network process that remembers what it was given."""

    def __init__(self) -> None:
        super().__init__(Handler())
        self.packets: list[Packet] = []
        self.notices: list[tuple[str, Params]] = []

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)

    def notice(self, method: str, **params: Any) -> None:
        self.notices.append((method, params))

    def sessions(self) -> list[int]:
        return [packet.session for packet in self.packets]


@asynccontextmanager
async def process(**settings: Any) -> AsyncIterator[tuple[RenderProcess, Network]]:
    backend = FakeBackend()
    made = RenderProcess(replace(Config(), **settings), backend, backend.open_thread(require_gpu=False))
    network = Network()
    made.on_notice(network, "network", {"index": 0})
    try:
        yield made, network
    finally:
        made.close()


def opening(path: Path, session: int, **more: Any) -> Params:
    path.touch()
    known = {"model": "chair", "version": "1", "path": str(path), "view": VIEW, "playing": False}
    return {**known, "session": session, "codec": "video/H264", "network": 0, "max_pixels": 1 << 20, **more}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_watchers_get_the_owners_packets_and_a_key_frame_on_joining(tmp_path: Path) -> None:
    async with process() as (render, network):
        await render.on_request("open", opening(tmp_path / "a", 1))
        await until(lambda: len(network.packets) >= 1)
        render.on_ack(1)
        await render.on_request(
            "watch", {"session": 2, "watch": 1, "network": 0, "codec": "video/H264", "connected": True}
        )
        await until(lambda: 2 in network.sessions())
        first = next(packet for packet in network.packets if packet.session == 2)
        assert first.key
        assert first.data in [packet.data for packet in network.packets if packet.session == 1]


async def test_a_watcher_moves_no_camera_and_sets_no_pace(tmp_path: Path) -> None:
    async with process() as (render, network):
        await render.on_request("open", opening(tmp_path / "a", 1))
        await render.on_request(
            "watch", {"session": 2, "watch": 1, "network": 0, "codec": "video/H264", "connected": True}
        )
        for seq in range(1, 20):
            render.on_camera(CameraInput(1, seq, (float(seq), 75.0, 1.0), TARGET, 30.0))
            render.on_camera(CameraInput(2, seq + 100, ORBIT, TARGET, 30.0))
            render.on_ack(2)
            await asyncio.sleep(0.02)
        assert network.sessions().count(1) == 2  # the window, as the owner has acknowledged nothing
        assert all(packet.seq < 100 for packet in network.packets)


async def test_watchers_end_with_the_owner_and_leave_alone(tmp_path: Path) -> None:
    async with process() as (render, network):
        await render.on_request("open", opening(tmp_path / "a", 1))
        for session in (2, 3):
            await render.on_request(
                "watch", {"session": session, "watch": 1, "network": 0, "codec": "video/H264", "connected": True}
            )
        render.on_notice(network, "gone", {"session": 2})
        told = (await render.on_request("sessions", {})).result
        assert [viewer["session"] for viewer in told] == [1]
        render.on_notice(network, "gone", {"session": 1})
        assert ("end", {"session": 3}) in network.notices
        assert ("end", {"session": 2}) not in network.notices
        with pytest.raises(SignallingError, match="has ended"):
            await render.on_request(
                "watch", {"session": 4, "watch": 1, "network": 0, "codec": "video/H264", "connected": True}
            )


async def test_a_session_of_another_codec_cannot_be_watched(tmp_path: Path) -> None:
    async with process() as (render, _):
        await render.on_request("open", opening(tmp_path / "a", 1))
        with pytest.raises(SignallingError, match="H264"):
            await render.on_request(
                "watch", {"session": 2, "watch": 1, "network": 0, "codec": "video/VP8", "connected": True}
            )


async def test_a_session_of_an_earlier_process_is_opened_again_with_its_bitrate(tmp_path: Path) -> None:
    async with process() as (render, network):
        for _ in range(2):  # the second time it exists
            await render.on_request("open", opening(tmp_path / "a", 77, bitrate=900_000))
        render.on_camera(CameraInput(77, 500, ORBIT, TARGET, 30.0))
        await until(lambda: any(packet.seq == 500 for packet in network.packets))
        told = (await render.on_request("sessions", {})).result
        assert [(viewer["session"], viewer["bitrate"]) for viewer in told] == [(77, 900_000)]


async def test_a_narrow_network_gets_a_smaller_picture_while_it_moves_and_a_whole_one_at_rest(tmp_path: Path) -> None:
    async with process() as (render, network):
        view = view_to_json(View(width=1280, height=720))
        await render.on_request("open", opening(tmp_path / "a", 1, view=view))
        await until(lambda: len(network.packets) == 1)
        render.on_notice(network, "bitrate", {"session": 1, "bitrate": 250_000, "sustained": 300_000})
        for seq in range(1, 6):
            render.on_ack(1)
            render.on_camera(CameraInput(1, seq, (36.0 * seq, 75.0, 1.0), TARGET, 30.0))
            await until(lambda seq=seq: network.packets[-1].seq == seq)  # type: ignore[misc]
        render.on_ack(1)
        told = (await render.on_request("sessions", {})).result
        assert [(viewer["bitrate"], viewer["scale"]) for viewer in told] == [(250_000, 3 / 8)]
        await until(lambda: sizes(network.packets)[-1] == (1280, 720))
        seen = sizes(network.packets)
        assert [size for size, before in zip(seen, [(0, 0), *seen], strict=False) if size != before] == [
            (1280, 720),
            (480, 272),
            (1280, 720),
        ]
        changes = [index for index, size in enumerate(seen) if index == 0 or size != seen[index - 1]]
        assert all(network.packets[index].key for index in changes)


def sizes(packets: list[Packet]) -> list[tuple[int, int]]:
    """Width and height of each picture, as a player decodes it."""
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.flags |= Flags.low_delay
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.data))]
    frames += decoder.decode(None)
    return [(frame.width, frame.height) for frame in frames]


async def test_load_figures_tell_who_moves_and_what_it_takes(tmp_path: Path) -> None:
    async with process() as (render, network):
        for session in (1, 2):
            await render.on_request("open", opening(tmp_path / "a", session))
        for seq in range(20):
            render.on_camera(CameraInput(1, seq, (float(seq), 75.0, 1.0), TARGET, 30.0))
            await asyncio.sleep(0.02)
            render.on_ack(1)
        await until(lambda: network.sessions().count(1) >= 5)
        busy = (await render.on_request("busy", {})).result
        assert busy["sessions"] == 2
        assert 1 <= busy["moving"] <= 2
        assert 0 < busy["encode"] < 1
        assert 0 < busy["render"] < 1
        names = {metric["name"] for metric in (await render.on_request("stats", {})).result}
        assert {"vitrine_busy_share", "vitrine_late_share", "vitrine_moving_sessions"} <= names

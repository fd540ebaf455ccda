"""Messages between processes arrive whole, in order, and nothing is waited for in vain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streaming.errors import ProcessLost, SignallingError
from streaming.ipc import Answer, CameraInput, Handler, Link, Packet, Params, connect, listen


class Recorder(Handler):
    def __init__(self) -> None:
        self.got: list[Any] = []
        self.lost = asyncio.Event()
        self.links: list[Link] = []

    async def on_request(self, method: str, params: Params) -> Answer:
        if method == "echo":
            return Answer(params, b"blob" * 50_000)
        if method == "hang":
            await asyncio.Event().wait()
        if method == "crash":
            raise RuntimeError("bug")
        return await super().on_request(method, params)

    def on_notice(self, link: Link, method: str, params: Params) -> None:
        self.links.append(link)
        self.got.append((method, params))

    def on_packet(self, packet: Packet) -> None:
        self.got.append(packet)

    def on_ack(self, session: int) -> None:
        self.got.append(session)

    def on_camera(self, camera: CameraInput) -> None:
        self.got.append(camera)

    def on_lost(self, link: Link) -> None:
        self.lost.set()


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[tuple[Link, Recorder, Recorder]]:
    ours, theirs = Recorder(), Recorder()
    server = await listen(str(folder / "s.sock"), theirs)
    link = await connect(str(folder / "s.sock"), ours, "peer")
    try:
        yield link, ours, theirs
    finally:
        link.close()
        server.close()
        await asyncio.wait_for(theirs.lost.wait(), 5)


async def test_everything_arrives_as_it_was_sent(tmp_path: Path) -> None:
    async with pair(tmp_path) as (link, _, theirs):
        packet = Packet(7, 2**32 - 1, -1, True, bytes(range(256)) * 2000, (500_000, 12_000))
        plain = Packet(8, 0, 5, False, b"x")
        camera = CameraInput(7, 2**53, (1.5, 2.5, 3.5), (-1.0, 0.0, 1.0), 30.0)
        link.notice("hello", role="x")
        link.packet(packet)
        link.packet(plain)
        link.packet(Packet(9, 0, 5, False, b"x" * 256, (1,) * 256))  # more than cross: they are looked for again
        link.camera(camera)
        link.ack(7)
        await link.request("echo")
        assert theirs.got == [("hello", {"role": "x"}), packet, plain, Packet(9, 0, 5, False, b"x" * 256), camera, 7]


async def test_small_messages_leave_together_in_order_with_what_is_large(tmp_path: Path) -> None:
    async with pair(tmp_path) as (link, _, theirs):
        for session in range(100):
            link.ack(session)
        link.notice("between")
        link.ack(100)
        await link.request("echo")
        assert theirs.got == [*range(100), ("between", {}), 100]


async def test_the_last_acknowledgement_crosses_before_a_link_is_closed(tmp_path: Path) -> None:
    async with pair(tmp_path) as (link, _, theirs):
        link.ack(7)
        link.close()
        await asyncio.wait_for(theirs.lost.wait(), 5)
        assert theirs.got == [7]


async def test_requests_are_answered_with_blobs_out_of_order(tmp_path: Path) -> None:
    async with pair(tmp_path) as (link, _, _theirs):
        hanging = asyncio.ensure_future(link.request("hang"))
        answer = await link.request("echo", a=[1, "ü"])
        assert (answer.result, len(answer.blob)) == ({"a": [1, "ü"]}, 200_000)
        hanging.cancel()


async def test_errors_travel_back(tmp_path: Path) -> None:
    async with pair(tmp_path) as (link, _, _theirs):
        with pytest.raises(SignallingError) as refused:
            await link.request("unheard of")
        assert (refused.value.status, refused.value.code) == (500, "unknown-method")
        with pytest.raises(SignallingError) as crashed:
            await link.request("crash")
        assert crashed.value.code == "internal"
        assert "bug" not in str(crashed.value)


async def test_whoever_waits_is_told_when_the_peer_goes(tmp_path: Path) -> None:
    async with pair(tmp_path) as (link, ours, theirs):
        hanging = asyncio.ensure_future(link.request("hang"))
        link.notice("here")
        while not theirs.links:
            await asyncio.sleep(0.001)
        theirs.links[0].close()
        with pytest.raises(ProcessLost):
            await hanging
        await asyncio.wait_for(ours.lost.wait(), 5)
        with pytest.raises(ProcessLost):
            await link.request("echo")


async def test_a_peer_that_breaks_the_framing_is_dropped(tmp_path: Path) -> None:
    async with pair(tmp_path) as (_, _ours, theirs):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s.sock"))
        writer.write(b"\xff" * 100)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await theirs.lost.wait()

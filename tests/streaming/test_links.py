"""A link to a role outlives the processes that play it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streaming.errors import ProcessLost, SignallingError
from streaming.ipc import Answer, Handler, Link, Params, listen
from streaming.links import Peer


class Process(Handler):
    """Answers `name`, is silent about `hang`, and can die."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.links: list[Link] = []
        self.asked = asyncio.Event()

    async def on_request(self, method: str, params: Params) -> Answer:
        self.asked.set()
        if method == "hang":
            await asyncio.Event().wait()
        return Answer(self.name)

    def on_notice(self, link: Link, method: str, params: Params) -> None:
        self.links.append(link)


class Greeting(Peer):
    """Says who it is; refuses to speak with "stranger"."""

    def __init__(self, path: str) -> None:
        super().__init__("role", path)
        self.parts = 0

    async def greet(self, link: Link) -> None:
        link.notice("hello")
        if (await link.request("name")).result == "stranger":
            raise SignallingError(400, "stranger", "not you")

    def parted(self) -> None:
        self.parts += 1


@asynccontextmanager
async def playing(path: Path, name: str) -> AsyncIterator[Process]:
    path.unlink(missing_ok=True)
    process = Process(name)
    server = await listen(str(path), process)
    yield process
    server.close()
    for link in process.links:
        link.close()


@asynccontextmanager
async def peer(path: Path) -> AsyncIterator[Greeting]:
    made = Greeting(str(path))
    made.start()
    yield made
    await made.close()


async def test_a_request_waits_for_who_plays_next(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with peer(path) as role:
        asked = asyncio.ensure_future(role.request("name"))
        async with playing(path, "first"):
            assert (await asked).result == "first"
        async with asyncio.timeout(5):
            while role.ready.is_set():
                await asyncio.sleep(0.01)
        assert role.parts == 1
        async with playing(path, "second"):
            assert (await role.request("name")).result == "second"


async def test_patience_ends(tmp_path: Path) -> None:
    async with peer(tmp_path / "s") as role:
        with pytest.raises(ProcessLost, match="starting"):
            await role.request("name", patience=0.01)


@pytest.mark.parametrize("again", [True, False])
async def test_what_a_process_died_over_is_asked_again_only_where_that_is_wanted(tmp_path: Path, again: bool) -> None:
    path = tmp_path / "s"
    async with peer(path) as role:
        async with playing(path, "first") as process:
            await asyncio.wait_for(role.ready.wait(), 5)
            process.asked.clear()
            asked = asyncio.ensure_future(role.request("hang", again=again))
            await process.asked.wait()
        async with playing(path, "second") as process:
            if again:
                await asyncio.wait_for(process.asked.wait(), 5)
                asked.cancel()
            else:
                with pytest.raises(ProcessLost):
                    await asked


async def test_who_is_not_understood_is_left_and_the_next_one_tried(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with peer(path) as role:
        async with playing(path, "stranger") as process:
            await asyncio.wait_for(process.asked.wait(), 5)
            await asyncio.sleep(0.05)
            assert not role.ready.is_set()
        async with playing(path, "friend"):
            assert (await role.request("name")).result == "friend"

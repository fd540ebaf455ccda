"""Models are loaded once for all who wait, fail for all who wait, and leave by least recent use."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from streaming.errors import SignallingError
from streaming.models import Loaded, ModelCache
from tests.streaming.fakes import FakeBackend, FakeThread


class CountingBackend(FakeBackend):
    def __init__(self) -> None:
        self.loads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def load_scene(self, path: Path) -> Any:
        self.loads.append(path.name)
        self.gate.wait(5)
        return super().load_scene(path)


class Shelf:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backend, self.thread = CountingBackend(), FakeThread()
        self.pool = ThreadPoolExecutor(1)
        self.cache = ModelCache(self.backend, self.thread, 2500, 28.0, self.pool)

    async def acquire(self, name: str, content: str = "ok", version: str = "1") -> Loaded:
        path = self.folder / f"{name}.glb"
        path.write_text(content)
        return await self.cache.acquire((name, version), path)

    async def on_device(self) -> int:
        return await asyncio.wrap_future(self.thread.submit(lambda engine: engine.models))


@pytest_asyncio.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.cache.close()
    assert await made.on_device() == 0
    made.pool.shutdown()
    made.thread.close()


async def test_many_who_wait_cause_one_load(shelf: Shelf) -> None:
    shelf.backend.gate.clear()
    waiting = [asyncio.ensure_future(shelf.acquire("chair")) for _ in range(10)]
    await asyncio.sleep(0.02)
    shelf.backend.gate.set()
    entries = await asyncio.gather(*waiting)
    assert shelf.backend.loads == ["chair.glb"]
    assert {id(entry) for entry in entries} == {id(entries[0])}
    assert entries[0].users == 10


async def test_one_who_gives_up_does_not_take_it_from_the_others(shelf: Shelf) -> None:
    shelf.backend.gate.clear()
    first, second = (asyncio.ensure_future(shelf.acquire("chair")) for _ in range(2))
    await asyncio.sleep(0.02)
    first.cancel()
    shelf.backend.gate.set()
    assert (await second).users == 1


async def test_a_bad_file_is_422_for_everybody_and_can_be_tried_again(shelf: Shelf) -> None:
    for _ in range(2):
        with pytest.raises(SignallingError, match="not a model") as caught:
            await shelf.acquire("chair", content="bad")
        assert (caught.value.status, caught.value.code) == (422, "bad-model")
    assert (await shelf.acquire("chair")).users == 1


async def test_least_recently_used_leave_and_those_in_use_stay(shelf: Shelf) -> None:
    held = await shelf.acquire("a")
    for name in ("b", "c", "d"):
        shelf.cache.release(await shelf.acquire(name))
    assert held.users == 1
    assert {key[0] for key in shelf.cache._loaded} == {"a", "d"}
    assert await shelf.on_device() == 2
    await shelf.acquire("a")
    assert shelf.backend.loads.count("a.glb") == 1


async def test_a_changed_file_is_another_model(shelf: Shelf) -> None:
    first = await shelf.acquire("a", version="1")
    second = await shelf.acquire("a", version="2")
    assert first is not second

"""A spare render process has read what the playing one shows: bounded, and never in the way of an error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from streaming.ahead import MODELS, REHEARSAL, Ahead
from tests.streaming.fakes import FakeEngine, FakeThread
from tests.streaming.test_models import CountingBackend, Shelf, shelf

__all__ = ["shelf"]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture
def thread() -> Iterator[FakeThread]:
    made = FakeThread()
    yield made
    assert made.submit(lambda engine: engine.models).result() == 0
    made.close()


def files(folder: Path, count: int) -> list[tuple[str, str, str]]:
    for number in range(count):
        (folder / f"{number}.glb").write_text("ok")
    return [(str(number), "1", str(folder / f"{number}.glb")) for number in range(count)]


async def test_what_is_wanted_is_read_once_and_handed_over(
    tmp_path: Path, pool: ThreadPoolExecutor, thread: FakeThread
) -> None:
    backend = CountingBackend()
    ahead = Ahead(backend, pool, thread)
    wanted = files(tmp_path, 2)
    ahead.want(wanted)
    ahead.want(wanted)
    assert await ahead.take(("1", "1")) == tmp_path / "1.glb"
    assert await ahead.take(("1", "1")) is None
    assert await ahead.take(("1", "2")) is None
    assert sorted(backend.loads) == ["0.glb", "1.glb"]
    ahead.close()


async def test_no_more_than_a_few_are_kept_and_what_is_not_wanted_goes(
    tmp_path: Path, pool: ThreadPoolExecutor, thread: FakeThread
) -> None:
    ahead = Ahead(CountingBackend(), pool, thread)
    wanted = files(tmp_path, MODELS + 2)
    ahead.want(wanted)
    assert await ahead.take((str(MODELS), "1")) is None
    ahead.want(wanted[1:2])
    assert await ahead.take(("0", "1")) is None
    assert await ahead.take(("1", "1")) is not None
    ahead.close()


async def test_a_broken_file_is_left_to_who_asks(tmp_path: Path, pool: ThreadPoolExecutor, thread: FakeThread) -> None:
    (tmp_path / "bad.glb").write_text("bad")
    ahead = Ahead(CountingBackend(), pool, thread)
    ahead.want([("bad", "1", str(tmp_path / "bad.glb"))])
    assert await ahead.take(("bad", "1")) is None
    ahead.close()


async def test_the_cache_takes_what_was_read_and_tells_what_it_shows(shelf: Shelf) -> None:
    told: list[list[tuple[str, str, str]]] = []
    shelf.cache.changed = lambda: told.append(shelf.cache.most_used())
    path = shelf.folder / "chair.glb"
    path.write_text("ok")
    shelf.cache.ahead.want([("chair", "1", str(path))])
    await shelf.acquire("chair")
    await shelf.acquire("lamp")
    assert shelf.backend.loads == ["chair.glb", "lamp.glb"]
    assert told[-1] == [("chair", "1", str(path)), ("lamp", "1", str(shelf.folder / "lamp.glb"))]  # one is in use


async def test_each_is_drawn_once_and_leaves_the_device(
    tmp_path: Path, pool: ThreadPoolExecutor, thread: FakeThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    begin = FakeEngine.begin

    def watched(engine: FakeEngine, model: Any, view: Any, **options: Any) -> Any:
        drawn.append((model.path.name, view))
        return begin(engine, model, view, **options)

    monkeypatch.setattr(FakeEngine, "begin", watched)
    ahead = Ahead(CountingBackend(), pool, thread)
    wanted = files(tmp_path, 2)
    ahead.want(wanted[:1])
    async with asyncio.timeout(5):
        while not drawn:
            await asyncio.sleep(0.01)
    ahead.soon_over()
    ahead.want(wanted)
    assert await ahead.take(("1", "1")) is not None
    thread.submit(lambda engine: None).result()
    assert drawn == [("0.glb", REHEARSAL)]
    ahead.close()

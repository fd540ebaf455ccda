"""The gateway's view of a store: one fetch for all who wait, errors in words, nothing that blocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from assets.errors import CorruptError, ForbiddenError, FullError, NotFoundError, StoreError, UnavailableError
from streaming.errors import SignallingError
from streaming.library import CORRUPT_SECONDS, SMALL_THREADS, WAITING, Library, answer
from streaming.metrics import StoreMetrics
from tests.streaming.stores import FakeStore


class Case:
    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.registry = CollectorRegistry()
        self.store = FakeStore(folder)
        self.library = Library(self.store, StoreMetrics(self.registry), 2, lambda: self.now)

    def number(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@pytest_asyncio.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    made = Case(tmp_path)
    yield made
    for gate in made.store.gates.values():
        gate.set()
    await made.library.close()
    assert made.store.closed


async def test_fifty_who_ask_cause_one_fetch_and_are_told_how_far_it_is(case: Case) -> None:
    asset = case.store.publish("chair", "1")
    gate = case.store.gates["model"] = threading.Event()
    told: list[list[int]] = [[] for _ in range(50)]
    waiting = [
        asyncio.ensure_future(case.library.file(asset, progress=lambda done, _, seen=seen: seen.append(done)))
        for seen in told
    ]
    while not all(told):
        await asyncio.sleep(0.005)
    gate.set()
    paths = await asyncio.gather(*waiting)
    assert len(set(paths)) == 1
    assert case.store.asked == [("chair", "1", "model")]
    assert {seen[0] for seen in told} == {10}
    assert case.number("vitrine_store_fetches_total", source="store") == 1
    assert case.number("vitrine_store_fetched_bytes_total") == 100


async def test_what_is_at_hand_is_no_fetch(case: Case) -> None:
    case.store.at_hand = True
    await case.library.file(case.store.publish("chair", "1"))
    assert case.number("vitrine_store_fetches_total", source="cache") == 1
    assert case.number("vitrine_store_fetched_bytes_total") == 0


async def test_small_files_listings_and_news_do_not_wait_behind_whole_models(case: Case) -> None:
    gate = case.store.gates["model"] = threading.Event()
    assets = [case.store.publish(name, "1", "preview") for name in ("a", "b", "c", "d")]
    waiting = [asyncio.ensure_future(case.library.file(asset)) for asset in assets]
    async with asyncio.timeout(5):
        assert len(await case.library.list()) == 4
        assert (await case.library.find("a")).version == "1"
        assert await case.library.news() == {"a", "b", "c", "d"}
        await asyncio.gather(*(case.library.file(asset, "preview") for asset in assets[: SMALL_THREADS + 1]))
    assert [part for _, _, part in case.store.asked].count("model") == 2  # as many as were allowed
    assert not any(task.done() for task in waiting)
    gate.set()
    await asyncio.gather(*waiting)


async def test_one_who_gives_up_does_not_take_it_from_the_others(case: Case) -> None:
    asset = case.store.publish("chair", "1")
    gate = case.store.gates["model"] = threading.Event()
    first, second = (asyncio.ensure_future(case.library.file(asset)) for _ in range(2))
    await asyncio.sleep(0.02)
    first.cancel()
    gate.set()
    assert (await second).exists()


async def test_a_failure_is_told_to_all_for_a_moment_and_then_tried_again(case: Case) -> None:
    asset = case.store.publish("chair", "1")
    gate = case.store.gates["model"] = threading.Event()
    waiting = [asyncio.ensure_future(case.library.file(asset)) for _ in range(3)]
    while not case.store.asked:
        await asyncio.sleep(0.005)
    case.store.error = CorruptError("chair: other bytes than were published")
    gate.set()
    for task in waiting:
        with pytest.raises(SignallingError, match="other bytes") as caught:
            await task
        assert (caught.value.status, caught.value.code) == (502, "corrupt")
    case.store.error = None
    with pytest.raises(SignallingError, match="other bytes"):
        await case.library.file(asset)
    assert len(case.store.asked) == 1
    assert case.number("vitrine_store_failures_total", code="corrupt") == 1
    case.now += CORRUPT_SECONDS
    assert (await case.library.file(asset)).exists()


async def test_no_more_than_so_many_files_are_wanted_at_once(case: Case) -> None:
    gate = case.store.gates["model"] = threading.Event()
    assets = [case.store.publish(f"m{index}", "1") for index in range(WAITING + 1)]
    waiting = [asyncio.ensure_future(case.library.file(asset)) for asset in assets[:-1]]
    await asyncio.sleep(0)
    with pytest.raises(SignallingError, match="try again") as caught:
        await case.library.file(assets[-1])
    assert caught.value.status == 503
    gate.set()
    await asyncio.gather(*waiting)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFoundError("x"), 404, "not-found"),
        (CorruptError("x"), 502, "corrupt"),
        (UnavailableError("x"), 503, "store"),
        (ForbiddenError("x"), 503, "store"),
        (FullError("x"), 503, "store"),
        (StoreError("two\nlines"), 503, "store"),
    ],
)
def test_every_fault_of_a_store_has_a_code(error: StoreError, status: int, code: str) -> None:
    told = answer(error)
    assert (told.status, told.code) == (status, code)
    assert "\n" not in str(told)

"""Models on their way: one job for all, previews first, failures of one model alone, and what is told meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from assets.errors import UnavailableError
from streaming import preparing
from streaming.errors import SignallingError
from streaming.following import Following
from streaming.library import Library
from streaming.metrics import StoreMetrics
from streaming.preparing import BAD_SECONDS, Job, Preparing
from tests.streaming.stores import FakeRender, FakeStore


class Case:
    def __init__(self, folder: Path, seconds: float = 5.0) -> None:
        self.now = 0.0
        self.store, self.render = FakeStore(folder), FakeRender()
        metrics = StoreMetrics(CollectorRegistry())
        self.library = Library(self.store, metrics, 2, lambda: self.now)
        self.preparing = Preparing(self.library, self.render, metrics, seconds, lambda: self.now)

    def hold(self, part: str) -> threading.Event:
        return self.store.gates.setdefault(part, threading.Event())


@pytest_asyncio.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    made = Case(tmp_path)
    yield made
    for gate in made.store.gates.values():
        gate.set()
    await made.preparing.close()
    await made.library.close()


async def test_fifty_viewers_one_fetch_one_reading(case: Case) -> None:
    asset = case.store.publish("chair", "1")
    gate = case.hold("model")
    waiting = [asyncio.ensure_future(case.preparing.first(asset)) for _ in range(50)]
    await asyncio.sleep(0.02)
    gate.set()
    shown = await asyncio.gather(*waiting)
    assert {one.name for one in shown} == {"1"}
    assert case.store.asked == [("chair", "1", "model")]
    assert case.render.loads == ["chair 1"]


async def test_a_preview_comes_first_and_the_whole_goes_on(case: Case) -> None:
    asset = case.store.publish("chair", "1", "preview")
    gate = case.hold("model")
    shown = await case.preparing.first(asset)
    assert (shown.part, shown.name, shown.path.name) == ("preview", "1~preview", "chair-1-preview.glb")
    assert case.store.asked[0] == ("chair", "1", "preview")
    gate.set()
    assert (await case.preparing.whole(asset)).name == "1"
    assert case.render.loads == ["chair 1~preview", "chair 1"]


async def test_what_is_loaded_needs_no_preview(case: Case) -> None:
    asset = case.store.publish("chair", "1", "preview")
    await case.preparing.whole(asset)
    assert (await case.preparing.first(asset)).part == "model"
    assert [part for _, _, part in case.store.asked] == ["model", "model"]


async def test_a_whole_that_comes_at_once_is_not_preceded_for_a_moment_by_its_preview(case: Case) -> None:
    case.store.at_hand = True
    assert (await case.preparing.first(case.store.publish("chair", "1", "preview"))).part == "model"


async def test_a_preview_that_cannot_be_read_is_done_without(case: Case) -> None:
    asset = case.store.publish("chair", "1", "preview")
    case.render.errors = [SignallingError(422, "bad-model", "not a model")]
    for _ in range(2):
        assert (await case.preparing.first(asset)).part == "model"


async def test_a_model_that_cannot_be_read_is_refused_unread_for_a_while(case: Case) -> None:
    asset = case.store.publish("chair", "1")
    case.render.errors = [SignallingError(422, "bad-model", "not a model")]
    for _ in range(2):
        with pytest.raises(SignallingError, match="not a model") as caught:
            await case.preparing.whole(asset)
        assert (caught.value.status, caught.value.code) == (422, "bad-model")
    assert len(case.store.asked) == 1
    assert (await case.preparing.whole(case.store.publish("chair", "2"))).name == "2"
    case.now += BAD_SECONDS
    assert (await case.preparing.whole(asset)).name == "1"


async def test_a_file_that_leaves_the_cache_too_early_is_fetched_once_more(case: Case) -> None:
    asset = case.store.publish("chair", "1")
    case.render.errors = [SignallingError(503, "no-file", "gone")]
    assert (await case.preparing.whole(asset)).name == "1"
    assert len(case.store.asked) == 2
    case.render.errors = [SignallingError(503, "no-file", "gone")] * 2
    with pytest.raises(SignallingError, match="gone"):
        await case.preparing.whole(asset)


async def test_who_waits_does_so_for_a_time_that_is_bounded_and_the_work_goes_on(tmp_path: Path) -> None:
    case = Case(tmp_path, seconds=0.02)
    asset = case.store.publish("chair", "1")
    gate = case.hold("model")
    with pytest.raises(SignallingError, match="still being fetched") as caught:
        await case.preparing.whole(asset)
    assert (caught.value.status, caught.value.code) == (503, "loading")
    job = case.preparing.job("chair")
    assert job is not None
    gate.set()
    while not job.over:
        await asyncio.sleep(0.005)
    assert case.store.asked == [("chair", "1", "model")]
    await case.library.close()


async def test_who_could_have_a_preview_waits_no_longer_than_others(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = case.store.publish("chair", "1", "preview")
    case.hold("preview")
    case.hold("model")
    waits: list[float] = []

    async def in_vain(_one: Job, _other: Job | None, seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(preparing, "_either", in_vain)
    async with asyncio.timeout(2.5):  # of the 5 that it may take: all of them have passed already
        with pytest.raises(SignallingError) as caught:
            await case.preparing.first(asset)
    assert (caught.value.code, waits) == ("loading", [5.0])


async def test_a_session_finds_its_own_version_again_or_the_present_one(case: Case) -> None:
    case.store.publish("chair", "1")
    case.store.publish("chair", "2")
    assert (await case.preparing.locate("chair", "1~preview")).name == "1"
    del case.store.releases["chair"][0]
    assert (await case.preparing.locate("chair", "1")).name == "2"
    del case.store.releases["chair"]
    with pytest.raises(SignallingError) as caught:
        await case.preparing.locate("chair", "1")
    assert caught.value.code == "not-found"


# -- what is told ---------------------------------------------------------------------------------------------------


async def told(case: Case, model: str) -> list[tuple[str, dict[str, object]]]:
    """All events of one stream, until its end."""
    following = Following(case.preparing)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await following.stream(request, await case.library.find(model), "/files/chair/1/poster.webp")

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server, ClientSession() as http, http.get(server.make_url("/")) as response:
        assert response.content_type == "text/event-stream"
        blocks = (await response.text()).strip().split("\n\n")
    lines = [block.split("\n") for block in blocks if not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in lines]


async def test_progress_is_told_from_the_first_byte_to_the_end(case: Case) -> None:
    asset = case.store.publish("chair", "1")
    gate = case.hold("model")
    waiting = asyncio.ensure_future(case.preparing.whole(asset))
    while not case.store.asked:
        await asyncio.sleep(0.005)
    asyncio.get_running_loop().call_later(0.25, gate.set)
    events = await told(case, "chair")
    assert events[0] == ("poster", {"url": "/files/chair/1/poster.webp"})
    assert ("progress", {"stage": "fetch", "done": 10, "total": 100}) in events
    assert events[-1] == ("end", {"outcome": "ready"})
    await waiting


async def test_the_end_says_what_failed(case: Case) -> None:
    asset = case.store.publish("chair", "1")
    gate = case.hold("model")
    waiting = asyncio.ensure_future(case.preparing.whole(asset))
    while not case.store.asked:
        await asyncio.sleep(0.005)
    events = asyncio.ensure_future(told(case, "chair"))
    await asyncio.sleep(0.15)
    case.store.error = UnavailableError("the store does not answer")
    gate.set()
    name, data = (await events)[-1]
    assert (name, data["outcome"], data["code"]) == ("end", "failed", "store")
    with pytest.raises(SignallingError, match="does not answer"):
        await waiting


async def test_where_nothing_is_under_way_that_is_said(case: Case) -> None:
    case.store.publish("chair", "1")
    assert (await told(case, "chair"))[-1] == ("end", {"outcome": "idle"})
    assert case.store.asked == []

"""A preview gives way to the whole: in the scheduler, in the render process, and by whoever watches over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from streaming import exchange
from streaming.config import Config
from streaming.errors import SignallingError
from streaming.events import Events
from streaming.exchange import Exchanges
from streaming.ipc import Answer, CameraInput, Params
from streaming.library import Library
from streaming.metrics import StoreMetrics
from streaming.popular import LIMIT, NAME, Popular
from streaming.preparing import Preparing
from streaming.render import RenderProcess
from streaming.sessions import Entry, Sessions
from streaming.shelf import Shelf
from streaming.state import Facts
from tests.streaming.fakes import FakeBackend, FixedGovernor
from tests.streaming.stores import FakeRender, FakeStore
from tests.streaming.test_render import Network, opening, until
from tests.streaming.world import World, at

# -- the scheduler --------------------------------------------------------------------------------------------------


def test_at_rest_the_refined_picture_of_the_new_model_is_next_with_nothing_coarse_before() -> None:
    world = World()
    stream = world.stream(at(10), scale=0.5)
    world.advance(1)
    before = len(world.shots)
    world.scheduler.exchange(stream, "whole", FixedGovernor(0.5))
    world.advance(1)
    shots = [shot for _, shot, _ in world.shots[before:]]
    assert [shot.frame.samples for shot in shots if shot.still] == [4]
    assert all(shot.frame.scale == 1.0 for shot in shots)
    assert stream.model == "whole"
    world.advance(10)
    assert len(world.shots) == before + len(shots)  # and then silence


def test_who_moves_sees_the_new_model_in_the_next_picture() -> None:
    world = World()
    stream = world.stream(at(10))
    world.advance(0.001)
    world.scheduler.exchange(stream, "whole", FixedGovernor())
    world.scheduler.change(stream, at(20, 1))
    world.advance(0.1)
    assert world.thetas()[-1] == 20
    assert stream.drawn == stream.version


# -- the render process ---------------------------------------------------------------------------------------------


class Previews(FakeBackend):
    """A preview knows no variants, and a file called `grown` is larger."""

    def facts(self, engine: Any, model: Any) -> Facts:
        facts = super().facts(engine, model)
        return replace(facts, variants=()) if "preview" in model.path.name else facts


@pytest_asyncio.fixture
async def process() -> AsyncIterator[tuple[RenderProcess, Network]]:
    backend = Previews()
    made = RenderProcess(Config(), backend, backend.open_thread(require_gpu=False))
    network = Network()
    made.on_notice(network, "network", {"index": 0})
    yield made, network
    made.close()


def said(network: Network, kind: str) -> list[tuple[int, str]]:
    """Control messages of that type: session and text."""
    told = [params for method, params in network.notices if method == "control"]
    return [(params["session"], params["text"]) for params in told if f'"type":"{kind}"' in params["text"]]


def message(session: int, **content: Any) -> Params:
    return {"session": session, "message": content}


async def test_the_whole_takes_the_place_of_a_preview_and_nothing_that_was_chosen_is_lost(
    process: tuple[RenderProcess, Network], tmp_path: Path
) -> None:
    render, network = process
    await render.on_request("open", opening(tmp_path / "preview.glb", 1, version="1~preview"))
    await render.on_request("watch", {"session": 2, "watch": 1, "network": 0, "codec": "video/H264", "connected": True})
    await until(lambda: {1, 2} <= {*network.sessions()})
    render.on_camera(CameraInput(1, 7, (123.0, 75.0, 2.0), (0.0, 0.0, 0.0), 30.0))
    render.on_notice(network, "message", message(1, type="variant", name="oak"))
    assert said(network, "error") == []
    whole = tmp_path / "whole.glb"
    whole.touch()
    told = {"session": 1, "model": "chair", "version": "1", "path": str(whole)}
    before = len(network.packets)
    await render.on_request("exchange", told)
    viewer = render._viewers[1]
    assert (viewer.state.seq, viewer.state.view.orbit.theta, viewer.state.view.variant) == (7, 123.0, "oak")
    assert viewer.model.path == whole
    assert sorted(session for session, _ in said(network, "ready")) == [1, 2]
    await until(lambda: _acknowledged(render, network, before))
    assert [entry["version"] for entry in (await render.on_request("sessions", {})).result] == ["1"]
    assert not any(packet.key for packet in network.packets[before:] if packet.session == 1)  # the same stream
    render.on_notice(network, "message", message(1, type="variant", name="steel"))
    assert "unknown-variant" in said(network, "error")[0][1]
    with pytest.raises(SignallingError, match="its file has gone") as caught:
        await render.on_request("exchange", {**told, "version": "2", "path": str(tmp_path / "evicted.glb")})
    assert caught.value.code == "no-file"
    assert (await render.on_request("loaded", {"model": "chair", "version": "1"})).result is True


def _acknowledged(render: RenderProcess, network: Network, before: int) -> bool:
    render.on_ack(1)
    return any(packet.seq == 7 for packet in network.packets[before:])


async def test_a_session_that_has_ended_is_not_exchanged_and_holds_no_model(
    process: tuple[RenderProcess, Network], tmp_path: Path
) -> None:
    render, _ = process
    (tmp_path / "whole.glb").touch()
    told = {"session": 9, "model": "chair", "version": "1", "path": str(tmp_path / "whole.glb")}
    await render.on_request("exchange", told)
    assert [entry.users for entry in render.models._loaded.values()] == [0]


async def test_nobody_sees_the_channels_of_a_secret_model(
    process: tuple[RenderProcess, Network], tmp_path: Path
) -> None:
    render, network = process
    await render.on_request("open", opening(tmp_path / "a.glb", 1, secret=True))
    render.on_notice(network, "message", message(1, type="channel", name="normal"))
    assert "unknown-channel" in said(network, "error")[0][1]


async def test_a_model_that_is_published_again_as_secret_is_so_for_those_who_show_it_already(
    process: tuple[RenderProcess, Network], tmp_path: Path
) -> None:
    render, network = process
    await render.on_request("open", opening(tmp_path / "a.glb", 1))
    await render.on_request("open", opening(tmp_path / "a.glb", 2, secret=True))  # the same bytes: the same version
    viewers = [render._viewers[number] for number in (1, 2)]
    assert viewers[0].model is viewers[1].model
    assert viewers[0].model.secret
    render.on_notice(network, "message", message(1, type="channel", name="normal"))
    assert "unknown-channel" in said(network, "error")[0][1]


# -- the gateway ----------------------------------------------------------------------------------------------------


class Place:
    """A network process that notes what it is asked."""

    role = "network-0"

    def __init__(self) -> None:
        self.asked: list[Params] = []

    async def request(self, method: str, **params: Any) -> Answer:
        self.asked.append({"method": method, **params})
        return Answer({})

    def notice(self, method: str, **params: Any) -> None:
        pass


class Hall:
    """A gateway's models and sessions."""

    def __init__(self, folder: Path) -> None:
        self.store, self.render, self.place = FakeStore(folder), FakeRender(), Place()
        metrics = StoreMetrics(CollectorRegistry())
        self.sessions = Sessions(Events())
        self.library = Library(self.store, metrics, 2)
        self.preparing = Preparing(self.library, self.render, metrics, 5.0)
        self.exchanges = Exchanges(self.library, self.preparing, self.sessions, metrics)

    def session(self, shows: str, model: str = "chair") -> Entry:
        entry = self.sessions.begin(self.place, model, ufrag=None, address="", token="")
        entry.shows = shows
        self.exchanges.follow(entry)
        return entry

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.place.asked) < count:
                await asyncio.sleep(0.005)


@pytest_asyncio.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    made = Hall(tmp_path)
    yield made
    await made.exchanges.close()
    await made.preparing.close()
    await made.library.close()


async def test_every_session_with_a_preview_gets_the_whole_of_its_own_version(hall: Hall) -> None:
    hall.store.publish("chair", "1")
    hall.store.publish("chair", "2")
    old, new, whole = hall.session("1~preview"), hall.session("2~preview"), hall.session("2")
    await hall.until(2)
    assert {each["session"]: each["version"] for each in hall.place.asked} == {old.number: "1", new.number: "2"}
    assert [entry.shows for entry in (old, new, whole)] == ["1", "2", "2"]


async def test_a_store_that_fails_is_asked_again_for_those_who_are_still_there(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "PATIENCE_SECONDS", 0.01)
    hall.store.publish("chair", "1")
    hall.render.errors = [SignallingError(503, "store", "not now"), SignallingError(503, "suspect", "not now")]
    stays, leaves = hall.session("1~preview"), hall.session("1~preview")
    hall.sessions.forget(leaves, "ended")
    await hall.until(1)
    assert [each["session"] for each in hall.place.asked] == [stays.number]
    assert hall.render.errors == []


async def test_sessions_keep_the_preview_of_a_model_that_cannot_be_read(hall: Hall) -> None:
    hall.store.publish("chair", "1")
    hall.render.errors = [SignallingError(422, "bad-model", "not a model")]
    entry = hall.session("1~preview")
    while hall.exchanges._tasks:
        await asyncio.sleep(0.005)
    assert (hall.place.asked, entry.shows, hall.exchanges._waiting) == ([], "1~preview", {})


# -- what is at hand ------------------------------------------------------------------------------------------------


async def test_new_versions_are_found_while_the_host_runs_and_fetched_for_those_who_will_want_them(
    tmp_path: Path,
) -> None:
    store, render = FakeStore(tmp_path), FakeRender()
    sessions = Sessions(Events())
    config = Config(refresh_seconds=0.02, warm=("lamp",), cache_folder=str(tmp_path / "cache"), warm_hottest=1)
    shelf = Shelf(config, store, sessions, render, StoreMetrics(CollectorRegistry()))
    for model in ("chair", "lamp", "vase"):
        store.publish(model, "1")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / NAME).write_text('{"vase": 3, "chair": 2}')
    await shelf.open()
    await shelf.warm()
    assert render.loads == ["lamp 1"]
    shelf.start()
    sessions.begin(Place(), "chair", ufrag=None, address="", token="")
    for model in ("chair", "lamp", "vase"):
        store.publish(model, "2")
    async with asyncio.timeout(5):
        while not {("chair", "2"), ("lamp", "2")} <= {(model, version) for model, version, _ in store.asked}:
            await asyncio.sleep(0.005)
        while "vase" not in {model for model, _, _ in store.asked}:
            await asyncio.sleep(0.005)
        while render.loads != ["lamp 1", "lamp 2"]:
            await asyncio.sleep(0.005)
    await shelf.close()
    assert store.closed


def test_what_is_shown_most_is_remembered(tmp_path: Path) -> None:
    popular = Popular(tmp_path / "cache")
    for model in ("b", "c", "c"):
        popular.count(model)
    popular.write()
    again = Popular(tmp_path / "cache")
    assert again.hottest(["a", "b", "c"], 2) == ["a", "b"]
    again.read()
    assert again.hottest(["a", "b", "c", "d"], 3) == ["c", "b", "a"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [NAME]


def test_counts_stay_bounded_and_old_ones_give_way() -> None:
    popular = Popular(None)
    for _ in range(LIMIT + 1):
        popular.count("a")
    for index in range(5000):
        popular.count(f"m{index}")
    assert popular.hottest(["m1", "a"], 1) == ["a"]
    assert len(popular._counts) <= 2000


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": "many", "b": -1, "c": true}', "[" * 100_000])
def test_a_file_that_is_broken_counts_for_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    popular = Popular(tmp_path)
    popular.read()
    assert popular.hottest(["x", "a"], 2) == ["x", "a"]

"""The front desk: load, line and refusals together, with a clock, a table and figures of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from streaming import lobby as module
from streaming.admission import Load
from streaming.config import Config
from streaming.errors import FullError, ProcessLost, SignallingError
from streaming.ipc import Answer
from streaming.lobby import Lobby, Meter
from streaming.metrics import GatewayMetrics

VISITOR = "192.0.2.7"


@dataclass(eq=False)
class Counts:
    viewers: int = 0
    watchers: int = 0
    departed: int = 0
    displaced: int = 0


@dataclass(eq=False)
class World:
    """A host whose viewers come and go as the test says."""

    settings: dict[str, Any] = field(default_factory=dict)
    now: float = 100.0
    load: Load | Exception = field(default_factory=Load)

    def __post_init__(self) -> None:
        self.counts, self.metrics = Counts(), GatewayMetrics()
        self.asked = 0
        config = replace(Config(), **self.settings)
        self.lobby = Lobby(config, self.counts, self.measure, self.metrics, lambda: self.now)

    async def measure(self) -> Load:
        self.asked += 1
        if isinstance(self.load, Exception):
            raise self.load
        return self.load

    def come(self, ticket: str = "", address: str = VISITOR, *, returning: bool = False) -> FullError | None:
        try:
            with self.lobby.place(ticket, address, returning=returning):
                self.counts.viewers += 1
        except FullError as error:
            return error
        return None

    def leave(self, count: int = 1) -> None:
        self.counts.viewers -= count
        self.counts.departed += count

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def queue(refused: FullError | None) -> dict[str, Any]:
    assert refused is not None
    assert refused.queue is not None
    return dict(refused.queue)


def test_one_too_many_gets_a_place_in_line_and_later_a_place() -> None:
    world = World({"max_sessions": 2, "min_sessions": 0})
    assert [world.come(), world.come()] == [None, None]
    refused = world.come()
    told = queue(refused)
    assert refused is not None
    assert (refused.status, refused.code, refused.seconds) == (503, "full", 2)
    assert set(told) == {"ticket", "position", "seconds"}
    assert told["position"] == 1
    assert "number 1 in line" in str(refused)
    world.leave()
    assert queue(world.come())["position"] == 2  # a newcomer does not pass who waits
    world.now += 2.0
    assert world.lobby.renews(told["ticket"])
    assert world.come(told["ticket"]) is None
    world.lobby.show()
    assert world.value("vitrine_queue_seconds_sum") == 2.0
    assert world.value("vitrine_queue_length") == 1
    assert world.value("vitrine_admission_refused_total", reason="sessions") == 1
    assert world.value("vitrine_admission_refused_total", reason="line") == 1


async def test_measured_load_refuses_though_places_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(World({"max_sessions": 50, "min_sessions": 3}), monkeypatch) as world:
        assert [world.come() for _ in range(3)] == [None] * 3
        world.load = Load(encode=1.0, late=0.2, moving=3, sessions=3)
        await passing(world, 10)
        refused = world.come()
        assert "no more room" in str(refused)
        assert world.lobby.told() == {"sessions": 3, "capacity": 3, "free": 0, "queue": 1, "watchers": 0}
        world.lobby.show()
        assert world.value("vitrine_admission_busy", resource="encode") > 0.9
        world.load = Load(sessions=3)
        await passing(world, 20)
        assert world.come(queue(refused)["ticket"]) is None  # lost meanwhile, and nobody waits before it
        assert world.lobby.told()["free"] > 3


async def test_nothing_is_measured_while_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(World(), monkeypatch) as world:
        await passing(world, 5)
        assert world.asked == 0
        world.come()
        await passing(world, 5)
        assert world.asked >= 5


async def test_a_process_that_is_replaced_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(World({"max_sessions": 50, "min_sessions": 1}), monkeypatch) as world:
        world.come()
        world.load = Load(encode=1.0, late=0.2, moving=1, sessions=1)
        await passing(world, 10)
        world.load = ProcessLost("the render process is starting")
        await passing(world, 10)
        assert world.come() is not None  # the figures before it stay


def test_viewers_of_a_lost_process_come_before_the_line() -> None:
    world = World({"max_sessions": 4, "min_sessions": 0})
    for _ in range(4):
        world.come()
    head = queue(world.come())
    world.counts.viewers -= 2
    world.counts.displaced += 2
    world.now += 2.0
    assert queue(world.come(head["ticket"]))["position"] == 1
    assert [world.come(returning=True), world.come(returning=True)] == [None, None]
    assert queue(world.come(returning=True))["position"] == 2
    world.leave()
    world.now += 2.0
    assert world.come(head["ticket"]) is None


def test_places_of_the_lost_are_not_kept_for_long() -> None:
    world = World({"max_sessions": 2, "min_sessions": 0})
    world.come()
    world.come()
    head = queue(world.come())
    world.counts.viewers -= 1
    world.counts.displaced += 1
    for _ in range(6):
        world.now += 2.0
        refused = world.come(head["ticket"])
    assert refused is None
    assert world.counts.viewers == 2


def test_where_nobody_waits_any_viewer_may_take_the_place_of_one_that_was_lost() -> None:
    world = World({"max_sessions": 2, "min_sessions": 0})
    world.come()
    world.come()
    world.counts.viewers -= 1
    world.counts.displaced += 1
    assert world.come() is None  # it may be the same, in another's player


def test_who_could_not_begin_keeps_the_head_of_the_line() -> None:
    world = World({"max_sessions": 1, "min_sessions": 0})
    world.come()
    told, other = queue(world.come()), queue(world.come())
    world.leave()
    world.now += 2.0
    with pytest.raises(SignallingError, match="restarting"), world.lobby.place(told["ticket"], VISITOR):
        raise SignallingError(503, "restarting", "restarting")
    world.now += 1.0
    assert queue(world.come(other["ticket"]))["position"] == 2
    assert world.come(told["ticket"]) is None


def test_one_address_cannot_fill_the_line_but_this_machine_may() -> None:
    world = World({"max_sessions": 1, "min_sessions": 0, "queue_length": 6, "queue_address": 2})
    world.come()
    assert [queue(world.come())["position"] for _ in range(2)] == [1, 2]
    refused = world.come()
    assert refused is not None
    assert (refused.status, refused.queue, refused.seconds) == (503, None, 10)
    assert [queue(world.come(address="127.0.0.1"))["position"] for _ in range(4)] == [3, 4, 5, 6]
    refused = world.come(address="198.51.100.1")
    assert refused is not None
    assert refused.queue is None
    assert world.value("vitrine_admission_refused_total", reason="queue") == 2


def test_who_does_not_come_again_is_struck_out_and_counted() -> None:
    world = World({"max_sessions": 1, "min_sessions": 0})
    world.come()
    world.come()
    world.now += 60.0
    world.lobby.show()
    assert world.lobby.told()["queue"] == 0
    assert world.value("vitrine_queue_lost_total") == 1


def test_watchers_have_a_bound_and_need_only_the_network() -> None:
    world = World({"max_sessions": 1, "min_sessions": 0})
    world.come()
    world.lobby.watch(15, 16)
    with pytest.raises(FullError, match="16 watchers") as caught:
        world.lobby.watch(16, 16)
    assert caught.value.queue is None


@dataclass(eq=False)
class Process:
    role: str
    answers: list[dict[str, Any]]

    async def request(self, method: str, *, patience: float, again: bool = False) -> Answer:  # noqa: ARG002
        assert method == "busy"
        return Answer(self.answers.pop(0))


async def test_the_meter_takes_the_busiest_network_process() -> None:
    figures = {"render": 0.1, "encode": 0.2, "late": 0.0, "pictures": 30.0, "moving": 1, "sessions": 2}
    first = Process("network-0", [{"cpu": 1.0, "at": 10.0}, {"cpu": 1.5, "at": 12.0}, {"cpu": 0.1, "at": 13.0}])
    second = Process("network-1", [{"cpu": 9.0, "at": 10.0}, {"cpu": 9.1, "at": 12.0}, {"cpu": 9.2, "at": 13.0}])
    meter = Meter(Process("render", [figures] * 3), lambda: [first, second])
    assert (await meter()).network == 0.0
    assert await meter() == Load(0.1, 0.2, 0.25, 0.0, 30.0, 1, 2)
    assert (await meter()).network == pytest.approx(0.1)  # the first one was replaced


@asynccontextmanager
async def running(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The desk at work; its second is a step of the event loop, and one second of the test's clock."""
    monkeypatch.setattr(module, "MEASURE_SECONDS", 0.0)
    world.lobby.start()
    try:
        yield world
    finally:
        await world.lobby.close()


async def passing(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.now += 1.0
        for _ in range(3):
            await asyncio.sleep(0)

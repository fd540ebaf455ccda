"""The fleet on a gateway's event loop: it goes on without its table, and finds owners by name."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fleet import names
from fleet.errors import FullError, RefusedError, SettingsError, UnavailableError
from fleet.fakes.memory import MemoryTable
from fleet.pool import Pool
from fleet.records import HostState, Report
from fleet.service import AWAY_SECONDS, Fleet
from fleet.settings import Settings
from tests.fleet.hosts import Clock, identity


class Desk:
    """A gateway with a fleet: its sessions' claims, and what it reports."""

    def __init__(self, table: MemoryTable, number: int, clock: Clock, slots: int = 2) -> None:
        self.claims: set[str] = set()
        self.unclaimed = 0
        self.state = HostState.SERVING
        self.fleet = Fleet(table, identity(number, slots), self.report, clock, clock)
        self._slots = slots

    def report(self) -> Report:
        return Report(frozenset(self.claims), self.unclaimed, self._slots, ("shoe",), self.state)

    async def beat(self) -> None:
        """At once, as `nudge` does in a moment."""
        await self.fleet._beat()


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desks(table: MemoryTable, clock: Clock) -> AsyncIterator[list[Desk]]:
    made = [Desk(table, number, clock) for number in (1, 2)]
    for desk in made:
        await desk.fleet.start()
    yield made
    table.away = False
    for desk in made:
        await desk.fleet.close()
    assert table.hosts() == []


async def test_any_host_places_on_the_right_one(desks: list[Desk]) -> None:
    places = [await desk.fleet.place("shoe") for desk in (desks[1], desks[0], desks[0])]
    assert [(place.host.id, place.is_local) for place in places] == [("h1", False), ("h1", True), ("h2", False)]
    assert (await desks[0].fleet.place("shoe", avoid={"h1"})).host.id == "h2"
    with pytest.raises(FullError):
        await desks[1].fleet.place("shoe")
    await desks[0].fleet.release(places[0])
    assert (await desks[1].fleet.place("shoe")).host.id == "h1"


async def test_without_its_table_a_host_takes_whom_it_can_carry(
    desks: list[Desk], table: MemoryTable, clock: Clock
) -> None:
    table.away, desk = True, desks[0]
    place = await desk.fleet.place("shoe")
    assert (place.host.id, place.claim, place.is_local) == ("h1", "", True)
    await desk.fleet.release(place)  # nothing to give back, nothing asked
    asked = table.requests
    desk.unclaimed = 2
    with pytest.raises(UnavailableError, match="no room"):
        await desk.fleet.place("shoe")
    assert table.requests == asked  # a viewer does not wait for what did not answer a moment ago
    table.away = False
    clock.sleep(AWAY_SECONDS)
    await desk.beat()
    assert not desk.fleet.is_away
    assert (await desk.fleet.place("shoe")).host.id == "h2"  # what it took itself counts


async def test_a_draining_host_takes_nobody_even_then(desks: list[Desk], table: MemoryTable) -> None:
    table.away, desks[0].state = True, HostState.DRAINING
    with pytest.raises(UnavailableError):
        await desks[0].fleet.place("shoe")


async def test_owners_are_found_by_name(desks: list[Desk], table: MemoryTable) -> None:
    name = names.tagged(secrets.token_urlsafe(24), "h2")
    asked = table.requests
    owner = await desks[1].fleet.owner(name)
    assert owner is not None
    assert (owner.id, table.requests) == ("h2", asked)  # its own: nobody is asked
    for other in (names.tagged(secrets.token_urlsafe(24), "h9"), "no-name", name.replace(".", "/")):
        assert await desks[0].fleet.owner(other) is None
    table.away = True
    assert await desks[0].fleet.owner(name) is not None  # as far as known


async def test_sessions_of_other_hosts_are_found_for_as_long_as_the_table_is_away(
    desks: list[Desk], table: MemoryTable, clock: Clock
) -> None:
    """Their beats cannot be heard: that they are old says nothing."""
    name = names.tagged(secrets.token_urlsafe(24), "h2")
    await desks[0].beat()  # looks around, though no viewer ever came
    table.away = True
    for _ in range(10):
        clock.sleep(60.0)
        await desks[0].beat()
    owner = await desks[0].fleet.owner(name)
    assert owner is not None
    assert owner.id == "h2"
    table.away = False
    await desks[0].beat()
    assert await desks[0].fleet.owner(name) is None  # now its silence counts


async def test_a_host_that_does_not_answer_is_avoided(desks: list[Desk]) -> None:
    desks[1].fleet.suspect("h1")
    for _ in range(2):
        assert (await desks[1].fleet.place("shoe")).host.id == "h2"
    with pytest.raises(FullError):
        await desks[1].fleet.place("shoe")
    desks[1].fleet.reached("h1")
    assert (await desks[1].fleet.place("shoe")).host.id == "h1"


async def test_keys_are_announced(desks: list[Desk], table: MemoryTable) -> None:
    await desks[1].fleet.announce("watch-key")
    found = await desks[0].fleet.announced("watch-key")
    assert found is not None
    assert found.id == "h2"
    assert await desks[0].fleet.announced("other") is None
    table.away = True
    assert await desks[0].fleet.announced("watch-key") is None
    await desks[0].fleet.announce("watch-key")


async def test_a_nudge_beats_at_once(desks: list[Desk], table: MemoryTable) -> None:
    desks[0].state = HostState.DRAINING
    desks[0].fleet.nudge()
    async with asyncio.timeout(5):
        while {found.id: found.state for found in table.hosts()}["h1"] is HostState.SERVING:
            await asyncio.sleep(0)


async def test_a_host_whose_id_another_took_serves_alone(desks: list[Desk], table: MemoryTable, clock: Clock) -> None:
    other = Desk(table, 1, clock)
    await other.fleet.start()
    await desks[0].beat()
    assert desks[0].fleet.is_replaced
    assert (await desks[0].fleet.place("shoe")).claim == ""
    await other.fleet.close()


async def test_a_table_that_is_not_there_stops_the_start(clock: Clock) -> None:
    class Missing(MemoryTable):
        def register(self, *arguments: object, **more: object) -> object:  # type: ignore[override]
            raise RefusedError("ResourceNotFoundException")

    desk = Desk(Missing(), 1, clock)
    with pytest.raises(RefusedError):
        await desk.fleet.start()
    await desk.fleet.close()


async def test_a_table_that_is_away_at_the_start_is_met_later(table: MemoryTable, clock: Clock) -> None:
    table.away, desk = True, Desk(table, 1, clock)
    await desk.fleet.start()
    assert table._records == {}
    table.away = False
    await desk.beat()
    assert [found.id for found in table.hosts()] == ["h1"]
    await desk.fleet.close()


async def test_the_pool_refuses_what_it_cannot_hold() -> None:
    pool = Pool("test", threads=1, most=1, seconds=5.0)
    going = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> str:
        asyncio.run_coroutine_threadsafe(going.wait(), loop).result()
        return "done"

    first = asyncio.ensure_future(pool.run(work))
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="wait already"):
        await pool.run(lambda: None)
    going.set()
    assert await first == "done"
    pool.close()


@pytest.mark.parametrize("wrong", [{"address": "1.1.1.1:80"}, {"slots": 0}, {"slots": 129}, {"host": "a/b"}])
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    fine = Settings(table="placement", host="i-0abc", address="10.0.1.2:8080", slots=16)
    assert fine.identity().boot != fine.identity().boot
    with pytest.raises(SettingsError, match=r"\S"):
        replace(fine, **wrong).identity()  # type: ignore[arg-type]

"""Who gets which slot: the order of hosts, races, dead hosts, suspicion. With both tables where the table decides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.errors import FullError, UnavailableError
from fleet.fakes.memory import MemoryTable
from fleet.placement import DEAD_SECONDS, SUSPECT_SECONDS, Placement
from fleet.ranking import best
from fleet.records import Capacity, Endpoint, HostRecord, HostState, Identity, Report
from fleet.table import Table
from fleet.tenancy import LEASE_SECONDS, Tenancy
from tests.fleet.conftest import NewTable
from tests.fleet.hosts import Clock, identity

FOUR = Report(room=4)


def record(number: int, taken: int = 0, room: int = 10, **more: object) -> HostRecord:
    claims = {f"c{index}": 0 for index in range(taken)}
    return replace(HostRecord(identity(number, 10), HostState.SERVING, 0.0, room, claims), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("records", "chosen"),
    [
        ([record(1, 2), record(2, 5), record(3, 0)], "h2"),  # the fullest
        ([record(1, 9), record(2, 5)], "h2"),  # below the bound first
        ([record(1, 9), record(2, 10)], "h1"),  # the bound refuses nobody
        ([record(1, 5), record(2, 2, models=("shoe",))], "h2"),  # who has the model
        ([record(1, 5), record(2, 0, models=("shoe",))], "h1"),  # but nobody idle is kept alive for it
        ([record(1, 8, advised=True), record(2, 0)], "h2"),  # who may be taken away comes last
        ([record(1, 8, advised=True), record(2, 10)], "h1"),  # and still comes
        ([record(1, 5, state=HostState.DRAINING), record(2, 0)], "h2"),
        ([record(1, 3, room=3), record(2, 0, room=0)], None),
        ([], None),
    ],
)
def test_the_order_of_hosts(records: list[HostRecord], chosen: str | None) -> None:
    found = best(records, "shoe")
    assert (found.id if found else None) == chosen


class Fleet:
    """Hosts over one table and clock. `live` holds each host's sessions, as its gateway would."""

    def __init__(self, table: Table, hosts: int, slots: int = 4) -> None:
        self.table, self.clock = table, Clock()
        self.live: dict[str, set[str]] = {}
        self.tenancies: dict[str, Tenancy] = {}
        for number in range(1, hosts + 1):
            self.add(identity(number, slots))

    def add(self, me: Identity) -> None:
        self.live[me.id] = set()
        self.tenancies[me.id] = Tenancy(self.table, me, self.clock, self.clock)
        self.beat(me.id)

    def beat(self, host: str, **more: object) -> HostRecord:
        report = replace(FOUR, claims=frozenset(self.live[host]), **more)  # type: ignore[arg-type]
        return self.tenancies[host].beat(report)

    def gateway(self, number: int = 1) -> Placement:
        return Placement(self.table, identity(number), self.clock, self.clock)

    def claims(self) -> dict[str, int]:
        return {found.id: len(found.claims) for found in self.table.hosts(consistent=True)}

    def pass_time(self, seconds: float, beat: Callable[[], object]) -> None:
        for _ in range(int(seconds / 2)):
            self.clock.sleep(2.0)
            beat()


def test_viewers_pack_and_then_the_fleet_is_full(new_table: NewTable) -> None:
    fleet = Fleet(new_table(), hosts=3)
    gateways = [fleet.gateway(number) for number in (1, 2, 3)]
    seen = [gateways[index % 3].place("shoe")[0].id for index in range(12)]
    assert seen == ["h1"] * 4 + ["h2"] * 4 + ["h3"] * 4
    with pytest.raises(FullError, match="12 places on 3 hosts") as caught:
        gateways[0].place("shoe")
    assert caught.value.capacity == Capacity(hosts=3, slots=12, room=12, used=12, free=0)


def test_a_stale_copy_refuses_nobody_while_there_is_a_slot(new_table: NewTable) -> None:
    fleet = Fleet(new_table(), hosts=1)
    stale = fleet.gateway()
    stale.look()
    for _ in range(4):
        fleet.gateway(2).place("shoe")
    fleet.add(identity(2))
    assert stale.place("shoe")[0].id == "h2"


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hosts=st.integers(1, 3), slots=st.integers(1, 3), viewers=st.integers(2, 8), threads=st.integers(2, 4))
def test_races_never_oversell_and_never_refuse_a_free_slot(
    new_table: NewTable, hosts: int, slots: int, viewers: int, threads: int
) -> None:
    """Gateways claim at once, each with its own copy; hosts beat meanwhile."""
    fleet = Fleet(new_table(), hosts, slots)
    over = threading.Event()
    gateways = [fleet.gateway(index + 1) for index in range(threads)]

    def come(index: int) -> str | None:
        try:
            return gateways[index % threads].place("shoe")[1]
        except FullError:
            return None

    def beat() -> None:
        while not over.is_set():
            for host in fleet.live:
                fleet.beat(host, room=slots)

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        with ThreadPoolExecutor(threads) as pool:
            claims = [claim for claim in pool.map(come, range(viewers)) if claim is not None]
    finally:
        over.set()
        beating.join()
    assert max(fleet.claims().values()) <= slots
    assert len(set(claims)) == min(viewers, hosts * slots)
    assert sum(fleet.claims().values()) == len(claims)


Step = tuple[str, int]
STEPS = ("place", "arrive", "end", "beat", "die", "time", "release", "drain")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9))))
def test_whatever_happens_slots_are_neither_oversold_nor_leaked(steps: list[Step]) -> None:
    """In memory, step by step: afterwards, ten minutes on, exactly the living hosts' sessions hold slots."""
    fleet = Fleet(MemoryTable(), hosts=3, slots=4)
    gateway, pending, dead = fleet.gateway(), list[tuple[str, str]](), set[str]()
    for step, number in steps:
        host = f"h{number % 3 + 1}"
        _step(fleet, gateway, pending, dead, step, host)
        assert all(count <= 4 for count in fleet.claims().values())
    fleet.pass_time(600, lambda: [fleet.beat(host) for host in fleet.live if host not in dead])
    gateway.look()
    held = {found.id: set(found.claims) for found in gateway.hosts()}
    assert held == {host: fleet.live[host] for host in fleet.live if host not in dead}


def _step(
    fleet: Fleet, gateway: Placement, pending: list[tuple[str, str]], dead: set[str], step: str, host: str
) -> None:
    match step:
        case "place":
            try:
                found, claim = gateway.place("shoe")
            except FullError:
                return
            pending.append((found.id, claim))
        case "arrive" if pending:
            owner, claim = pending.pop(0)
            # A claim that comes too late may meet a host that is full by now; that host says no.
            if owner not in dead and len(fleet.live[owner]) < 4:
                fleet.live[owner].add(claim)
        case "release" if pending:
            gateway.release(*pending.pop(0))
        case "end" if fleet.live[host]:
            fleet.live[host].pop()
        case "beat" | "drain" if host not in dead:
            fleet.beat(host, state=HostState.DRAINING if step == "drain" else HostState.SERVING)
        case "die":
            dead.add(host)
        case "time":
            fleet.clock.sleep(1.5)


def test_a_claim_that_nobody_comes_for_is_freed_by_its_host(new_table: NewTable) -> None:
    fleet = Fleet(new_table(), hosts=1)
    claimed, came = [fleet.gateway().place("shoe")[1] for _ in range(2)]
    fleet.beat("h1")  # the host sees both
    fleet.live["h1"].add(came)
    fleet.clock.sleep(LEASE_SECONDS - 0.1)
    assert claimed in fleet.beat("h1").claims
    fleet.clock.sleep(0.1)
    assert set(fleet.beat("h1").claims) == {came}


def test_a_session_whose_claim_is_gone_takes_room_all_the_same(new_table: NewTable) -> None:
    fleet = Fleet(new_table(), hosts=1)
    gateway = fleet.gateway()
    _, claim = gateway.place("shoe")
    gateway.release("h1", claim)
    fleet.live["h1"].add(claim)  # it arrived nevertheless
    found = fleet.beat("h1")
    assert (found.room, len(found.claims), found.free) == (3, 0, 3)
    fleet.live["h1"].clear()
    assert fleet.beat("h1").free == 4


def test_a_dead_host_gets_nobody_and_its_slots_come_back_with_it(new_table: NewTable) -> None:
    fleet = Fleet(new_table(), hosts=2)
    gateway = fleet.gateway()
    assert gateway.place("shoe")[0].id == "h1"
    fleet.clock.sleep(DEAD_SECONDS + 0.1)  # h1 was killed
    fleet.beat("h2")
    assert gateway.place("shoe")[0].id == "h2"
    assert gateway.capacity().hosts == 1
    fleet.add(identity(1))  # it is started again: its old claims mean nothing
    gateway.look_closely()
    assert gateway.capacity() == Capacity(hosts=2, slots=8, room=8, used=1, free=7)


def test_a_new_gateway_process_keeps_its_sessions(new_table: NewTable) -> None:
    fleet = Fleet(new_table(), hosts=1)
    _, claim = fleet.gateway().place("shoe")
    fleet.live["h1"].add(claim)
    fleet.beat("h1")
    anew = Tenancy(fleet.table, identity(1), fleet.clock, fleet.clock)
    assert set(anew.register(replace(FOUR, claims=frozenset({claim}))).claims) == {claim}


def test_a_suspect_gets_nobody_until_it_beats_again() -> None:
    fleet = Fleet(MemoryTable(), hosts=2)
    gateway = fleet.gateway()
    gateway.look()
    gateway.suspect("h1")
    assert gateway.place("shoe")[0].id == "h2"
    fleet.clock.sleep(SUSPECT_SECONDS)
    fleet.beat("h2")
    assert gateway.suspects() == {"h1"}  # its beat is older than the suspicion
    fleet.beat("h1")
    gateway.look_closely()
    assert gateway.suspects() == frozenset()
    gateway.suspect("h1")  # a second time: twice as long, whatever beats
    fleet.clock.sleep(2 * SUSPECT_SECONDS - 0.1)
    fleet.beat("h1")
    gateway.look_closely()
    assert gateway.suspects() == {"h1"}
    gateway.reached("h1")
    assert gateway.suspects() == frozenset()


def test_an_away_table_says_so() -> None:
    table = MemoryTable()
    fleet = Fleet(table, hosts=1)
    table.away = True
    with pytest.raises(UnavailableError):
        fleet.gateway().place("shoe")


def test_a_viewer_costs_one_request() -> None:
    """A second's viewers share one look."""
    table = MemoryTable()
    fleet = Fleet(table, hosts=3)
    gateway = fleet.gateway()
    before = table.requests
    for _ in range(10):
        gateway.place("shoe")
    assert table.requests - before == 11  # a look and ten claims: what a claim returns is the newest record


@pytest.mark.parametrize(
    "text",
    [
        *("169.254.169.254:80", "8.8.8.8:80", "0.0.0.0:80", "224.0.0.1:80", "10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536"),
        *("host.internal:80", "[fe80::1]:80", "[::ffff:169.254.169.254]:80", "10.0.0.1:80/path", "http://10.0.0.1:80"),
    ],
)
def test_no_other_address_is_a_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Endpoint.parse(text)


@pytest.mark.parametrize("text", ["10.0.1.2:8080", "[fd00::2]:8080", "127.0.0.1:18080", "100.64.0.9:8080"])
def test_private_addresses_are_hosts(text: str) -> None:
    assert str(Endpoint.parse(text)) == text


def test_a_record_cannot_send_requests_to_ourselves() -> None:
    fleet = Fleet(MemoryTable(), hosts=1)
    fleet.add(replace(identity(2), endpoint=Endpoint("127.0.0.1", 22)))
    gateway = fleet.gateway()
    gateway.look()
    assert [found.id for found in gateway.hosts()] == ["h1"]

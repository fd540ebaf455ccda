"""Where an offer goes: hosts that refuse, hosts that are silent, lines, and a table that is away. Hosts are made up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from fleet.errors import FullError as FleetFull
from fleet.errors import UnavailableError
from fleet.names import tagged
from fleet.records import Capacity, Endpoint, HostRecord, HostState, Identity, Place
from streaming.access import OPEN
from streaming.config import Config
from streaming.errors import FullError, SignallingError
from streaming.gate import Gate
from streaming.hosts.front import ATTEMPTS, Front
from streaming.hosts.metrics import FleetMetrics
from streaming.hosts.passing import HostLost
from streaming.hosts.signing import Reason, Signer, note
from streaming.lobby import Lobby
from streaming.metrics import GatewayMetrics
from streaming.whep import Asked

OFFER = b"v=0\r\n"
ME = "i-0"


def record(name: str, free: int = 1, queue: int = 0) -> HostRecord:
    number = int(name.removeprefix("i-"))
    identity = Identity(name, Endpoint(f"10.0.0.{number + 1}", 8080), "", "a", "boot", 4)
    return HostRecord(identity, HostState.SERVING, 0.0, free, {}, (), False, queue)


def place(name: str) -> Place:
    return Place(record(name), f"claim-{name}", name == ME)


@dataclass(eq=False)
class Company:
    """Other hosts as `Membership` and `Passing` show them. places, answers: what comes next, in turn."""

    places: list[Place | Exception] = field(default_factory=list)
    answers: dict[str, web.Response | Exception] = field(default_factory=dict)
    waiting: int = 0
    free: int = 0
    passed: list[tuple[str, str, str]] = field(default_factory=list)  # address, reason, lease
    given_up: list[str] = field(default_factory=list)
    suspected: list[str] = field(default_factory=list)
    is_alone: bool = False

    def __post_init__(self) -> None:
        self.metrics = FleetMetrics(CollectorRegistry())

    async def settled(self) -> None:
        pass

    async def place(self, model: str, avoided: frozenset[str]) -> Place:
        found = self.places.pop(0) if self.places else FleetFull(self.capacity())
        if isinstance(found, Exception):
            raise found
        assert found.host.id not in avoided
        return found

    async def gave_up(self, given: Place) -> None:
        self.given_up.append(given.claim)

    def lost(self, host: HostRecord) -> None:
        self.suspected.append(host.id)

    def other(self, tag: str | None) -> HostRecord | None:
        return next((host for host in map(record, ("i-1", "i-2")) if host.tag == tag), None)

    def roomy(self) -> list[HostRecord]:
        return [record("i-1")]

    def opening(self, claim: str) -> AbstractContextManager[None]:
        return nullcontext()

    def waiting_elsewhere(self) -> int:
        return self.waiting

    def free_elsewhere(self) -> int:
        return self.free

    def capacity(self) -> Capacity:
        return Capacity(3, 12, 12, 12 - self.free, self.free)

    async def whole(
        self, request: web.Request, address: str, reason: str, client: str, body: bytes, lease: str = ""
    ) -> web.Response:
        self.passed.append((address, reason, lease))
        assert body == OFFER
        answer = self.answers[address]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Here:
    """This host's own WHEP."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    async def read(self, request: web.Request) -> Asked:
        offer = (await request.read()).decode()
        return Asked(offer, "chair", ("open", {}), OPEN, "192.0.2.7")

    async def settled(self) -> None:
        pass

    async def open(self, asked: Asked) -> tuple[Any, web.Response]:
        self.opened.append(asked.claim)
        entry = SimpleNamespace(facts=SimpleNamespace(again=""), watch_key="")
        return entry, web.Response(status=201, text="here")


@dataclass(eq=False)
class World:
    company: Company
    here: Here
    client: TestClient[web.Request, web.Application]
    signer: Signer

    async def offer(self, ticket: str = "", hop: Reason | None = None) -> tuple[int, Any]:
        """hop: as another host passes it on."""
        path = f"/whep/chair?ticket={ticket}" if ticket else "/whep/chair"
        headers = self.signer.headers("POST", path, hop, "198.51.100.7", "their-claim", OFFER) if hop else {}
        async with self.client.post(path, data=OFFER, headers=headers) as answer:
            return answer.status, await (answer.json() if answer.content_type == "application/json" else answer.text())


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """A front with room for so many viewers here."""
    (tmp_path / "key").write_text("north-south-east-west")
    signer, clients = Signer(str(tmp_path / "key"), "i-9"), []

    async def made(company: Company, room: int = 1) -> World:
        config = replace(Config(), max_sessions=max(room, 1), min_sessions=0)
        counts = SimpleNamespace(viewers=1 - room if room < 1 else 0, watchers=0, departed=0, displaced=0)
        lobby = Lobby(config, counts, None, GatewayMetrics(), make_ticket=lambda: tagged("t" * 16, ME))  # type: ignore[arg-type]
        here = Here()
        sessions = SimpleNamespace(returns=lambda again: False)
        front = Front(here, sessions, Gate(config), lobby, company, company)  # type: ignore[arg-type]

        async def post(request: web.Request) -> web.Response:
            passed = signer.read(request.method, request.path_qs, request.headers)
            if passed is not None:
                note(request, passed)
            try:
                return await front.post(request)
            except FullError as error:
                body_of = {"error": {"code": error.code}, "queue": error.queue}
                return web.json_response(body_of, status=error.status)
            except SignallingError as error:
                return web.json_response({"error": {"code": error.code}}, status=error.status)

        app = web.Application()
        app.router.add_post("/whep/{model}", post)
        client = TestClient(TestServer(app))
        await client.start_server()
        clients.append(client)
        return World(company, here, client, signer)

    yield made
    for client in clients:
        await client.close()


def refusal(code: str, status: int = 503) -> web.Response:
    return web.json_response({"error": {"code": code}}, status=status)


def opened() -> web.Response:
    return web.Response(status=201, text="there")


Make = Callable[..., Awaitable[World]]


async def test_a_claim_here_is_opened_here(make: Make) -> None:
    world = await make(Company([place(ME)]))
    assert await world.offer() == (201, "here")
    assert (world.here.opened, world.company.passed) == (["claim-i-0"], [])


async def test_a_claim_elsewhere_is_passed_with_its_lease(make: Make) -> None:
    world = await make(Company([place("i-1")], {"10.0.0.2:8080": opened()}))
    assert await world.offer() == (201, "there")
    assert world.company.passed == [("10.0.0.2:8080", "claim", "claim-i-1")]
    assert world.company.given_up == []


async def test_a_silent_host_is_suspected_and_the_next_one_asked(make: Make) -> None:
    company = Company([place("i-1"), place("i-2")], {"10.0.0.2:8080": HostLost("gone"), "10.0.0.3:8080": opened()})
    world = await make(company)
    assert await world.offer() == (201, "there")
    assert (company.suspected, company.given_up) == (["i-1"], ["claim-i-1"])


@pytest.mark.parametrize("code", ["full", "draining", "starting", "restarting"])
async def test_what_concerns_one_host_is_asked_of_the_next(make: Make, code: str) -> None:
    company = Company([place("i-1"), place(ME)], {"10.0.0.2:8080": refusal(code)})
    world = await make(company)
    assert await world.offer() == (201, "here")
    assert company.given_up == ["claim-i-1"]


@pytest.mark.parametrize(("code", "status"), [("bad-view", 400), ("no-codec", 422), ("suspect", 503)])
async def test_what_every_host_would_say_is_handed_back(make: Make, code: str, status: int) -> None:
    company = Company([place("i-1"), place(ME)], {"10.0.0.2:8080": refusal(code, status)})
    world = await make(company)
    assert (await world.offer())[0] == status
    assert (company.given_up, world.here.opened) == (["claim-i-1"], [])


async def test_nobody_is_tried_for_ever(make: Make) -> None:
    names = [f"i-{number}" for number in range(1, ATTEMPTS + 3)]
    answers = {f"10.0.0.{number + 1}:8080": refusal("full") for number in range(1, ATTEMPTS + 3)}
    company = Company([place(name) for name in names], answers)
    world = await make(company)
    status, body = await world.offer()
    assert (status, body["error"]["code"], body["queue"]["position"]) == (503, "full", 1)
    assert len(company.passed) == ATTEMPTS


async def test_without_a_slot_anywhere_there_is_a_line(make: Make) -> None:
    world = await make(Company())
    status, body = await world.offer()
    assert (status, body["queue"]["position"]) == (503, 1)
    world.company.places, world.company.free = [place(ME)], 1
    assert await world.offer(body["queue"]["ticket"]) == (201, "here")


async def test_who_is_new_waits_behind_other_hosts_lines(make: Make) -> None:
    company = Company([place("i-1")], {"10.0.0.2:8080": opened()}, waiting=2, free=2)
    world = await make(company)
    status, body = await world.offer()
    assert (status, body["queue"]["position"]) == (503, 1)
    assert await world.offer(body["queue"]["ticket"]) == (201, "there")


async def test_a_ticket_is_asked_of_the_host_whose_line_it_is_of(make: Make) -> None:
    company = Company([place(ME)], {"10.0.0.3:8080": refusal("full")})
    world = await make(company)
    ticket = tagged("t" * 16, "i-2")
    assert (await world.offer(ticket))[0] == 503
    assert company.passed == [("10.0.0.3:8080", "line", "")]
    company.answers["10.0.0.3:8080"] = HostLost("gone")
    assert await world.offer(ticket) == (201, "here")


async def test_what_was_passed_as_a_claim_is_never_passed_on(make: Make) -> None:
    company = Company([place("i-1")], {"10.0.0.2:8080": opened()})
    world = await make(company)
    assert await world.offer(hop="claim") == (201, "here")
    assert (world.here.opened, company.passed) == (["their-claim"], [])


async def test_a_claim_on_a_host_without_room_is_refused_without_a_place_in_line(make: Make) -> None:
    world = await make(Company([place("i-1")]), room=0)
    status, body = await world.offer(hop="claim")
    assert (status, body) == (503, {"error": {"code": "full"}, "queue": None})


async def test_what_was_passed_for_its_line_is_passed_on_as_a_claim_only(make: Make) -> None:
    company = Company([place("i-1")], {"10.0.0.2:8080": opened()})
    world = await make(company)
    assert await world.offer(tagged("t" * 16, "i-2"), "line") == (201, "there")
    assert company.passed == [("10.0.0.2:8080", "claim", "claim-i-1")]


async def test_without_the_table_this_host_takes_it_then_another_then_the_line(make: Make) -> None:
    away = UnavailableError("no answer")
    world = await make(Company([away]))
    assert await world.offer() == (201, "here")

    company = Company([away], {"10.0.0.2:8080": opened()})
    world = await make(company, room=0)
    assert await world.offer() == (201, "there")
    assert company.passed == [("10.0.0.2:8080", "claim", "")]

    company = Company([away], {"10.0.0.2:8080": refusal("full")})
    world = await make(company, room=0)
    status, body = await world.offer()
    assert (status, body["queue"]["position"]) == (503, 1)

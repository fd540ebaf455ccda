"""Two hosts share a table: whichever is asked, offers get the slot there is, and sessions are found where they live."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from benchmarks.emulator import CREDENTIALS, Emulator, free_port
from benchmarks.fleet.table import NAME, create
from fleet.names import tag_in, tag_of
from streaming.hosts.signing import CLIENT, HOP
from tests.streaming.serving import Client, Served, client, gauge, make_models, serving

pytestmark = pytest.mark.slow
HOSTS = ("i-1", "i-2")
SDP = {"Content-Type": "application/sdp"}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with Emulator() as running:
        create(running.url)
        yield running


@pytest.fixture
def hosts(table: Emulator, tmp_path: Path) -> Iterator[list[Served]]:
    """Two, with one slot each."""
    key, models = tmp_path / "key", make_models(tmp_path / "models")
    key.write_text("north-south-east-west")
    common = {
        "fleet_table": NAME,
        "fleet_region": CREDENTIALS["AWS_DEFAULT_REGION"],
        "fleet_endpoint": table.url,
        "fleet_key_file": str(key),
        "fleet_slots": "1",
    }
    with ExitStack() as stack:
        yield [stack.enter_context(_host(models, name, common)) for name in HOSTS]


def _host(models: Path, name: str, common: dict[str, str]) -> AbstractContextManager[Served]:
    port = free_port()
    settings = {**common, "fleet_host": name, "fleet_address": f"127.0.0.1:{port}"}
    return serving(models, "--network", "1", "--port", str(port), **settings)


def host_of(viewer: Client) -> str:
    tag = tag_in(viewer.location.rpartition("/")[2])
    return next(name for name in HOSTS if tag_of(name) == tag)


async def refused(server: Served, viewer: Client) -> tuple[int, dict[str, Any]]:
    offer = await viewer.offer()
    async with viewer.http.post(f"{server.url}/whep/chair", data=offer, headers=SDP) as answer:
        return answer.status, await answer.json()


async def test_the_fleet_is_one_server(hosts: list[Served], table: Emulator) -> None:
    """One story, as starting hosts takes seconds."""
    door, other = hosts
    async with client(door) as first, client(door) as second, client(other) as third:
        await first.join()
        await second.join()  # the door's host has one slot: one of the two is passed on
        assert {host_of(first), host_of(second)} == set(HOSTS)
        away, here = (first, second) if host_of(first) == HOSTS[1] else (second, first)
        assert await gauge(door, "vitrine_fleet_passed_total") >= 1
        await _pictures_answer(away)

        status, body = await refused(other, third)
        assert (status, body["error"]["code"]) == (503, "full")
        assert body["queue"]["position"] == 1

        await _nobody_else_passes_requests_on(door)
        await _what_names_a_session_reaches_it(door, other, away, here)
        await _without_the_table_a_host_goes_on_alone(door, table, here)


async def _pictures_answer(viewer: Client) -> None:
    seen = len(viewer.of("frame"))
    viewer.look(1, theta=90)
    await viewer.until(lambda: any(message["seq"] == 1 for message in viewer.of("frame")[seen:]))


async def _nobody_else_passes_requests_on(server: Served) -> None:
    async with aiohttp.ClientSession() as http:
        forged = {HOP: "claim", CLIENT: "127.0.0.1", **SDP}
        async with http.post(f"{server.url}/whep/chair", data="v=0", headers=forged) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (403, "not-a-host")


async def _what_names_a_session_reaches_it(door: Served, other: Served, away: Client, here: Client) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{door.url}{away.location}/events") as stream:
        assert (stream.status, stream.content_type) == (200, "text/event-stream")
        assert await stream.content.readline() == b": here\n"
        async with http.delete(door.url + away.location) as answer:
            assert answer.status == 200
        told = (await asyncio.wait_for(stream.content.read(), 10)).decode()
        assert "event: gone" in told
        assert "ended" in told
        async with http.get(f"{door.url}{away.location}/events") as gone:
            assert gone.status == 404

        async with client(other) as late:  # the slot is free again
            await _joined_in_time(late)
            assert host_of(late) == HOSTS[1]
            await _a_dead_host_is_told_of(http, door, other, late)
        async with http.get(f"{door.url}{here.location}/events") as still:
            assert still.status == 200


async def _without_the_table_a_host_goes_on_alone(door: Served, table: Emulator, here: Client) -> None:
    table.close()
    async with client(door) as full, client(door) as alone:
        status, body = await refused(door, full)  # the slot that it has is taken
        assert (status, body["error"]["code"]) == (503, "full")
        await _pictures_answer(here)
        assert await here.leave() == 200
        await _joined_in_time(alone)
        assert host_of(alone) == HOSTS[0]
    assert await gauge(door, "vitrine_fleet_table_reachable") == 0


async def _joined_in_time(viewer: Client) -> None:
    offer = await viewer.offer()
    ticket = ""
    async with asyncio.timeout(20):
        while True:
            query = {"ticket": ticket} if ticket else {}
            url = f"{viewer.url}/whep/chair"
            async with viewer.http.post(url, data=offer, headers=SDP, params=query) as answer:
                if answer.status == 201:
                    viewer.location = answer.headers["Location"]
                    return
                told = await answer.json()
                assert told["error"]["code"] == "full", told
                ticket = told["queue"]["ticket"]
            await asyncio.sleep(0.5)


async def _a_dead_host_is_told_of(http: aiohttp.ClientSession, door: Served, dead: Served, viewer: Client) -> None:
    """As the viewer listens: a stream that ends without a word is asked for again."""
    family = [psutil.Process(dead.process.pid), *psutil.Process(dead.process.pid).children(recursive=True)]
    told = b""
    async with asyncio.timeout(10):
        while b"event: gone" not in told:
            async with http.get(f"{door.url}{viewer.location}/events") as stream:
                if stream.status == 404:
                    break
                assert await stream.content.readline() == b": here\n"
                for process in family:
                    with suppress(psutil.NoSuchProcess):  # the children end with their parent
                        process.kill()
                told = await stream.content.read()

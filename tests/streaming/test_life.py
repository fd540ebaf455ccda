"""Processes die under viewers: whose pictures go on, who is told, who takes over. The whole tree, a fake renderer."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from benchmarks.returning import Returning
from tests.streaming.serving import WAIT_SECONDS, Served, client, gauge, make_models, name_of, serving

POSE = [10.0, 75.0, 2.0, 0.0, 0.0, 0.0, 30.0]
SPARES = {"spare gateway", "spare render", "spare net"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("served") / "models")


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[Served]:
    with serving(models, "--network", "2") as served:
        yield served


async def until(condition: Any) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def whole(server: Served) -> None:
    """Wait until every role is played."""
    async with asyncio.timeout(WAIT_SECONDS), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{server.url}/readyz") as response:
                if response.status == 200:
                    return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def returning(server: Served, count: int) -> AsyncIterator[list[Returning]]:
    """Viewers that come back by themselves."""
    async with aiohttp.ClientSession() as http:
        crowd = [Returning(http, server.url, "/whep/chair", (320, 240)) for _ in range(count)]
        await asyncio.gather(*(viewer.come() for viewer in crowd))
        try:
            yield crowd
        finally:
            await asyncio.gather(*(viewer.leave(polite=False) for viewer in crowd))


async def alive(viewer: Returning) -> None:
    """Turn the camera until a picture answers a message that was sent from now on."""
    first = viewer.look(POSE)
    async with asyncio.timeout(WAIT_SECONDS):
        while viewer.shown < first:
            await asyncio.sleep(0.1)
            viewer.look([POSE[0] + viewer.connection.seq, *POSE[1:]])


async def placed(server: Served) -> list[str]:
    """Network process of every session, in the order in which they began."""
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/sessions") as response:
        return [session["network"] for session in (await response.json())["sessions"]]


@pytest.mark.parametrize("role", ["gateway", "render"])
async def test_pictures_go_on_when_the_gateway_or_the_render_process_dies(server: Served, role: str) -> None:
    async with returning(server, 3) as crowd:
        await asyncio.gather(*(alive(viewer) for viewer in crowd))
        process = server.children()[role]
        process.kill()
        await until(lambda: not process.is_running())
        await asyncio.gather(*(alive(viewer) for viewer in crowd))
        await whole(server)
        assert [viewer.joins for viewer in crowd] == [1, 1, 1]
        assert len(await placed(server)) == 3


async def test_only_those_of_a_dead_network_process_connect_again(server: Served) -> None:
    async with returning(server, 4) as crowd:
        await asyncio.gather(*(alive(viewer) for viewer in crowd))
        before = (await placed(server)).count("network-1")
        server.children()["network-1"].kill()
        await until(lambda: sum(viewer.joins - 1 for viewer in crowd) == before)
        await asyncio.gather(*(alive(viewer) for viewer in crowd))
        assert sorted(viewer.joins for viewer in crowd) == [1] * (4 - before) + [2] * before
        assert [viewer.reasons for viewer in crowd if viewer.joins == 2] == [["gone"]] * before
        await whole(server)


async def test_a_session_is_known_under_its_old_name_to_the_next_gateway(server: Served) -> None:
    async with client(server) as viewer:
        await viewer.join()
        number = await gauge(server, "vitrine_restarts_total")
        server.children()["gateway"].kill()
        fragment = "a=mid:0\r\na=candidate:9 1 udp 1 127.0.0.1 9 typ host\r\n"
        kind = {"Content-Type": "application/trickle-ice-sdpfrag"}
        url = server.url + viewer.location
        async with aiohttp.ClientSession() as http, http.patch(url, data=fragment, headers=kind) as response:
            assert response.status == 204
        async with aiohttp.ClientSession() as http, http.get(f"{server.url}/readyz") as response:
            assert (await response.json())["sessions"] == 1
        assert await gauge(server, "vitrine_restarts_total") == number + 1
        assert await viewer.leave() == 200
        async with aiohttp.ClientSession() as http, http.delete(url) as response:
            assert response.status == 404
        await whole(server)


async def test_numbers_of_sessions_are_not_given_twice(server: Served) -> None:
    async with client(server) as first:
        await first.join()
        await first.leave()
        before = await listed_number(server)
        server.children()["gateway"].kill()
        await whole(server)
        assert await listed_number(server) > before


async def listed_number(server: Served) -> int:
    """Number of a session that begins now."""
    async with client(server) as viewer, aiohttp.ClientSession() as http:
        await viewer.join()
        async with http.get(f"{server.url}/sessions") as response:
            number = max(session["session"] for session in (await response.json())["sessions"])
        await viewer.leave()
    return int(number)


async def test_choices_survive_the_render_process(server: Served) -> None:
    async with client(server) as viewer:
        await viewer.join()
        viewer.say(type="viewport", width=320, height=240)
        viewer.say(type="variant", name="oak")
        viewer.say(type="variant", name="no such thing")
        viewer.look(seq=5, theta=90)
        await viewer.until(lambda: any(frame["seq"] == 5 for frame in viewer.of("frame")))
        await viewer.until(lambda: viewer.of("error"))
        before = len(viewer.packets)
        server.children()["render"].kill()
        await viewer.until(lambda: len(viewer.packets) > before)
        await whole(server)
        async with aiohttp.ClientSession() as http, http.get(f"{server.url}/sessions") as response:
            sessions = (await response.json())["sessions"]
        assert [(session["width"], session["height"]) for session in sessions] == [(320, 240)]
        assert len(viewer.of("error")) == 1
        viewer.look(seq=4, theta=0)  # older than what the process before has shown
        viewer.look(seq=6, theta=0)
        await viewer.until(lambda: any(frame["seq"] == 6 for frame in viewer.of("frame")))
        assert not any(frame["seq"] == 4 for frame in viewer.of("frame"))
        await viewer.leave()


# -- events -------------------------------------------------------------------------------------------------------


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Of a text/event-stream, until it ends."""
    name = ""
    async for line in response.content:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text[7:]
        elif text.startswith("data: "):
            yield name, json.loads(text[6:])


async def test_whoever_listens_is_told_that_a_session_has_ended(server: Served) -> None:
    async with client(server) as viewer, aiohttp.ClientSession() as http:
        await viewer.join()
        async with http.get(f"{server.url}{viewer.location}/events") as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/event-stream")
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            await response.content.readline()
            await viewer.leave()
            assert [event async for event in events(response)] == [("gone", {"reason": "ended"})]
        async with http.get(f"{server.url}{viewer.location}/events") as response:
            assert response.status == 404


async def test_the_newest_listeners_of_a_session_stay(server: Served) -> None:
    async with client(server) as viewer, aiohttp.ClientSession() as http:
        await viewer.join()
        first = await http.get(f"{server.url}{viewer.location}/events")
        later = [await http.get(f"{server.url}{viewer.location}/events") for _ in range(2)]
        async with asyncio.timeout(WAIT_SECONDS):
            assert await first.content.read() == b": here\n\n"
        await viewer.leave()
        for response in later:
            assert [name async for name, _ in events(response)] == ["gone"]


# -- spares -------------------------------------------------------------------------------------------------------


def spares(server: Served) -> dict[str, psutil.Process]:
    named = {name_of(child): child for child in psutil.Process(server.process.pid).children()}
    return {name: child for name, child in named.items() if name in SPARES}


async def test_spares_take_over_and_are_made_anew(models: Path) -> None:
    with serving(models, "--network", "1", spares="1") as server:
        await until(lambda: spares(server).keys() == SPARES)
        waiting = {child.pid for child in spares(server).values()}
        async with returning(server, 1) as (viewer,):
            for role in ("gateway", "render", "network-0"):
                server.children()[role].kill()
            await until(lambda: {child.pid for child in server.children().values()} == waiting)
            await alive(viewer)
        await until(lambda: spares(server).keys() == SPARES)
        assert waiting.isdisjoint(child.pid for child in spares(server).values())


# -- the end ------------------------------------------------------------------------------------------------------


async def test_sigterm_drains(models: Path) -> None:
    with serving(models, "--drain", "60") as server:
        async with client(server) as viewer, client(server) as late, aiohttp.ClientSession() as http:
            await viewer.join()
            async with http.get(f"{server.url}{viewer.location}/events") as response:
                await response.content.readline()
                server.process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(WAIT_SECONDS):
                    name, data = await anext(events(response))
            assert name == "goaway"
            assert 0 < data["deadline_ms"] <= 60_000
            await viewer.until(lambda: viewer.of("goaway"))
            async with http.get(f"{server.url}/readyz") as response:
                assert response.status == 503
            headers = {"Content-Type": "application/sdp"}
            async with http.post(f"{server.url}/whep/chair", data=await late.offer(), headers=headers) as response:
                assert (response.status, (await response.json())["error"]["code"]) == (503, "draining")
            async with http.get(f"{server.url}/render/chair.png?size=64x64&samples=1") as response:
                assert response.status == 200
            viewer.look(seq=1, theta=10)
            await viewer.until(lambda: viewer.of("frame"))
            server.children()["gateway"].kill()  # the next one drains, too
            await viewer.leave()
            assert await asyncio.to_thread(server.process.wait, WAIT_SECONDS) == 0


async def test_a_second_signal_ends_at_once(models: Path) -> None:
    with serving(models, "--drain", "600") as server:
        async with client(server) as viewer:
            await viewer.join()
            server.process.send_signal(signal.SIGTERM)
            await viewer.until(lambda: viewer.of("goaway"))
            server.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(server.process.wait, WAIT_SECONDS) == 0


async def test_sigint_says_goodbye_and_does_not_wait_for_anybody(models: Path) -> None:
    with serving(models, "--drain", "600") as server:
        async with client(server) as viewer:
            await viewer.join()
            server.process.send_signal(signal.SIGINT)
            await viewer.until(lambda: viewer.of("goaway"))
            assert await asyncio.to_thread(server.process.wait, WAIT_SECONDS) == 0


async def test_children_leave_signals_to_their_parent(models: Path) -> None:
    """A service manager signals every process of the group: a drain must not lose its sessions to that."""
    with serving(models, "--drain", "60") as server:
        async with client(server) as viewer:
            await viewer.join()
            for child in (*server.children().values(), psutil.Process(server.process.pid)):
                child.send_signal(signal.SIGTERM)
            await viewer.until(lambda: viewer.of("goaway"))
            viewer.look(seq=1, theta=10)
            await viewer.until(lambda: viewer.of("frame"))
            await viewer.leave()
        assert await asyncio.to_thread(server.process.wait, WAIT_SECONDS) == 0

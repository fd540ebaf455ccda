"""A host over a remote store, the whole process tree: one download for fifty, previews, versions, faults, spares."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.streaming.previews import PREVIEW
from tests.streaming.serving import Client, Served, client, gauge, serving
from tests.streaming.shop import Shop, trading

SETTINGS = {"backend": "tests.streaming.previews:backend", "refresh_seconds": "0.2", "prepare_seconds": "30"}
LARGE = b"whole " * 200_000


@pytest.fixture
def shop() -> Iterator[Shop]:
    with trading() as made:
        made.publish("chair", LARGE, {"preview": PREVIEW + b" of a chair", "poster": b"a picture"})
        made.publish("lamp", b"a lamp")
        made.publish("broken", b"bad")
        yield made


@pytest.fixture
def host(shop: Shop, tmp_path: Path) -> Iterator[Served]:
    with serving(shop.url, "--network", "1", cache_folder=str(tmp_path), **SETTINGS) as served:
        yield served


async def ask(server: Served, path: str, **options: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.get(server.url + path, **options) as response:
        return response.status, await response.json()


async def sessions(server: Served) -> list[dict[str, Any]]:
    return (await ask(server, "/sessions"))[1].get("sessions", [])  # type: ignore[no-any-return]


async def versions(server: Served) -> list[str]:
    return [session["version"] for session in await sessions(server) if "version" in session]


async def until_version(server: Served, *wanted: str) -> None:
    async with asyncio.timeout(20):
        while sorted(await versions(server)) != sorted(wanted):
            await asyncio.sleep(0.05)


async def until_listed(server: Served, model: str, version: str | None) -> None:
    """In GET /models, by the version in its poster's address; None: not at all."""
    async with asyncio.timeout(20):
        while True:
            models = {each["id"]: each["poster"] for each in (await ask(server, "/models"))[1]["models"]}
            if (version or "none") in models.get(model, "none"):
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def crowd(server: Served, count: int) -> AsyncIterator[list[Client]]:
    async with aiohttp.ClientSession() as http:
        clients = [Client(server.url, http) for _ in range(count)]
        yield clients
        await asyncio.gather(*(each.peer.close() for each in clients))


async def offered(each: Client, model: str) -> int:
    async with each.http.post(
        f"{each.url}/whep/{model}", data=await each.offer(), headers={"Content-Type": "application/sdp"}
    ) as response:
        await response.read()
        return response.status


async def test_fifty_viewers_of_a_cold_model_cause_one_download_and_one_reading(shop: Shop, tmp_path: Path) -> None:
    shop.open.clear()
    shop.publish("vase", b"a vase")
    settings = {**SETTINGS, "min_sessions": "100", "max_sessions": "100", "cache_folder": str(tmp_path)}
    with serving(shop.url, "--network", "1", **settings) as host:
        async with crowd(host, 50) as clients:
            offers = [asyncio.ensure_future(offered(each, "vase")) for each in clients]
            async with asyncio.timeout(30):
                while not shop.wholes():
                    await asyncio.sleep(0.05)
            shop.open.set()
            assert await asyncio.gather(*offers) == [201] * 50
        assert shop.wholes() == 1
        assert await gauge(host, "vitrine_store_fetches_total") == 1
        assert await gauge(host, "vitrine_model_decode_seconds_count") == 1
        assert await gauge(host, "vitrine_model_upload_seconds_count") == 1
        assert await gauge(host, "vitrine_store_fetched_bytes_total") == len(b"a vase")


async def test_a_preview_is_shown_first_and_exchanged_without_another_connection(shop: Shop, host: Served) -> None:
    shop.open.clear()
    version = next(iter(shop.manifest.models["chair"].releases)).version
    async with client(host) as viewer, client(host) as watcher:
        await viewer.join()
        assert '</models/chair/events>; rel="urn:vitrine:progress"' in viewer.links
        assert await versions(host) == [f"{version}~preview"]
        viewer.say(type="hello", version=1)
        await viewer.until(lambda: viewer.of("ready"))
        assert viewer.of("ready")[0]["variants"] == []
        key = viewer.links.split("?watch=")[1].split(">")[0]
        await watcher.join(query={"watch": key})
        viewer.look(seq=5, theta=90)
        viewer.say(type="variant", name="oak")
        await viewer.until(lambda: any(each["seq"] == 5 for each in viewer.of("frame")))
        events = asyncio.ensure_future(_events(host, "chair"))
        await asyncio.sleep(0.3)
        packets = len(watcher.packets)
        shop.open.set()
        await until_version(host, version)
        await viewer.until(lambda: len(viewer.of("ready")) == 2)
        assert viewer.of("ready")[1]["variants"] == ["oak", "walnut"]
        await watcher.until(lambda: len(watcher.packets) > packets)
        assert viewer.of("error") == []
        told = await events
        assert told[0] == ("poster", {"url": f"/files/chair/{version}/poster.webp"})
        assert {data["stage"] for name, data in told if name == "progress"} >= {"fetch"}
        assert told[-1] == ("end", {"outcome": "ready"})
    assert await gauge(host, "vitrine_previews_exchanged_total") == 1


async def _events(host: Served, model: str) -> list[tuple[str, dict[str, Any]]]:
    async with aiohttp.ClientSession() as http, http.get(f"{host.url}/models/{model}/events") as response:
        blocks = (await response.text()).strip().split("\n\n")
    lines = [block.split("\n") for block in blocks if not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in lines]


async def test_a_gateway_that_takes_over_completes_what_the_one_before_has_begun(shop: Shop, host: Served) -> None:
    shop.open.clear()
    async with client(host) as viewer:
        await viewer.join()
        (shows,) = await versions(host)
        host.children()["gateway"].kill()
        shop.open.set()
        await until_version(host, shows.removesuffix("~preview"))
        assert await viewer.leave() == 200


async def test_new_versions_go_live_and_back_and_whoever_watches_keeps_theirs(
    shop: Shop, host: Served, tmp_path: Path
) -> None:
    first = shop.manifest.models["lamp"].current
    async with client(host) as old:
        await old.join("lamp")
        second = shop.publish("lamp", b"a better lamp", {"poster": b"a picture"})
        await until_listed(host, "lamp", second)
        async with client(host) as new:
            await new.join("lamp")
            assert sorted(await versions(host)) == sorted([first, second])
            shop.roll_back("lamp")
            await until_listed(host, "lamp", first)
            async with client(host) as third:
                await third.join("lamp")
                assert sorted(await versions(host)) == sorted([first, second, first])
                await third.leave()
            await new.leave()
        shop.publish("lamp", b"a third lamp")
        frames = len(old.of("frame"))
        old.look(seq=1, theta=120)
        await old.until(lambda: len(old.of("frame")) > frames)
        for each in (tmp_path / "objects").rglob("*"):  # their file leaves the cache, and their process dies
            if each.is_file():
                each.unlink()
        host.children()["render"].kill()
        await until_version(host, first)


async def test_sessions_of_a_removed_model_go_on_and_it_is_no_longer_offered(shop: Shop, host: Served) -> None:
    async with client(host) as viewer:
        await viewer.join("lamp")
        shop.remove("lamp")
        await until_listed(host, "lamp", None)
        assert (await ask(host, "/render/lamp.png?size=64x64"))[0] == 404
        viewer.look(seq=1, theta=120)
        await viewer.until(lambda: viewer.of("frame"))
        os.kill(host.children()["render"].pid, signal.SIGKILL)
        frames = len(viewer.packets)
        await viewer.until(lambda: len(viewer.packets) > frames)
        assert await viewer.leave() == 200


async def test_a_model_at_fault_is_an_error_for_its_own_viewers_with_a_code(shop: Shop, host: Served) -> None:
    shop.publish("poisoned", b"as published")
    shop.publish("lost", b"of which the file is gone")
    await until_listed(host, "lost", shop.manifest.models["lost"].current)
    for key in list(shop.files):
        if key.startswith("models/poisoned/"):
            shop.files[key] = b"AS PUBLISHED"
        elif key.startswith("models/lost/"):
            del shop.files[key]
    async with client(host) as viewer:
        await viewer.join("lamp")
        for model, status, code in (
            ("broken", 422, "bad-model"),
            ("poisoned", 502, "corrupt"),
            ("lost", 503, "store"),
            ("nothing", 404, "not-found"),
        ):
            async with aiohttp.ClientSession() as http:
                other = Client(host.url, http)
                offer = await other.offer()
                headers = {"Content-Type": "application/sdp"}
                async with http.post(f"{host.url}/whep/{model}", data=offer, headers=headers) as response:
                    answer = await response.json()
                await other.peer.close()
            assert (response.status, answer["error"]["code"]) == (status, code), model
        viewer.look(seq=1, theta=10)
        await viewer.until(lambda: viewer.of("frame"))


async def test_a_host_starts_and_goes_on_with_what_it_has_while_its_store_is_down(
    shop: Shop, host: Served, tmp_path: Path
) -> None:
    async with client(host) as viewer:
        await viewer.join("lamp")
        await viewer.leave()
    shop.down = True
    host.children()["gateway"].kill()
    async with client(host) as viewer:
        await viewer.join("lamp")
        status, answer = await ask(host, "/render/chair.png?size=64x64")
        assert (status, answer["error"]["code"]) == (503, "store")
        assert await viewer.leave() == 200

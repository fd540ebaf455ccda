"""Many people at one server: who waits in line, and who watches another's pictures. The whole process tree."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streaming.tokens import make_key, sign
from tests.streaming.serving import WAIT_SECONDS, Client, Served, client, gauge, make_models, serving

SDP = {"Content-Type": "application/sdp"}
PLAYING = {"size": "320x240", "animation": "0", "play": "1"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("crowd") / "models")


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[Served]:
    with serving(models, "--network", "2", max_watchers="3") as served:
        yield served


async def post(server: Served, offer: str, path: str = "/whep/chair", token: str = "") -> tuple[int, Any, Any]:
    headers = {**SDP, **({"Authorization": f"Bearer {token}"} if token else {})}
    async with (
        aiohttp.ClientSession() as http,
        http.post(server.url + path, data=offer, headers=headers) as response,
    ):
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, await response.json() if is_json else await response.text(), response.headers


async def told(server: Served, path: str = "/sessions") -> Any:
    async with aiohttp.ClientSession() as http, http.get(server.url + path) as response:
        return await response.json()


# -- the line -----------------------------------------------------------------------------------------------------


async def test_a_full_server_keeps_ones_place_in_line(models: Path) -> None:
    with serving(models, "--network", "1", "--max-sessions", "1") as server:
        async with client(server) as first, client(server) as waiting:
            await first.join()
            offer = await waiting.offer()
            status, answer, headers = await post(server, offer)
            assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "full", "2")
            head = answer["queue"]
            assert (set(head), head["position"]) == ({"ticket", "position", "seconds"}, 1)
            assert (await post(server, offer))[1]["queue"]["position"] == 2
            assert (await post(server, offer, f"/whep/chair?ticket={head['ticket']}"))[1]["queue"]["position"] == 1
            assert (await post(server, offer, "/whep/chair?ticket=%00%ff" + "x" * 3000))[1]["queue"]["position"] == 3
            assert (await told(server, "/readyz"))["queue"] == 3
            assert await gauge(server, "vitrine_queue_length") == 3
            await first.leave()
            status, answer, _ = await post(server, offer)
            assert (status, answer["queue"]["position"]) == (503, 4)  # the place is the head's
            status, _, _ = await post(server, offer, f"/whep/chair?ticket={head['ticket']}")
            assert status == 201
            assert await gauge(server, "vitrine_queue_seconds_count") == 1


async def test_a_bad_offer_gets_no_place_in_line(models: Path) -> None:
    with serving(models, "--network", "1", "--max-sessions", "1") as server:
        async with client(server) as first:
            await first.join()
            assert (await post(server, "hello"))[0] == 400
            assert (await post(server, await first.offer(), "/whep/nothing"))[0] == 404
            assert (await told(server))["queue"] == 0


async def test_readiness_says_how_many_more_there_may_be(server: Served) -> None:
    body = await told(server, "/readyz")
    assert body["capacity"] == body["free"] + body["sessions"]
    assert 0 < body["free"] <= body["max_sessions"]
    assert await gauge(server, "vitrine_admission_free") == body["free"]


# -- watching -----------------------------------------------------------------------------------------------------


def key_of(viewer: Client) -> str:
    """What its session may be watched with."""
    found = re.search(r'</whep/chair\?watch=([^>]+)>; rel="watch"', viewer.links)
    assert found is not None, viewer.links
    return found[1]


@asynccontextmanager
async def owner(server: Served, **query: str) -> AsyncIterator[Client]:
    """A viewer whose pictures never stop, unless the query says so."""
    async with client(server) as made:
        await made.join(query={**PLAYING, **query})
        yield made
        if made.location:
            await made.leave()


def payload(packet: bytes) -> bytes:
    """Of an RTP packet: without header, contributors and extension."""
    at = 12 + 4 * (packet[0] & 15)
    if packet[0] & 0x10:
        at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
    return packet[at:]


def pictures(viewer: Client) -> list[bytes]:
    """The encoded pictures that came whole, in order, with what was sent again; the first may lack its beginning."""
    sources = Counter(packet[8:12] for packet in viewer.packets).most_common(1)
    parts: dict[int, tuple[bool, bytes]] = {}
    for packet in viewer.packets:
        number, body = packet[2:4], payload(packet)
        if packet[8:12] != sources[0][0]:  # RFC 4588: the number that it had comes first
            number, body = body[:2], body[2:]
        parts[int.from_bytes(number, "big")] = bool(packet[1] & 0x80), body
    made, picture = [], b""
    for _, (last, body) in sorted(parts.items()):
        picture += body
        if last:
            made.append(picture)
            picture = b""
    return made


def is_key(picture: bytes) -> bool:
    """Whether an H.264 picture begins with its parameter sets, alone or aggregated."""
    kind = picture[0] & 31
    return kind == 7 or (kind == 24 and picture[3] & 31 == 7)


async def test_watchers_get_the_owners_packets_and_nothing_is_encoded_for_them(server: Served) -> None:
    async with owner(server) as first, client(server) as second, client(server) as third:
        await second.join(query={"watch": key_of(first)})
        await third.join(query={"watch": first.location.rsplit("/", 1)[1]})
        listed = (await told(server))["sessions"]
        (own,) = [each for each in listed if "watches" not in each]
        watchers = [each for each in listed if "watches" in each]
        assert own["watchers"] == 2
        assert [each["watches"] for each in watchers] == [own["session"]] * 2
        assert len({each["network"] for each in listed}) == 2  # also those in another process than the owner's
        assert (await gauge(server, "vitrine_watchers"), await gauge(server, "vitrine_sessions")) == (2, 1)
        encoded = await gauge(server, "vitrine_frames_encoded_total")
        before = len(pictures(first))
        await asyncio.sleep(2.0)
        made = len(pictures(first)) - before
        assert made > 20
        assert await gauge(server, "vitrine_frames_encoded_total") - encoded <= made + 5
        own_pictures = set(pictures(first))
        for watcher in (second, third):
            seen = pictures(watcher)
            assert is_key(seen[0])
            assert len(seen) > 20
            assert len([picture for picture in seen[:-3] if picture not in own_pictures]) <= 1


async def test_watchers_are_told_what_is_there_and_change_nothing(server: Served) -> None:
    async with owner(server) as first, client(server) as second:
        await second.join(query={"watch": key_of(first), "size": "640x480"})
        second.say(type="hello", version=1)
        second.say(type="ping", t=4.0)
        second.say(type="report", freezes=1, frozen_ms=200)
        await second.until(lambda: second.of("ready") and second.of("pong"))
        for seq in range(1, 20):
            second.look(seq, theta=90.0)
            second.say(type="variant", name="oak")
            second.say(type="viewport", width=640, height=480)
            await asyncio.sleep(0.01)
        await second.until(lambda: second.of("error"))
        first.say(type="ping", t=1.0)
        first.look(seq=7, theta=30.0)
        await second.until(lambda: second.of("frame"))
        assert {frame["seq"] for frame in second.of("frame")} == {7}
        assert [error["code"] for error in second.of("error")] == ["watching"]
        assert first.of("error") == []
        (own,) = [each for each in (await told(server))["sessions"] if "watches" not in each]
        assert (own["width"], own["height"]) == (320, 240)


async def test_while_nothing_moves_one_key_frame_serves_all_who_join(server: Served) -> None:
    async with owner(server, play="0") as first, client(server) as second, client(server) as third:
        await asyncio.sleep(1.0)
        assert await first.quiet(1.0) == 0
        keys = await gauge(server, "vitrine_keyframes_total")
        for watcher in (second, third):
            await watcher.join(query={"watch": key_of(first)})
            await watcher.until(lambda watcher=watcher: pictures(watcher))
            assert is_key(pictures(watcher)[0])
        await asyncio.sleep(0.5)
        assert await first.quiet(0.5) == 0
        assert await gauge(server, "vitrine_keyframes_total") <= keys + 1


async def test_the_end_of_the_owner_is_the_end_of_its_watchers(server: Served) -> None:
    async with owner(server) as first, client(server) as second:
        await second.join(query={"watch": key_of(first)})
        async with aiohttp.ClientSession() as http, http.get(server.url + second.location + "/events") as events:
            assert events.status == 200
            await first.leave()
            text = ""
            async with asyncio.timeout(WAIT_SECONDS):
                while "gone" not in text:
                    text += (await events.content.readany()).decode()
        assert "owner-left" in text
        first.location = ""
        async with client(server) as late:
            assert (await post(server, await late.offer(), f"/whep/chair?watch={key_of(first)}"))[0] == 404
        async with asyncio.timeout(WAIT_SECONDS):
            while await gauge(server, "vitrine_peers"):
                await asyncio.sleep(0.05)


async def test_an_owner_that_connects_again_is_watched_with_the_same_key(server: Served) -> None:
    async with client(server) as first, client(server) as second, client(server) as watcher, client(server) as late:
        await first.join(query=PLAYING)
        await watcher.join(query={"watch": key_of(first)})
        await second.join(query={**PLAYING, "again": first.location.rsplit("/", 1)[1]})
        assert key_of(second) == key_of(first)
        assert await first.leave() == 200
        await late.join(query={"watch": key_of(first)})
        assert await second.leave() == 200
        async with asyncio.timeout(WAIT_SECONDS):
            while await gauge(server, "vitrine_peers"):
                await asyncio.sleep(0.05)


async def test_what_cannot_be_watched(server: Served) -> None:
    async with owner(server) as first, client(server) as second, client(server, codecs=("video/VP8",)) as other:
        offer = await second.offer()
        for path in ("/whep/chair?watch=", "/whep/chair?watch=x", f"/whep/lamp?watch={key_of(first)}"):
            status, answer, _ = await post(server, offer, path)
            assert (status, answer["error"]["code"]) == (404, "no-session"), path
        status, answer, _ = await post(server, await other.offer(), f"/whep/chair?watch={key_of(first)}")
        assert (status, answer["error"]["code"]) == (422, "no-video")
        assert "H264" in answer["error"]["message"]
        await second.join(query={"watch": key_of(first)})
        watcher = second.location.rsplit("/", 1)[1]
        assert (await post(server, offer, f"/whep/chair?watch={watcher}"))[0] == 404  # it has no pictures of its own


async def test_watchers_are_bounded(server: Served) -> None:
    async with owner(server) as first, client(server) as one, client(server) as two, client(server) as three:
        for watcher in (one, two, three):
            await watcher.join(query={"watch": key_of(first)})
        async with client(server) as more:
            status, answer, headers = await post(server, await more.offer(), f"/whep/chair?watch={key_of(first)}")
            assert (status, answer["error"]["code"]) == (503, "full")
            assert "queue" not in answer
            assert int(headers["Retry-After"]) >= 1
            await one.leave()
            await more.join(query={"watch": key_of(first)})


async def test_a_watcher_that_stands_still_never_slows_the_owner(server: Served) -> None:
    async with owner(server) as first, client(server) as second:
        await second.join(query={"watch": key_of(first)})
        listed = (await told(server))["sessions"]
        (network,) = [each["network"] for each in listed if "watches" in each]
        assert {each["network"] for each in listed if "watches" not in each} != {network}
        process = server.children()[network]
        process.send_signal(signal.SIGSTOP)
        try:
            before, began = len(pictures(first)), time.monotonic()
            await asyncio.sleep(2.0)
            rate = (len(pictures(first)) - before) / (time.monotonic() - began)
            assert rate > 10  # of 30
        finally:
            process.send_signal(signal.SIGCONT)
        seen = len(pictures(second))
        await second.until(lambda: any(is_key(picture) for picture in pictures(second)[seen:]))


async def test_with_tokens_watching_is_a_right_of_its_own(models: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "private.json", tmp_path / "keys.json")

    def token(*allow: str) -> str:
        key, now = tmp_path / "private.json", time.time()
        return sign(key, models=["chair"], origins=["*"], actions=allow, begins=now, seconds=300)

    with serving(models, "--network", "1", "--auth", str(tmp_path / "keys.json")) as server:
        async with client(server, token=token("stream")) as first, client(server, token=token("watch")) as second:
            await first.join()
            name = first.location.rsplit("/", 1)[1]
            offer = await second.offer()
            status, answer, _ = await post(server, offer, f"/whep/chair?watch={name}", token("stream"))
            assert (status, answer["error"]["code"]) == (403, "token-action")
            assert (await post(server, offer, f"/whep/chair?watch={name}"))[0] == 401
            assert (await post(server, offer, "/whep/chair", token("watch")))[0] == 403
            await second.join(query={"watch": name})
            assert await second.leave() == 200


@pytest.mark.parametrize("role", ["render", "gateway"])
async def test_watching_goes_on_when_a_process_dies(models: Path, role: str) -> None:
    with serving(models, "--network", "2") as server:
        async with owner(server) as first, client(server) as second:
            await second.join(query={"watch": key_of(first)})
            server.children()[role].kill()
            await asyncio.sleep(0.5)
            seen = len(second.packets)
            await second.until(lambda: len(second.packets) > seen + 20)
            async with asyncio.timeout(WAIT_SECONDS):
                while (await watches(server)) != 1:
                    await asyncio.sleep(0.05)
            async with client(server) as third:
                await third.join(query={"watch": key_of(first)})
            assert await first.leave() == 200
            first.location = ""
            async with asyncio.timeout(WAIT_SECONDS):
                while await gauge(server, "vitrine_peers"):
                    await asyncio.sleep(0.05)


async def watches(server: Served) -> int:
    """How many watchers a gateway knows; 0 while there is none."""
    try:
        return int((await told(server, "/readyz"))["watchers"])
    except aiohttp.ClientError:
        return 0

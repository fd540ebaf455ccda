"""The whole process tree with a fake renderer: signalling, streaming, bad input, ends and restarts."""

from __future__ import annotations

import asyncio
import json
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.streaming.serving import Served, client, gauge, make_models, serving


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("served") / "models")


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[Served]:
    with serving(models, "--network", "2") as served:
        yield served


async def fetch(server: Served, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
    async with aiohttp.ClientSession() as http, http.request(method, server.url + path, **options) as response:
        body = await response.read()
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, json.loads(body) if is_json else body, response.headers


# -- HTTP ---------------------------------------------------------------------------------------------------------


async def test_health_models_and_metrics(server: Served) -> None:
    assert (await fetch(server, "GET", "/healthz"))[0] == 200
    assert (await fetch(server, "GET", "/readyz"))[1]["ready"] is True
    status, listing, headers = await fetch(server, "GET", "/models")
    assert status == 200
    assert [model["id"] for model in listing["models"]] == ["broken", "chair", "lamp"]
    assert set(listing["models"][0]) == {"id", "title", "bytes", "variants", "poster"}
    assert headers["Access-Control-Allow-Origin"] == "*"
    text = (await fetch(server, "GET", "/metrics"))[1].decode()
    for name in ("vitrine_sessions", "vitrine_render_milliseconds_bucket", "vitrine_rtp_packets_total"):
        assert name in text


async def test_material_inputs_are_listed_shown_and_can_be_refused(server: Served, models: Path) -> None:
    status, listing, headers = await fetch(server, "GET", "/channels")
    found = {channel["name"]: channel for channel in listing["channels"]}
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert found["normal"] == {"name": "normal", "extension": "", "kind": "direction"}
    assert found["clearcoatNormal"]["extension"] == "KHR_materials_clearcoat"
    assert (await fetch(server, "GET", "/render/chair.png?size=64x64&channel=normal"))[0] == 200
    async with client(server) as viewer:
        await viewer.join()
        viewer.say(type="channel", name="gloss")
        await viewer.until(lambda: viewer.messages)
        assert viewer.messages[0]["code"] == "unknown-channel"
    with serving(models, channels="0") as secret:
        assert (await fetch(secret, "GET", "/channels"))[1] == {"channels": []}
        status, answer, _ = await fetch(secret, "GET", "/render/chair.png?size=64x64&channel=normal")
        assert (status, answer["error"]["code"]) == (400, "bad-view")


async def test_stills_are_cached_by_their_content(server: Served) -> None:
    for extension, kind in (("png", "image/png"), ("jpg", "image/jpeg"), ("webp", "image/webp")):
        status, body, headers = await fetch(server, "GET", f"/render/chair.{extension}?size=128x64&orbit=90 75 auto")
        assert (status, headers["Content-Type"]) == (200, kind)
        assert body
    again = {"If-None-Match": headers["ETag"]}
    assert (await fetch(server, "GET", "/render/chair.webp?size=128x64&orbit=90 75 auto", headers=again))[0] == 304
    listing = (await fetch(server, "GET", "/models"))[1]["models"]
    assert "immutable" in (await fetch(server, "GET", listing[1]["poster"]))[2]["Cache-Control"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/render/chair.png?orbit=up", 400, "bad-query"),
        ("GET", "/render/chair.png?size=99999x99999x1", 400, "bad-query"),
        ("GET", "/render/chair.png?samples=9999", 400, "bad-query"),
        ("GET", "/render/chair.png?colour=red", 400, "bad-query"),
        ("GET", "/render/chair.png?variant=gold", 400, "bad-view"),
        ("GET", "/render/chair.png?channel=gloss", 400, "bad-view"),
        ("GET", "/render/broken.png", 422, "bad-model"),
        ("GET", "/render/nothing.png", 404, "not-found"),
        ("GET", "/render/chair.gif", 404, "http"),
        ("GET", "/view/nothing", 404, "not-found"),
        ("GET", "/viewer/..%2f..%2fvitrine.py", 404, "not-found"),
        ("GET", "/viewer/%2e%2e/app.py", 404, "http"),
        ("POST", "/whep/nothing", 404, "not-found"),
        ("POST", "/whep/chair", 415, "bad-content-type"),
        ("GET", "/whep/chair", 405, "http"),
        ("DELETE", "/whep/chair/unknown", 404, "no-session"),
        ("PATCH", "/whep/chair/unknown", 404, "no-session"),
        ("GET", "/nowhere", 404, "http"),
    ],
)
async def test_bad_requests_get_a_status_and_one_line(
    server: Served, method: str, path: str, status: int, code: str
) -> None:
    from yarl import URL

    got, body, _ = await fetch(server, method, str(URL(path, encoded=True)))
    assert (got, body["error"]["code"]) == (status, code)
    assert "\n" not in body["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"hello", 400),
        (b"\xff\xfe", 400),
        (b"v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", 400),
        (b"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", 422),
        (b"v=0\r\n" + b"a=x\r\n" * 100_000, 413),
    ],
)
async def test_bad_offers(server: Served, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/sdp"}
    got, answer, _ = await fetch(server, "POST", "/whep/chair", data=body, headers=headers)
    assert got == status, answer
    assert await gauge(server, "vitrine_peers") == 0


async def test_an_offer_without_our_codecs_is_422(server: Served) -> None:
    async with client(server) as viewer:
        sdp = (await viewer.offer()).replace("VP8/90000", "AV1/90000").replace("H264/90000", "H265/90000")
    status, answer, _ = await fetch(
        server, "POST", "/whep/chair", data=sdp, headers={"Content-Type": "application/sdp"}
    )
    assert (status, answer["error"]["code"]) == (422, "no-video")


async def test_a_model_that_does_not_load_is_422(server: Served) -> None:
    async with client(server) as viewer:
        sdp = await viewer.offer()
    headers = {"Content-Type": "application/sdp"}
    status, answer, _ = await fetch(server, "POST", "/whep/broken", data=sdp, headers=headers)
    assert (status, answer["error"]["code"]) == (422, "bad-model")
    assert "broken.glb" in answer["error"]["message"]
    async with asyncio.timeout(10):
        while await gauge(server, "vitrine_peers"):
            await asyncio.sleep(0.05)


async def test_preflight(server: Served) -> None:
    status, _, headers = await fetch(server, "OPTIONS", "/whep/chair")
    assert status == 204
    assert "PATCH" in headers["Access-Control-Allow-Methods"]
    assert "Location" in headers["Access-Control-Expose-Headers"]


# -- streaming ----------------------------------------------------------------------------------------------------


async def test_a_viewer_joins_looks_and_leaves(server: Served) -> None:
    async with client(server) as viewer:
        await viewer.join()
        viewer.say(type="hello", version=1)
        await viewer.until(lambda: viewer.of("ready"))
        (ready,) = viewer.of("ready")
        assert (ready["model"], ready["variants"], ready["environments"]) == (
            "chair",
            ["oak", "walnut"],
            ["neutral", "studio"],
        )
        viewer.look(seq=5, theta=90)
        await viewer.until(lambda: viewer.of("frame"))
        shown = viewer.of("frame")[0]
        timestamps = {struct.unpack_from("!I", packet, 4)[0] for packet in viewer.packets}
        assert shown["seq"] == 5
        assert shown["rtp"] in timestamps
        viewer.say(type="ping", t=1.5)
        viewer.say(type="pick", id=1, x=0.9, y=0.5)
        viewer.say(type="pick", id=2, x=0.1, y=0.5)
        await viewer.until(lambda: len(viewer.of("picked")) + len(viewer.of("error")) >= 2 and viewer.of("pong"))
        assert viewer.of("picked")[0]["node"] == "seat"
        assert await viewer.leave() == 200
        assert (await fetch(server, "DELETE", viewer.location))[0] == 404


async def test_at_rest_nothing_is_sent(server: Served) -> None:
    async with client(server) as viewer:
        await viewer.join()
        viewer.look(seq=1, theta=10)
        await viewer.until(lambda: viewer.of("frame"))
        await asyncio.sleep(1.0)
        assert await viewer.quiet(5.0) == 0


async def test_a_player_without_data_channels_watches_vp8(server: Served) -> None:
    async with client(server, codecs=("video/VP8",), channels=False) as viewer:
        await viewer.join(query={"size": "320x240", "animation": "0", "play": "1"})
        assert "VP8/90000" in viewer.answer
        assert "H264" not in viewer.answer
        await viewer.until(lambda: sum(packet[1] >> 7 for packet in viewer.packets) > 10)


async def test_h264_is_preferred_and_playout_delay_needs_an_offer_of_it(server: Served) -> None:
    async with client(server) as viewer:
        await viewer.join()
        media = next(line for line in viewer.answer.splitlines() if line.startswith("m=video"))
        first = media.split()[3]
        assert f"a=rtpmap:{first} H264/90000" in viewer.answer


async def test_trickled_candidates(server: Served) -> None:
    async with client(server) as viewer:
        await viewer.join()
        kind = {"Content-Type": "application/trickle-ice-sdpfrag"}
        fragment = "a=mid:0\r\na=candidate:9 1 udp 1 127.0.0.1 9 typ host\r\n"
        assert (await fetch(server, "PATCH", viewer.location, data=fragment, headers=kind))[0] == 204
        assert (await fetch(server, "PATCH", viewer.location, data=fragment))[0] == 415
        restart = "a=ice-ufrag:other\r\n" + fragment
        assert (await fetch(server, "PATCH", viewer.location, data=restart, headers=kind))[0] == 422
        stale = {**kind, "If-Match": '"old"'}
        assert (await fetch(server, "PATCH", viewer.location, data=fragment, headers=stale))[0] == 412


HOSTILE = [
    "",
    "nonsense",
    "[]",
    '{"type":"explode"}',
    '{"type":"viewport","width":"wide","height":1}',
    '{"type":"viewport","width":NaN,"height":1}',
    '{"type":"exposure","ev":1e999}',
    '{"type":"variant","name":"gold"}',
    '{"type":"variant","name":"' + "x" * 5000 + '"}',
    '{"type":"camera","seq":1}',
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_message_gets_an_error_and_the_session_lives(server: Served, text: str) -> None:
    async with client(server) as viewer:
        await viewer.join()
        assert viewer.control is not None
        viewer.control.send(text)
        await viewer.until(lambda: viewer.of("error"))
        assert set(viewer.of("error")[0]) == {"type", "code", "message"}
        viewer.look(seq=1, theta=20)
        await viewer.until(lambda: viewer.of("frame"))


@pytest.mark.parametrize("channel", ["camera", "control"])
async def test_a_flood_is_answered_a_little_and_others_feel_nothing(server: Served, channel: str) -> None:
    async with client(server) as flooder, client(server) as other:
        await flooder.join()
        await other.join()
        flooded = flooder.camera if channel == "camera" else flooder.control
        assert flooded is not None
        for seq in range(1, 21):
            for _ in range(500):
                flooded.send('{"type":"explode"}')
            other.look(seq, theta=seq * 10.0)
            await other.until(lambda seq=seq: any(frame["seq"] >= seq for frame in other.of("frame")))
        assert other.of("error") == []
        await flooder.until(lambda: flooder.of("error"))
        assert len(flooder.of("error")) < 200
        assert flooder.peer.connectionState == "connected"
        kind = {"Content-Type": "application/trickle-ice-sdpfrag"}
        assert (await fetch(server, "PATCH", flooder.location, data="a=mid:0\r\n", headers=kind))[0] == 204


# -- ends ---------------------------------------------------------------------------------------------------------


def footprint(server: Served) -> dict[str, tuple[int, int]]:
    """Threads and open files of each child. The gateway's threads that read files come when needed, a few at most."""
    return {
        role: (0 if role == "gateway" else child.num_threads(), child.num_fds())
        for role, child in server.children().items()
    }


async def join_and_vanish(server: Served) -> None:
    """A client in a process that is killed without a word."""
    script = (
        "import asyncio, sys; sys.path[:] = sys.argv[2].split('|')\n"
        "import aiohttp; from tests.streaming.serving import Client\n"
        "async def main():\n"
        "    async with aiohttp.ClientSession() as http:\n"
        "        viewer = Client(sys.argv[1], http); await viewer.join(); print('joined', flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    import sys

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, server.url, "|".join(sys.path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert (await process.stdout.readline()).strip() == b"joined"
    process.kill()
    await process.wait()


async def come_and_go(server: Served, polite: int, killed: int, at_once: int) -> None:
    async def visit() -> None:
        async with client(server) as viewer:
            await viewer.join()
            viewer.look(seq=1, theta=5)
            await viewer.until(lambda: viewer.of("frame"))
            await viewer.leave()

    for start in range(0, polite, at_once):
        await asyncio.gather(*(visit() for _ in range(min(at_once, polite - start))))
    for start in range(0, killed, at_once):
        await asyncio.gather(*(join_and_vanish(server) for _ in range(min(at_once, killed - start))))


async def everybody_gone(server: Served) -> None:
    async with asyncio.timeout(60):
        while await gauge(server, "vitrine_peers") or await gauge(server, "vitrine_sessions"):
            await asyncio.sleep(0.2)
    await asyncio.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("polite", "killed"), [(22, 8), (150, 50)])
async def test_whoever_comes_and_goes_leaves_nothing_behind(models: Path, polite: int, killed: int) -> None:
    # Those who vanish keep their places for seconds: more than the dozen that any load leaves room for may be there.
    with serving(models, "--network", "1", VITRINE_MIN_SESSIONS="100") as server:
        await come_and_go(server, polite=4, killed=0, at_once=4)
        await everybody_gone(server)
        before = footprint(server)
        await come_and_go(server, polite, killed, at_once=4)
        await everybody_gone(server)
        assert footprint(server) == before
        assert (await fetch(server, "GET", "/readyz"))[1]["sessions"] == 0


async def test_when_the_server_ends_viewers_are_told_and_nothing_stays(models: Path) -> None:
    with serving(models) as server:
        family = [*server.children().values()]
        async with client(server) as viewer:
            await viewer.join()
            server.process.send_signal(signal.SIGTERM)
            await viewer.until(lambda: viewer.of("goaway"))
            assert await asyncio.to_thread(server.process.wait, 10) == 0
        psutil.wait_procs(family, timeout=5)
        assert not any(child.is_running() for child in family)


def test_children_never_outlive_a_killed_parent(models: Path) -> None:
    with serving(models) as server:
        family = [*server.children().values()]
        server.process.kill()
        _, alive = psutil.wait_procs(family, timeout=10)
        assert alive == []


async def test_a_full_server_says_when_to_come_back(models: Path) -> None:
    with serving(models, "--max-sessions", "1") as server:
        async with client(server) as first, client(server) as second:
            await first.join()
            headers = {"Content-Type": "application/sdp"}
            status, answer, got = await fetch(server, "POST", "/whep/chair", data=await second.offer(), headers=headers)
            assert (status, answer["error"]["code"]) == (503, "full")
            assert int(got["Retry-After"]) >= 1

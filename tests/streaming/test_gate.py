"""The door of a running server: tokens, pages of other origins, rates by address, and who is served without tokens."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from streaming.config import load
from streaming.errors import AccessError, RateError
from streaming.gate import Gate, challenge, shortened
from streaming.tokens import make_key, sign
from tests.streaming.serving import Served, client, command, environment, gauge, make_models, serving

SDP = {"Content-Type": "application/sdp"}
STILL = "/render/chair.png?size=64x64&samples=1"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("gated") / "models")
    make_key(folder.parent / "private.json", folder.parent / "keys.json")
    return folder


def token(folder: Path, /, *actions: str, age: float = 0, **changes: Any) -> str:
    given: dict[str, Any] = {"models": ["chair"], "origins": ["https://shop.example"], "seconds": 60, **changes}
    allowed = actions or ("stream", "render")
    return sign(folder.parent / "private.json", actions=allowed, begins=time.time() - age, **given)


@pytest.fixture(scope="module")
def output(models: Path) -> Path:
    """Where the server's stderr goes."""
    return models.parent / "stderr"


@pytest.fixture(scope="module")
def server(models: Path, output: Path) -> Iterator[Served]:
    """With tokens, behind a proxy of this machine, at the highest log level."""
    arguments = ("--auth", str(models.parent / "keys.json"), "--trusted-proxy", "127.0.0.1", "--network", "1")
    with output.open("w") as log, serving(models, *arguments, log=log, whep_burst="3", refusal_burst="4") as served:
        yield served


async def fetch(server: Served, method: str, path: str, **options: Any) -> tuple[int, Any, Mapping[str, str]]:
    async with aiohttp.ClientSession() as http, http.request(method, server.url + path, **options) as response:
        body = await response.read()
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, json.loads(body) if is_json else body, response.headers


def bearer(text: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}", **headers}


# -- tokens -------------------------------------------------------------------------------------------------------


async def test_nothing_is_shown_without_a_token(server: Served) -> None:
    for method, path in (("GET", STILL), ("GET", "/models"), ("POST", "/whep/chair"), ("POST", "/whep/nothing")):
        status, answer, headers = await fetch(server, method, path)
        assert (status, answer["error"]["code"]) == (401, "token-missing")
        assert headers["WWW-Authenticate"] == 'Bearer realm="vitrine"'
    assert (await fetch(server, "GET", "/healthz"))[0] == 200
    existing, absent = await fetch(server, "GET", "/view/chair"), await fetch(server, "GET", "/view/nothing")
    assert (existing[0], existing[1]) == (200, absent[1])


async def test_a_token_opens_what_it_names(server: Served, models: Path) -> None:
    text = token(models)
    status, _, headers = await fetch(server, "GET", f"{STILL}&token={text}")
    assert (status, headers["Cache-Control"]) == (200, "private, no-cache")
    assert (await fetch(server, "GET", STILL, headers=bearer(text)))[0] == 200
    status, listing, _ = await fetch(server, "GET", "/models", headers=bearer(text))
    assert [model["id"] for model in listing["models"]] == ["chair"]
    status, answer, headers = await fetch(server, "GET", "/render/lamp.png", headers=bearer(text))
    assert (status, answer["error"]["code"]) == (403, "token-model")
    assert 'error="insufficient_scope"' in headers["WWW-Authenticate"]
    elsewhere = bearer(text, Origin="https://evil.example")
    assert (await fetch(server, "GET", STILL, headers=elsewhere))[1]["error"]["code"] == "token-origin"
    assert (await fetch(server, "GET", STILL, headers=bearer(text, Origin="https://shop.example")))[0] == 200
    old = await fetch(server, "GET", STILL, headers=bearer(token(models, age=200)))
    assert (old[0], old[1]["error"]["code"]) == (401, "token-expired")
    assert 'error="invalid_token", error_description="the token has expired"' in old[2]["WWW-Authenticate"]
    assert await gauge(server, "vitrine_access_refused_total") >= 3


async def test_a_session_is_begun_changed_and_ended_with_its_token(server: Served, models: Path) -> None:
    async with client(server, token=token(models, "stream", age=58)) as viewer:
        await viewer.join()
        patch = {"Content-Type": "application/trickle-ice-sdpfrag"}
        no_token = await fetch(server, "PATCH", viewer.location, data="a=mid:0\r\n", headers=patch)
        assert no_token[0] == 401
        other = bearer(token(models, models=["lamp"]))
        assert (await fetch(server, "DELETE", viewer.location, headers=other))[0] == 403
        assert (await fetch(server, "GET", STILL, headers=viewer.authorization))[1]["error"]["code"] == "token-action"
        expired = bearer(token(models, "stream", age=500), **patch)
        assert (await fetch(server, "PATCH", viewer.location, data="a=mid:0\r\n", headers=expired))[0] == 204
        assert await viewer.leave() == 200


async def test_pixels_are_those_of_the_token(server: Served, models: Path) -> None:
    from io import BytesIO

    from PIL import Image

    text = token(models, pixels=10_000)
    still = (await fetch(server, "GET", "/render/chair.png?size=640x640&samples=1", headers=bearer(text)))[1]
    size = Image.open(BytesIO(still)).size
    assert 5_000 < size[0] * size[1] <= 10_000
    async with client(server, token=text, codecs=("video/VP8",)) as viewer:
        await viewer.join(query={"size": "640x480"})
        viewer.say(type="viewport", width=1280, height=720)
        viewer.look(seq=1, theta=9)
        await viewer.until(lambda: viewer.of("frame"))
        assert max(keyframe_pixels(viewer.packets)) <= 10_000


def keyframe_pixels(packets: list[bytes]) -> list[int]:
    """Width times height of each VP8 key frame (RFC 6386, section 9.1) among RTP packets."""
    found = []
    for packet in packets:
        start = packet.find(b"\x9d\x01\x2a")
        if start > 0:
            width, height = (int.from_bytes(packet[start + i : start + i + 2], "little") & 0x3FFF for i in (3, 5))
            found.append(width * height)
    return found


async def test_a_session_ends_when_its_time_is_over(server: Served, models: Path) -> None:
    async with client(server, token=token(models, session_seconds=5)) as viewer:
        await viewer.join()
        await viewer.until(lambda: viewer.of("goaway"))
        assert viewer.of("goaway")[0]["deadline_ms"] <= 2000
        await viewer.until(lambda: viewer.peer.connectionState == "closed")
        assert (await fetch(server, "DELETE", viewer.location, headers=viewer.authorization))[0] == 404


async def test_no_token_reaches_the_log(server: Served, models: Path, output: Path) -> None:
    good, bad = token(models), token(models, models=["lamp"])
    for text in (good, bad, good[:-4]):
        for path in (f"{STILL}&token={text}", f"/render/nothing.png?token={text}", f"/whep/chair?token={text}"):
            await fetch(server, "GET", path)
        answer = await fetch(server, "GET", STILL, headers=bearer(text))
        assert text not in str(answer)
    metrics = (await fetch(server, "GET", "/metrics"))[1].decode()
    logged = output.read_text()
    assert "tokens of the keys" not in metrics
    assert "has a token of the keys in" in logged
    for text in (good, bad):
        assert not any(part in told for part in text.split(".") for told in (metrics, logged))


# -- rates --------------------------------------------------------------------------------------------------------


async def test_offers_are_limited_for_each_address(server: Served, models: Path) -> None:
    async def offer(address: str) -> tuple[int, Any, Mapping[str, str]]:
        headers = {**SDP, **bearer(token(models)), "X-Forwarded-For": address}
        return await fetch(server, "POST", "/whep/chair", data=b"v=0", headers=headers)

    answers = [await offer("192.0.2.1") for _ in range(4)]
    assert [status for status, _, _ in answers] == [400, 400, 400, 429]
    assert answers[3][1]["error"]["code"] == "too-often"
    assert int(answers[3][2]["Retry-After"]) >= 1
    assert (await offer("192.0.2.2"))[0] == 400
    assert (await offer("192.0.2.1, 192.0.2.3"))[0] == 400  # who asks is what the last proxy saw


async def test_an_address_that_is_refused_often_is_not_listened_to(server: Served, models: Path) -> None:
    async def ask(address: str, text: str) -> int:
        return (await fetch(server, "GET", STILL, headers=bearer(text, **{"X-Forwarded-For": address})))[0]

    assert [await ask("192.0.2.8", f"guess-{i}") for i in range(6)][:4] == [401] * 4
    assert await ask("192.0.2.8", "guess") == 429
    assert await ask("192.0.2.9", token(models)) == 200


def request(remote: str, **headers: str) -> web.Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    made = make_mocked_request("GET", "/", headers=given)
    return made.clone(remote=remote)


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("198.51.100.1", "203.0.113.5", "198.51.100.1"),  # no proxy of ours: it may say what it likes
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "2001:db8::5", "2001:db8::5"),
    ],
)
def test_who_asks(remote: str, forwarded: str, address: str) -> None:
    gate = Gate(load({"trusted_proxies": ("10.0.0.0/8",)}, {}))
    assert gate.client(request(remote, X_Forwarded_For=forwarded)) == address


def test_nobodys_word_is_believed_by_default() -> None:
    assert Gate(load({}, {})).client(request("127.0.0.1", X_Forwarded_For="203.0.113.5")) == "127.0.0.1"


def test_this_machine_is_not_limited_others_recover() -> None:
    now = [0.0]
    gate = Gate(load({"whep_burst": 2.0, "whep_rate": 0.5, "still_address_burst": 1.0}, {}), clock=lambda: now[0])
    for _ in range(100):
        gate.offer(request("127.0.0.1"))
    guest = request("192.0.2.1")
    gate.offer(guest)
    gate.offer(guest)
    with pytest.raises(RateError) as caught:
        gate.offer(guest)
    assert caught.value.seconds == pytest.approx(2.0)
    gate.still(guest)  # has a bucket of its own
    now[0] += 2.0
    gate.offer(guest)


def test_only_this_machine_operates_without_tokens() -> None:
    gate = Gate(load({}, {}))
    gate.operate(request("127.0.0.1", Host="localhost:8080"))
    gate.operate(request("::1", Host="[::1]:8080"))
    for stranger in (request("192.0.2.1", Host="localhost"), request("127.0.0.1", Host="evil.example:8080")):
        with pytest.raises(AccessError):
            gate.operate(stranger)


def test_challenges_are_one_header_line() -> None:
    text = challenge(AccessError(401, "token-claim", 'expected "a"\\'))
    assert text == """Bearer realm="vitrine", error="invalid_token", error_description="expected 'a'\""""


@pytest.mark.parametrize(
    ("address", "shown"),
    [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2:3::4", "2001:db8:1::/48"), ("::1", "::/48"), ("unix:", "")],
)
def test_lists_and_logs_name_no_household(address: str, shown: str) -> None:
    assert shortened(address) == shown


# -- pages of other origins ---------------------------------------------------------------------------------------


async def test_only_listed_origins_may_ask_from_browsers(models: Path) -> None:
    shop = "https://shop.example"
    with serving(models, "--network", "1", "--allow-origin", shop, "--allow-origin", "http://localhost:3000") as server:
        for origin, allowed in ((shop, True), (f"{shop}.evil.example", False), ("null", False)):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            status, _, got = await fetch(server, "OPTIONS", "/whep/chair", headers=headers)
            assert (status, got["Vary"]) == (204, "Origin")
            assert got.get("Access-Control-Allow-Origin") == (origin if allowed else None)
            assert ("Access-Control-Allow-Headers" in got) == allowed
            assert "Access-Control-Allow-Credentials" not in got
        assert "Access-Control-Allow-Origin" not in (await fetch(server, "GET", "/models"))[2]
        metrics = await fetch(server, "GET", "/metrics", headers={"Origin": shop})
        assert "Access-Control-Allow-Origin" not in metrics[2]


async def test_by_default_every_page_may_ask_and_tokens_may_be_sent(server: Served) -> None:
    _, _, headers = await fetch(server, "OPTIONS", "/whep/chair", headers={"Origin": "https://shop.example"})
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert "WWW-Authenticate" in headers["Access-Control-Expose-Headers"]


# -- without tokens -----------------------------------------------------------------------------------------------


def start(*arguments: str) -> tuple[int, str]:
    """Run until it gives up."""
    done = subprocess.run(
        command(*arguments), env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def test_everybody_is_served_on_purpose_only(models: Path, tmp_path: Path) -> None:
    code, said = start("--models", str(models), "--port", "0", "--host", "0.0.0.0")
    assert (code, "--auth" in said, "--open" in said, len(said.splitlines())) == (2, True, True, 1)
    with (tmp_path / "log").open("w") as log, serving(models, "--host", "0.0.0.0", "--open", log=log):
        pass
    assert "whoever reaches 0.0.0.0 may see every model" in (tmp_path / "log").read_text()


def test_a_server_of_this_machine_says_so(models: Path, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, serving(models, log=log):
        pass
    assert "without --auth only this machine is served" in (tmp_path / "log").read_text()


def test_keys_that_are_none_end_the_start(models: Path) -> None:
    code, said = start("--models", str(models), "--port", "0", "--auth", str(models.parent / "private.json"))
    assert (code, "JWK set" in said) == (2, True)
    assert json.loads((models.parent / "private.json").read_text())["d"] not in said

"""A whole server that is told its addresses, ports and relays."""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

import aiohttp
import pytest

from streaming.tokens import make_key, sign
from tests.streaming.serving import Client, client, command, environment, make_models, serving

RELAYS = "turns:turn.example.com:443?transport=tcp,turn:turn.example.com"
CHROMIUM_ASKS = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text("north-south-east-west")
    return str(path)


def relays(headers: aiohttp.typedefs.LooseHeaders) -> list[str]:
    return [link for link in headers.getall("Link", []) if 'rel="ice-server"' in link]  # type: ignore[union-attr]


async def test_answers_name_relays_and_pages_elsewhere_may_read_them(tmp_path: Path, secret: str) -> None:
    with serving(make_models(tmp_path / "models"), "--turn", RELAYS, "--turn-secret-file", secret) as server:
        async with client(server, channels=False) as viewer:
            url = f"{server.url}/whep/chair"
            headers = {"Content-Type": "application/sdp", "Origin": "https://shop.example"}
            async with viewer.http.post(url, data=await viewer.offer(), headers=headers) as response:
                assert response.status == 201, await response.text()
                named = relays(response.headers)
                assert [link.partition(">")[0] for link in named] == [f"<{one}" for one in RELAYS.split(",")]
                assert "Link" in response.headers["Access-Control-Expose-Headers"]
                assert response.headers["Location"].rsplit("/")[-1] not in "".join(named)
            async with viewer.http.options(url) as response:
                assert (response.status, len(relays(response.headers))) == (204, 2)
                assert response.headers["Cache-Control"] == "no-store"
            async with viewer.http.options(url, headers=CHROMIUM_ASKS) as response:
                assert (response.status, relays(response.headers)) == (204, [])
                assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_relays_are_for_those_who_may_watch(tmp_path: Path, secret: str) -> None:
    keys, private = tmp_path / "keys.json", tmp_path / "private.json"
    make_key(private, keys)
    token = sign(private, models=["chair"], origins=["*"], actions=["stream"], begins=time.time(), seconds=600)
    asked = ("--turn", RELAYS, "--turn-secret-file", secret, "--auth", str(keys))
    with serving(make_models(tmp_path / "models"), *asked) as server:
        async with aiohttp.ClientSession() as http:
            async with http.options(f"{server.url}/whep/chair") as response:
                assert (response.status, relays(response.headers)) == (401, [])
            async with http.options(f"{server.url}/whep/chair", headers=CHROMIUM_ASKS) as response:
                assert response.status == 204
            mine = {"Authorization": f"Bearer {token}"}
            async with http.options(f"{server.url}/whep/lamp", headers=mine) as response:
                assert (response.status, relays(response.headers)) == (403, [])
            async with http.options(f"{server.url}/whep/chair", headers=mine) as response:
                assert (response.status, len(relays(response.headers))) == (204, 2)


async def test_a_viewer_too_many_for_the_ports_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    asked = ("--udp-ports", "42100-42101", "--network", "1")
    with log.open("w") as said, serving(make_models(tmp_path / "models"), *asked, log=said) as server:
        async with client(server) as first, client(server) as second:
            await asyncio.gather(first.join(), second.join())
            assert {line.split()[5] for line in candidates(first) + candidates(second)} == {"42100", "42101"}
            async with client(server) as third:
                headers = {"Content-Type": "application/sdp"}
                url = f"{server.url}/whep/chair"
                async with third.http.post(url, data=await third.offer(), headers=headers) as response:
                    assert response.status == 503
                    assert int(response.headers["Retry-After"]) > 0
                    told = (await response.json())["error"]
                    assert told["code"] == "no-ports"
                    assert "42100 to 42101" in told["message"]
            before = len(first.packets)
            first.look(1, 90.0)
            await first.until(lambda: len(first.packets) > before)
            assert await second.leave() == 200
        async with client(server) as fourth:
            await fourth.join()
    assert "udp_ports has 2 ports for max_sessions 128" in log.read_text()


def candidates(viewer: Client) -> list[str]:
    return [line for line in viewer.answer.splitlines() if line.startswith("a=candidate")]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--udp-ports", "1-0"), "udp_ports is '1-0'"),
        (("--interface", "nowhere"), "interfaces has 'nowhere'"),
        (("--turn", "turn:h", "--turn-secret-file", "/nowhere"), "turn_secret_file /nowhere cannot be read"),
    ],
)
def test_what_cannot_work_ends_the_start_with_one_line(arguments: tuple[str, ...], word: str, tmp_path: Path) -> None:
    asked = command("--models", str(make_models(tmp_path / "models")), "--port", "0", *arguments)
    done = subprocess.run(asked, capture_output=True, text=True, env=environment(), timeout=60, check=False)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if word in line]
    assert line.startswith("vitrine")

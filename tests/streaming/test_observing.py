"""What operators see: logs with a session's number, the list of sessions, histograms that fill."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streaming.config import load
from streaming.errors import ConfigError
from streaming.logs import install, redacted
from streaming.tokens import make_key, sign
from tests.streaming.serving import Served, client, gauge, make_models, serving

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJtb2RlbCI6ImNoYWlyIn0.c2lnbmF0dXJl"


@pytest.fixture
def root() -> Iterator[io.StringIO]:
    """The root logger writes here, and is afterwards as it was."""
    logger, text = logging.getLogger(), io.StringIO()
    before, level = logger.handlers, logger.level
    logger.handlers = [logging.StreamHandler(text)]
    logger.setLevel(logging.INFO)
    yield text
    logger.handlers = before
    logger.setLevel(level)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "message", [f"GET /render/chair.png?token={TOKEN}", f"Authorization: Bearer {TOKEN}", f"'{TOKEN}'", TOKEN[:-9]]
)
def test_no_log_shows_a_token(root: io.StringIO, form: str, message: str) -> None:
    install(form)
    try:
        raise ValueError(message)
    except ValueError:
        logging.getLogger("library").exception("%s", message)
    assert "(token)" in root.getvalue()
    assert not any(part in root.getvalue() for part in TOKEN.split(".")[:2])


def test_other_words_stay() -> None:
    assert redacted("eyJ is no token; nor is model.keyJoint.a") == "eyJ is no token; nor is model.keyJoint.a"


def test_json_is_a_line_with_what_is_known(root: io.StringIO) -> None:
    install("json", "network-0")
    try:
        raise RuntimeError("two\nlines")
    except RuntimeError:
        logging.getLogger("streaming.x").exception("session %d fails", 7, extra={"session": 7, "model": "", "other": 1})
    lines = root.getvalue().splitlines()
    assert len(lines) == 1
    entry = json.loads(lines[0])
    assert entry.pop("exception").endswith("RuntimeError: two\nlines")
    assert time.strptime(entry.pop("time")[:19], "%Y-%m-%dT%H:%M:%S").tm_year >= 2024
    assert entry == {
        "level": "error",
        "process": "network-0",
        "logger": "streaming.x",
        "message": "session 7 fails",
        "session": 7,
    }


def test_there_are_two_forms() -> None:
    with pytest.raises(ConfigError, match="text and json"):
        load({}, {"VITRINE_LOG_FORMAT": "xml"})


async def sessions(server: Served, **headers: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/sessions", headers=headers) as response:
        return response.status, await response.json()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("observed") / "models")


async def test_a_session_is_listed_logged_and_measured(models: Path, tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("w") as log,
        serving(models, "--network", "1", "--log-format", "json", log=log) as server,
    ):
        status, told = await sessions(server)
        assert (status, told["sessions"], told["queue"]) == (200, [], 0)
        async with client(server, codecs=("video/VP8",)) as viewer:
            await viewer.join(query={"size": "320x240"})
            viewer.look(seq=1, theta=30)
            await viewer.until(lambda: viewer.of("frame"))
            (told,) = (await sessions(server))[1]["sessions"]
            known = {name: told.pop(name) for name in ("session", "model", "codec", "network", "width", "height")}
            assert known == {
                "session": 1,
                "model": "chair",
                "codec": "video/VP8",
                "network": "network-0",
                "width": 320,
                "height": 240,
            }
            assert (told["address"], told["bitrate"], told["token"]) == ("127.0.0.0/24", 4_000_000, "")
            assert told["frames"] >= 2
            assert 0 <= told["idle"] <= told["age"]
            assert viewer.location.rsplit("/", 1)[1] not in str(told)
            for name in ("input_to_send_milliseconds", "render_milliseconds", "encode_milliseconds", "target_kilobits"):
                assert await gauge(server, f"vitrine_{name}_count") >= 1
            assert await gauge(server, "vitrine_input_to_send_milliseconds_count") == 1
            viewer.say(type="report", freezes=2, frozen_ms=640.0)
            viewer.say(type="ping", t=1.0)
            await viewer.until(lambda: viewer.of("pong"))
            assert await gauge(server, "vitrine_viewer_freezes_total") == 2
            assert await gauge(server, "vitrine_viewer_frozen_seconds_total") == 0.64
            await viewer.leave()
        status, told = await sessions(server)
        assert (status, told["sessions"], told["queue"]) == (200, [], 0)
    entries = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    own = [entry for entry in entries if entry.get("session") == 1]
    assert [entry["message"].split(" ")[2] for entry in own] == ["begins:", "ends"]
    assert (own[0]["model"], own[0]["codec"], own[0]["process"]) == ("chair", "video/VP8", "gateway")
    assert own[1]["seconds"] > 0


async def test_operators_need_a_token_that_says_so(models: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "private.json", tmp_path / "keys.json")

    def bearer(action: str) -> dict[str, str]:
        given = {"models": ["*"], "origins": ["*"], "begins": time.time(), "seconds": 60}
        return {"Authorization": f"Bearer {sign(tmp_path / 'private.json', actions=[action], **given)}"}

    with serving(models, "--network", "1", "--auth", str(tmp_path / "keys.json")) as server:
        assert (await sessions(server))[0] == 401
        assert (await sessions(server, **bearer("stream")))[0] == 403
        assert (await sessions(server, **bearer("operate")))[0] == 200

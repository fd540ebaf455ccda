"""GStreamer's webrtcbin plays our stream by WHEP: proof that not only aiortc understands aiortc."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from tests.streaming.serving import gauge, make_models, serving

PLAYER = Path(__file__).with_name("gst_player.py")
PYTHON = "/usr/bin/python3"  # the one that Debian's python3-gi is built for
PICTURES, SECONDS = 20, 20


@pytest.mark.player
@pytest.mark.parametrize("encoding", ["H264", "VP8"])
async def test_webrtcbin_plays_the_stream(tmp_path: Path, encoding: str) -> None:
    with serving(make_models(tmp_path / "models"), "--network", "1") as server:
        url = f"{server.url}/whep/chair?size=320x240&animation=0&play=1"
        arguments = [PYTHON, str(PLAYER), url, encoding, str(PICTURES), str(SECONDS)]
        done = await asyncio.to_thread(
            subprocess.run, arguments, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        seen = json.loads(done.stdout)
        assert seen["pictures"] >= PICTURES
        assert seen["keys"] >= 1
        if encoding == "H264":
            assert (seen["width"], seen["height"]) == (320, 240)
        assert await gauge(server, "vitrine_keyframes_total") >= 1

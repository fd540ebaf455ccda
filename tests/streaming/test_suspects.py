"""A model that kills the render process is not tried for ever; one death is nobody's fault."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streaming.errors import SignallingError
from streaming.suspects import FORGET_SECONDS, MODELS, Suspects
from tests.streaming.fakes import FakeBackend
from tests.streaming.serving import client, gauge, make_models, serving


class Deadly(FakeBackend):
    """Reading `lamp` ends the process, as a fault in a decoder or a driver does."""

    def load_scene(self, path: Path) -> Any:
        if path.stem == "lamp":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().load_scene(path)


def deadly() -> Deadly:
    return Deadly()


def test_the_second_death_in_a_minute_makes_a_suspect_and_time_clears_it() -> None:
    now = 100.0
    suspects = Suspects(lambda: now)
    suspects.died(("lamp", "1"))
    suspects.check(("lamp", "1"))
    suspects.died(("lamp", "1"))
    suspects.check(("lamp", "2"))
    with pytest.raises(SignallingError, match="2 processes died while they prepared lamp"):
        suspects.check(("lamp", "1"))
    now += FORGET_SECONDS + 1
    suspects.check(("lamp", "1"))


def test_it_remembers_no_more_than_a_few() -> None:
    suspects = Suspects()
    for number in range(MODELS + 1):
        for _ in range(2):
            suspects.died((str(number), "1"))
    suspects.check(("0", "1"))
    with pytest.raises(SignallingError):
        suspects.check((str(MODELS), "1"))


async def test_a_deadly_model_takes_no_more_than_two_processes_with_it(tmp_path: Path) -> None:
    models = make_models(tmp_path / "models")
    with serving(models, "--network", "1", backend="tests.streaming.test_suspects:deadly") as server:
        async with client(server) as viewer, client(server) as stranger, aiohttp.ClientSession() as http:
            await viewer.join()
            headers = {"Content-Type": "application/sdp"}
            async with http.post(f"{server.url}/whep/lamp", data=await stranger.offer(), headers=headers) as response:
                assert (response.status, (await response.json())["error"]["code"]) == (503, "suspect")
            async with http.get(f"{server.url}/render/lamp.png?size=64x64") as response:
                assert (response.status, (await response.json())["error"]["code"]) == (503, "suspect")
            viewer.look(seq=1, theta=10)
            await viewer.until(lambda: viewer.of("frame"))
            assert await gauge(server, "vitrine_restarts_total") == 2

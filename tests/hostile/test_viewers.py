"""A viewer turns a product while others ask the same host for a hundred hostile models: its pictures keep coming."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.hostile.hostile import cases
from tests.streaming.serving import Client, Served, client, serving
from tests.unit.glb import triangle

_MODELS = 100
_AT_ONCE = 8
_CALM_SECONDS = 4.0
_DRAG_SECONDS = 1 / 30
_LOOK_SECONDS = 0.002
logger = logging.getLogger(__name__)


@dataclass
class Drag:
    """What a viewer was shown while it turned a model. sent: cameras; waits: seconds until a picture showed each."""

    sent: int = 0
    waits: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        slow = sorted(self.waits)[int(0.95 * len(self.waits))]
        return f"{len(self.waits)} of {self.sent} shown, after {self.median * 1e3:.1f} ms (95 %: {slow * 1e3:.1f} ms)"

    @property
    def share(self) -> float:
        """Pictures for each camera sent."""
        return len(self.waits) / self.sent

    @property
    def median(self) -> float:
        """Seconds from camera to picture."""
        return statistics.median(self.waits)


class Hand:
    """Turns the model; every camera has its own number."""

    def __init__(self, viewer: Client) -> None:
        self._viewer, self._seq = viewer, 0

    async def drag(self, until: Callable[[], bool]) -> Drag:
        """Turn until told."""
        told, begun, drag = len(self._viewer.messages), {}, Drag()
        shown: dict[int, float] = {}
        while not until():
            self._seq += 1
            begun[self._seq] = time.monotonic()
            self._viewer.look(self._seq, theta=self._seq * 3 % 360)
            while time.monotonic() < begun[self._seq] + _DRAG_SECONDS:
                await asyncio.sleep(_LOOK_SECONDS)
                told = self._note(told, shown)
        await asyncio.sleep(0.5)
        self._note(told, shown)
        drag.sent = len(begun)
        drag.waits = [shown[seq] - begun[seq] for seq in begun if seq in shown]
        return drag

    def _note(self, told: int, shown: dict[int, float]) -> int:
        now = time.monotonic()
        for message in self._viewer.messages[told:]:
            if message["type"] == "frame":
                shown.setdefault(message["seq"], now)
        return len(self._viewer.messages)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good one, and a hundred hostile ones of single files."""
    folder = tmp_path_factory.mktemp("store")
    triangle().save(folder, "calm.glb")
    hostile = [case for case in cases() if len(case.files) == 1 and not case.links and case.name != "unknown-kind"]
    for number, case in enumerate(hostile[:: len(hostile) // _MODELS][:_MODELS]):
        ((name, data),) = case.files.items()
        (folder / f"hostile-{number}{Path(name).suffix}").write_bytes(data)
    return folder


async def _ask(server: Served, gate: asyncio.Semaphore, http: aiohttp.ClientSession, model: str) -> int:
    async with gate, http.get(f"{server.url}/render/{model}.png?size=64x64") as response:
        await response.read()
        return response.status


async def test_viewers_feel_nothing_of_hostile_models(models: Path) -> None:
    names = [path.stem for path in sorted(models.glob("hostile-*"))]
    with serving(models, "--network", "1", backend="tests.hostile.backend:backend") as server:
        async with client(server) as viewer, aiohttp.ClientSession() as http:
            await viewer.join("calm")
            hand, end = Hand(viewer), time.monotonic() + _CALM_SECONDS
            calm = await hand.drag(lambda: time.monotonic() > end)
            gate = asyncio.Semaphore(_AT_ONCE)
            asking = asyncio.gather(*(_ask(server, gate, http, name) for name in names))
            under_fire = await hand.drag(asking.done)
            statuses = Counter(await asking)
            await viewer.leave()
    logger.info("calm: %s; under fire: %s", calm, under_fire)
    assert statuses[200] + statuses[422] == len(names) >= _MODELS
    assert statuses[422] > len(names) / 2
    assert calm.share > 0.5
    assert under_fire.share > 0.7 * calm.share
    assert under_fire.median < 3 * calm.median + _DRAG_SECONDS

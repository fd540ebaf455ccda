"""What a pick tells of a model, and of a secret one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from renderer.view import View
from streaming.asked import Picker
from streaming.protocol import Pick, Picked
from tests.streaming.fakes import FakeBackend


@dataclass(eq=False)
class Looker:
    """As much of a viewer as a pick needs."""

    model: Any
    said: list[Any] = field(default_factory=list)
    picking: bool = False
    state: Any = field(default_factory=lambda: SimpleNamespace(at=lambda now: View()))

    def send(self, message: Any) -> None:
        self.said.append(message)


@pytest.mark.parametrize("secret", [False, True])
async def test_points_of_a_secret_model_are_not_told(secret: bool) -> None:
    picker = Picker(FakeBackend())
    looker = Looker(SimpleNamespace(model=None, secret=secret))
    for number, x in ((1, 0.9), (2, 0.1)):
        picker.pick(looker, Pick(number, x, 0.5))  # type: ignore[arg-type]
        async with asyncio.timeout(10):
            while len(looker.said) < number:
                await asyncio.sleep(0.005)
    picker.close()
    hit = Picked(1, "seat", None, None) if secret else Picked(1, "seat", [0.9, 0.5, 0.0], [0.0, 0.0, 1.0])
    assert looker.said == [hit, Picked(2, None, None, None)]

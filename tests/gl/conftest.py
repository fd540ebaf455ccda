"""One Engine for the tests of a session, and the OpenGL error checked before and after each of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from renderer.engine import Engine


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[Engine]:
    """An Engine on whatever device there is, without a GPU's occlusion: surfaces have the light of formulas."""
    with Engine(occlusion=False) as engine:
        yield engine


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    """The shared Engine; the test must leave no OpenGL error behind."""
    shared_engine._context._egl.make_current()  # a test with a context of its own leaves none behind
    shared_engine._context.check("an earlier test")
    yield shared_engine
    shared_engine._context.check("this test")


@pytest.fixture
def white_world(engine: Engine) -> str:
    """An environment of radiance 1 from everywhere."""
    engine.add_environment("white", np.ones((16, 32, 3), np.float32))
    return "white"

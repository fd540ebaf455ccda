"""The table from which directions towards the environment are sampled."""

from __future__ import annotations

import numpy as np
import pytest

from renderer.trace.light import HEIGHT, WIDTH, chances


def cells(pixels: np.ndarray) -> np.ndarray:
    """The chance of each cell [HEIGHT, WIDTH], from the running sums."""
    table = chances(pixels)
    within, rows = table[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH), table[WIDTH * HEIGHT :]
    return np.diff(within, axis=1, prepend=0.0) * np.diff(rows, prepend=0.0)[:, None]


def test_sums_run_to_one() -> None:
    random = np.random.default_rng(0)
    table = chances(random.exponential(1.0, (64, 128, 3)).astype(np.float32))
    within, rows = table[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH), table[WIDTH * HEIGHT :]
    assert table.shape == (WIDTH * HEIGHT + HEIGHT,)
    assert (np.diff(within, axis=1) >= 0).all()
    assert within[:, -1] == pytest.approx(1.0)
    assert rows[-1] == pytest.approx(1.0)


def test_a_sun_gets_nearly_every_direction() -> None:
    pixels = np.full((256, 512, 3), 0.5, np.float32)
    pixels[60:64, 200:204] = 20000.0
    found = cells(pixels)
    assert found[59:65, 199:205].sum() > 0.95
    assert found.sum() == pytest.approx(1.0, abs=1e-3)


def test_an_even_sky_is_sampled_by_solid_angle() -> None:
    found = cells(np.ones((32, 64, 3), np.float32)).sum(axis=1)
    sine = np.sin((np.arange(HEIGHT) + 0.5) / HEIGHT * np.pi)
    assert found == pytest.approx(sine / sine.sum(), rel=1e-2)


@pytest.mark.parametrize("height", [3, 100, 256, 700])
def test_any_size_of_picture_fits(height: int) -> None:
    pixels = np.zeros((height, 2 * height, 3), np.float32)
    pixels[: height // 2 + 1] = 1.0
    found = cells(pixels)
    assert found.sum() == pytest.approx(1.0, abs=1e-3)
    assert found[: HEIGHT // 2 - 8].sum() > 0.7


def test_a_black_world_has_a_table_too() -> None:
    assert np.isfinite(chances(np.zeros((16, 32, 3), np.float32))).all()

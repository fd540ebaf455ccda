"""The built-in studio: neutral, balanced, smooth, and the same whatever its resolution."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.studio import STUDIOS, studio


def directions(height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit directions [H, 2H, 3] of an equirectangular picture's pixels and their solid angles [H, 1]."""
    v = (np.arange(height) + 0.5) / height
    u = (np.arange(2 * height) + 0.5) / (2 * height)
    elevation = np.pi * (0.5 - v)[:, None]
    around = 2 * np.pi * (u - 0.5)[None]
    x, z = np.cos(elevation) * np.cos(around), np.cos(elevation) * np.sin(around)
    y = np.broadcast_to(np.sin(elevation), x.shape)
    return np.stack([x, y, z], axis=-1), np.cos(elevation) * (np.pi / height) ** 2


def irradiance(normal: tuple[float, float, float], height: int = 64) -> float:
    """Irradiance by π on a surface that faces `normal`: the radiance of a white Lambertian object there."""
    towards, solid = directions(height)
    cosine = np.maximum(towards @ np.asarray(normal) / np.linalg.norm(normal), 0)
    return float((cosine * solid * studio(height)[..., 0]).sum() / np.pi)


def test_shape_and_type() -> None:
    picture = studio(32)
    assert picture.shape == (32, 64, 3)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert picture.min() > 0.1, "no reflection is black"


def test_it_has_no_colour_and_no_chance() -> None:
    picture = studio(64)
    assert np.array_equal(picture[..., 0], picture[..., 1])
    assert np.array_equal(picture[..., 0], picture[..., 2])
    assert np.array_equal(picture, studio(64))


def test_white_objects_come_out_near_white() -> None:
    towards, solid = directions(32)
    average = float((studio(32)[..., 0] * solid).sum() / (4 * np.pi))
    assert 0.8 < average < 1.0
    assert 0.8 < irradiance((0, 0, 1)) < 1.1
    for normal in [(1, 0, 0), (-1, 0, 0), (0, 0, -1)]:
        assert 0.6 < irradiance(normal) < 1.1


def test_the_key_stands_front_left_above() -> None:
    towards, _ = directions(128)
    picture = studio(128)[..., 0]
    front = towards[..., 2] > 0.2
    x, y, _ = towards[front][np.argmax(picture[front])]
    assert x < -0.2
    assert y > 0.2
    assert irradiance((0, 1, 0)) > irradiance((0, 0, 1)) > irradiance((0, -1, 0))


def test_metal_has_something_to_reflect() -> None:
    picture = studio(128)[..., 0]
    assert picture.max() > 8 * np.median(picture)


def test_edges_are_soft_and_the_seam_is_shut() -> None:
    picture = studio(256)[..., 0]
    span = float(np.ptp(picture))
    middle = picture[64:192]
    assert np.abs(np.diff(middle, axis=1)).max() < 0.12 * span
    assert np.abs(np.diff(picture, axis=0)).max() < 0.12 * span
    assert np.abs(picture[:, 0] - picture[:, -1]).max() < 0.12 * span


def test_resolution_does_not_change_the_light() -> None:
    assert irradiance((-0.5, 0.5, 0.7), 32) == pytest.approx(irradiance((-0.5, 0.5, 0.7), 128), rel=0.01)


def test_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="height 4 is too small"):
        studio(4)


@pytest.mark.parametrize("setting", STUDIOS)
def test_every_setting_is_bounded_light(setting: str) -> None:
    picture = studio(32, setting)
    assert picture.min() > 0.01
    assert 0.4 < picture.mean() < 1.2
    assert picture.max() < 20


def test_other_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="disco.*neutral, contrast, evening"):
        studio(32, "disco")

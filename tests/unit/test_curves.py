"""Channels that are evaluated together against each on its own."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from renderer.curves import Curves, evaluate
from renderer.scene import Channel, Interpolation

RNG = np.random.default_rng(8)


def random(path: str, kind: Interpolation, keys: int, width: int) -> Channel:
    times = np.cumsum(RNG.random(keys)).astype(np.float32)
    rows = keys * 3 if kind == "CUBICSPLINE" else keys
    return Channel(0, path, kind, times, RNG.normal(size=(rows, width)).astype(np.float32))


@pytest.mark.parametrize("kind", get_args(Interpolation))
@pytest.mark.parametrize(("path", "width"), [("translation", 3), ("rotation", 4), ("weights", 7)])
def test_together_as_alone(kind: Interpolation, path: str, width: int) -> None:
    channels = [random(path, kind, keys, width) for keys in (1, 2, 5, 17)]
    channels += [Channel(i, path, kind, channels[2].times, 2 * channels[2].values) for i in range(3)]  # one clock
    curves = Curves(channels)
    for time in (0.0, 0.4, 1.1, 2.5, 6.0, 100.0, float(channels[2].times[2])):
        alone = np.array([evaluate(channel, time) for channel in channels])
        np.testing.assert_allclose(curves.at(time), alone, atol=1e-12)


def test_rotations_follow_scipys() -> None:
    channel = random("rotation", "LINEAR", 6, 4)
    expected = Slerp(channel.times, Rotation.from_quat(channel.values))
    for time in np.linspace(channel.times[0], channel.times[-1], 23):
        found = Rotation.from_quat(evaluate(channel, float(time)))
        assert (found.inv() * expected(time)).magnitude() < 1e-6


def test_a_rotation_of_anything_but_a_node_is_a_plain_number() -> None:
    times, values = np.array([0, 1], np.float32), np.array([[0], [3]], np.float32)
    turned = Channel(0, "normalTexture.rotation", "LINEAR", times, values, of="material")
    assert evaluate(turned, 0.5).tolist() == [1.5]

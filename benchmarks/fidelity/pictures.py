"""Owns picture files of a suite: reading them as they are scored, and magnified differences. Knows no metric."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.fidelity.metrics import Mask, Picture
from benchmarks.fidelity.suite import Fault, Scenario

MAGNIFIED = 8  # differences, as they are shown


def read_picture(path: Path, scenario: Scenario) -> Picture:
    """A PNG as it is scored: over white when the scenario has no skybox. Raises Fault."""
    rgba = _read(path, "RGBA", scenario)
    rgb, alpha = rgba[..., :3], rgba[..., 3:] / 255.0
    return rgb if scenario.skybox else rgb * alpha + 255.0 * (1 - alpha)


def read_mask(cycles: Path, mask: Path, scenario: Scenario) -> Mask:
    """What counts: where the reference is not empty, with a skybox the mask's pixels, or all. Raises Fault."""
    if scenario.skybox and scenario.score_background:
        return np.ones((scenario.height, scenario.width), np.bool_)
    found = _read(mask, "L", scenario) > 0 if scenario.skybox else _read(cycles, "RGBA", scenario)[..., 3] > 0
    if not found.any():
        raise Fault("no pixel of the reference counts")
    return found


def difference(reference: Picture, picture: Picture, mask: Mask) -> Image.Image:
    """|reference - picture| × MAGNIFIED on black; what does not count is dark grey."""
    shown = np.minimum(np.abs(reference - picture) * MAGNIFIED, 255.0)
    shown[~mask] = 48.0
    return Image.fromarray(shown.astype(np.uint8))


def _read(path: Path, mode: str, scenario: Scenario) -> NDArray[np.float64]:
    what = f"{path.parent.name}/{path.name}"
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert(mode), np.float64)
    except FileNotFoundError:
        raise Fault(f"{what} is missing") from None
    except (OSError, ValueError) as error:
        raise Fault(f"{what}: {error}") from error
    if pixels.shape[:2] != (scenario.height, scenario.width):
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise Fault(f"{what} is {size}, the scenario {scenario.width}x{scenario.height}")
    return pixels

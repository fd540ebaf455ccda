"""A small fidelity suite on disk: one triangle in a white world, and pictures to compare with. For tests only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.unit.glb import triangle

SIDE = 48


def entry(name: str = "Triangle", **changes: Any) -> dict[str, Any]:
    """One scenario of config.json, seen from the front."""
    return {
        "name": name,
        "model": "models/triangle.glb",
        "environment": "environments/white.hdr",
        "orbit": {"theta": 0, "phi": 90, "radius": 2},
        "target": {"x": 0.5, "y": 0.5, "z": 0},
        "verticalFoV": 45,
        "dimensions": {"width": SIDE, "height": SIDE},
        "skybox": False,
        "variant": None,
        "animation": None,
        **changes,
    }


def write_suite(root: Path, *entries: dict[str, Any]) -> Path:
    """config.json, the model and the environment; no references."""
    for folder in ("models", "environments", "references"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    triangle().save(root / "models", "triangle.glb")
    cv2.imwrite(str(root / "environments" / "white.hdr"), np.ones((8, 16, 3), np.float32))
    (root / "config.json").write_text(json.dumps({"conventions": {}, "scenarios": list(entries)}))
    return root


def write_picture(root: Path, scenario: str, side: str, pixels: NDArray[np.uint8]) -> None:
    """A stored picture, e.g. of "cycles" or "mask"."""
    folder = root / "references" / scenario
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"{side}.png")


def blob(level: int, alpha: int = 255) -> NDArray[np.uint8]:
    """A grey square on nothing, RGBA."""
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[8:40, 8:40] = (level, level, level, alpha)
    return pixels

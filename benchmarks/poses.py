"""Owns where the camera goes: the same poses, waits and times for every server and in every run."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import flat
from benchmarks.errors import UsageError
from renderer.bounds import bounds
from renderer.linalg import framing_radius
from renderer.load import load_scene
from renderer.pose import pose_at

Pose = list[float]  # theta°, phi°, radius m, target x, y, z m, vertical fov°: what measure.js sends

FOV = 30.0
_THETA, _PHI = 30.0, 75.0
_STEP = (35.0, -14.0)  # degrees: both angles, so that a body of revolution changes too
_DRAG_SPEED = 90.0  # degrees a second
_DRAG_TILT, _DRAG_PERIOD = 10.0, 4.0  # degrees, seconds
_FLAT_STEP = 137  # whole degrees
_SEED = 20
_SAME = 0.02  # of the extent: what two readers of one model may disagree by


@dataclass(frozen=True, slots=True)
class Drag:
    """Poses, the times in milliseconds at which to send them, and for the flat scene the degree each one shows."""

    poses: list[Pose]
    at: list[float]
    codes: list[int]


@dataclass(frozen=True, slots=True)
class Subject:
    """What the camera looks at.

    target, radius, extent (the diagonal of the bounds): metres. flat: the encoder cylinder; theta is a whole degree.
    """

    target: tuple[float, float, float]
    radius: float
    extent: float
    flat: bool = False

    def pose(self, theta: float, phi: float) -> Pose:
        return [theta, phi, self.radius, *self.target, flat.FOV if self.flat else FOV]

    @property
    def rest(self) -> Pose:
        """Where every round begins."""
        return self.pose(0.0, flat.PHI) if self.flat else self.pose(_THETA, _PHI)

    def steps(self, count: int) -> list[Pose]:
        """Poses to jump to, one after the other, each well away from the one before."""
        if self.flat:
            return [self.pose(float((i + 1) * _FLAT_STEP % flat.SECTORS), flat.PHI) for i in range(count)]
        return [self.pose(_THETA + _STEP[0] * (1 - i % 2), _PHI + _STEP[1] * (1 - i % 2)) for i in range(count)]

    def drag(self, hz: float, seconds: float) -> Drag:
        """A drag of about `hz` messages a second whose gaps vary by half, so that they keep step with no clock."""
        at = _times(hz, seconds)
        if self.flat:
            codes = [i % flat.SECTORS for i in range(len(at))]
            return Drag([self.pose(float(code), flat.PHI) for code in codes], at, codes)
        poses = []
        for time in at:
            t = time / 1000
            tilt = _DRAG_TILT * math.sin(2 * math.pi * t / _DRAG_PERIOD)
            poses.append(self.pose((_THETA + _DRAG_SPEED * t) % 360, _PHI + tilt))
        return Drag(poses, at, [])


def waits(count: int) -> list[float]:
    """Milliseconds to rest before each step: random, the same in every run."""
    source = random.Random(_SEED)
    return [source.uniform(50, 450) for _ in range(count)]


def probe(width: int, height: int, flat_scene: bool) -> dict[str, int]:
    """What measure.js reads of each frame: the whole picture coarsely, or the centre column of the flat scene."""
    if flat_scene:
        return {"x": width // 2 - 2, "y": 0, "width": 4, "height": height, "columns": 1, "rows": 180}
    return {"x": 0, "y": 0, "width": width, "height": height, "columns": 48, "rows": 27}


def subject_of(model: Path, aspect: float) -> Subject:
    """Frame a model by its bounding sphere. SceneError when it cannot be read, UsageError when it is empty."""
    scene = load_scene(model)
    low, high = bounds(scene, pose_at(scene, None))
    x, y, z = (float(value) for value in (low + high) / 2)
    extent = float(np.linalg.norm(high - low))
    if extent == 0:
        raise UsageError(f"{model.name}: nothing to look at")
    return Subject((x, y, z), framing_radius(extent / 2, FOV, aspect), extent)


def check_baseline(model: Path, subject: Subject) -> None:
    """UsageError when trimesh, the baseline's reader, fails on the file or sees something of another size in it."""
    import trimesh

    try:
        scene: Any = trimesh.load_scene(model)
        low, high = np.asarray(scene.bounds, np.float64)
    except Exception as error:  # trimesh lets its readers raise whatever they like
        raise UsageError(f"{model.name}: the baseline cannot read it: {error}") from error
    off = float(np.abs((low + high) / 2 - subject.target).max())
    grown = abs(float(np.linalg.norm(high - low)) - subject.extent)
    if max(off, grown) > _SAME * subject.extent:
        raise UsageError(
            f"{model.name}: the baseline would show something of another size or place; take another model"
        )


def flat_subject() -> Subject:
    """The encoder cylinder, level and centred."""
    return Subject((0.0, 0.0, 0.0), flat.CAMERA_RADIUS, math.hypot(flat.HEIGHT, *[2 * flat.RADIUS] * 2), flat=True)


def _times(hz: float, seconds: float) -> list[float]:
    source = random.Random(_SEED)
    at, time = [], 0.0
    while time < seconds * 1000:
        at.append(time)
        time += source.uniform(0.5, 1.5) * 1000 / hz
    return at

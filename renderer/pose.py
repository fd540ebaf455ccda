"""Where every node is at a moment: channels evaluated, transforms multiplied down the tree. No meshes, no GL."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from renderer.errors import ViewError
from renderer.linalg import translation_rotation_scale
from renderer.scene import Channel, Matrices, Scene
from renderer.view import AnimationState

_Values = NDArray[np.float64]
#: From this cosine on two rotations are so close that a straight blend equals slerp and divides by nothing small.
_NEARLY_EQUAL = 0.9995


def world_matrices(scene: Scene, animation: AnimationState | None) -> Matrices:
    """float64 [len(nodes), 4, 4], node → world. For many moments of one scene keep a `Poser`."""
    return Poser(scene).world(animation)


class Poser:
    """A scene's rest pose as arrays and its nodes by level, so that one moment costs a few numpy calls per level."""

    @np.errstate(all="ignore")  # as in `world`
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        nodes = scene.nodes
        self._translation = np.array([n.translation for n in nodes], np.float64).reshape(-1, 3)
        self._rotation = np.array([n.rotation for n in nodes], np.float64).reshape(-1, 4)
        self._scale = np.array([n.scale for n in nodes], np.float64).reshape(-1, 3)
        self._fixed = np.array([i for i, n in enumerate(nodes) if n.matrix is not None], np.intp)
        self._matrices = np.array([n.matrix for n in nodes if n.matrix is not None], np.float64).reshape(-1, 4, 4)
        self._parents = np.array([n.parent for n in nodes], np.intp)
        self._levels = _levels(self._parents)
        self._rest = self._multiply(self._translation, self._rotation, self._scale)

    @np.errstate(all="ignore")  # absurd transforms overflow to infinity; the reader refuses a file that rests so
    def world(self, animation: AnimationState | None = None) -> Matrices:
        """float64 [N, 4, 4], node → world, the caller's own. ViewError when there is no such animation or time."""
        if animation is None:
            return self._rest.copy()
        channels, time = self._moment(animation)
        values = {
            "translation": self._translation.copy(),
            "rotation": self._rotation.copy(),
            "scale": self._scale.copy(),
        }
        for channel in channels:
            if channel.path in values:  # "weights" belong to morph targets
                values[channel.path][channel.node] = evaluate(channel, time)
        return self._multiply(values["translation"], values["rotation"], values["scale"])

    def _moment(self, animation: AnimationState) -> tuple[tuple[Channel, ...], float]:
        """The channels that play and the time in them, wrapped at the animation's duration."""
        count = len(self._scene.animations)
        if not 0 <= animation.index < count:
            raise ViewError(f"animation {animation.index} does not exist, the model has {count}")
        if not math.isfinite(animation.time):
            raise ViewError(f"animation time is {animation.time}, a finite number of seconds is needed")
        playing = self._scene.animations[animation.index]
        return playing.channels, animation.time % playing.duration if playing.duration > 0.0 else 0.0

    def _multiply(self, translation: _Values, rotation: _Values, scale: _Values) -> Matrices:
        world = translation_rotation_scale(translation, rotation, scale)
        world[self._fixed] = self._matrices
        for level in self._levels:
            world[level] = world[self._parents[level]] @ world[level]
        return world


def evaluate(channel: Channel, time: float) -> _Values:
    """The channel's value [C] at `time` seconds, held before its first and after its last key."""
    times, last = channel.times, len(channel.times) - 1
    key = int(np.searchsorted(times, np.float32(time), side="right")) - 1
    cubic = channel.interpolation == "CUBICSPLINE"
    if key < 0 or key >= last or channel.interpolation == "STEP":
        held = min(max(key, 0), last)
        value = channel.values[3 * held + 1 if cubic else held].astype(np.float64)
        return _unit(value) if channel.path == "rotation" else value
    span = float(times[key + 1]) - float(times[key])
    t = (time - float(times[key])) / span
    if cubic:
        value = _hermite(channel.values[3 * key + 1 : 3 * key + 5].astype(np.float64), t, span)
        return _unit(value) if channel.path == "rotation" else value
    a, b = channel.values[key : key + 2].astype(np.float64)
    return slerp(_unit(a), _unit(b), t) if channel.path == "rotation" else a + (b - a) * t


def slerp(a: _Values, b: _Values, t: float) -> _Values:
    """Unit quaternion [4] at t in [0, 1] on the shorter arc from a to b."""
    cosine = float(a @ b)
    if cosine < 0.0:
        b, cosine = -b, -cosine
    if cosine > _NEARLY_EQUAL:
        return _unit(a + (b - a) * t)
    angle = math.acos(cosine)
    result: _Values = (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)
    return result


def _hermite(points: _Values, t: float, span: float) -> _Values:
    """glTF's cubic spline (specification C.5). points [4, C]: value, out-tangent, next in-tangent, next value."""
    p0, m0, m1, p1 = points[0], points[1] * span, points[2] * span, points[3]
    t2, t3 = t * t, t * t * t
    result: _Values = (2 * t3 - 3 * t2 + 1) * p0 + (t3 - 2 * t2 + t) * m0 + (3 * t2 - 2 * t3) * p1 + (t3 - t2) * m1
    return result


def _unit(quaternion: _Values) -> _Values:
    length = math.sqrt(float(quaternion @ quaternion))
    return quaternion / length if length > 1e-12 else np.array([0.0, 0.0, 0.0, 1.0])


def _levels(parents: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Indices of the nodes at depth 1, 2, …; parents come before children."""
    depth = [0] * len(parents)
    for node, parent in enumerate(parents.tolist()):
        depth[node] = depth[parent] + 1 if parent >= 0 else 0
    by_depth = np.argsort(np.array(depth, np.intp), kind="stable")
    counts = np.bincount(depth) if depth else np.zeros(0, np.intp)
    return np.split(by_depth, np.cumsum(counts)[:-1])[1:] if len(counts) else []

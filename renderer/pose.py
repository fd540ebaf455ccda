"""Where everything is at a moment: channels evaluated, transforms multiplied down the tree. No vertices, no GL."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from renderer import animated
from renderer.animated import Changes
from renderer.curves import Curves, Values, is_rotation
from renderer.errors import ViewError
from renderer.linalg import Vector, translation_rotation_scale
from renderer.scene import Animation, Camera, Channel, Light, Material, Matrices, Scene
from renderer.view import AnimationState

_PLACES = ("translation", "rotation", "scale")


@dataclass(frozen=True, eq=False, slots=True)
class Pose:
    """Everything that an animation may change, at one moment.

    world: float64 [nodes, 4, 4], node → world. hidden: bool [nodes], not shown, itself or through a parent.
    joints: float64 [J, 4, 4] for each skin: its meshes as they were bound → world, by joint.
    weights: float64 [targets] of every node whose mesh, or that of its instances, has morph targets.
    materials, cameras: those that differ from the scene's, by index. lights: those of shown nodes, each with its node's
    world matrix.
    """

    world: Matrices
    hidden: NDArray[np.bool_]
    joints: tuple[Matrices, ...] = ()
    weights: Mapping[int, Vector] = field(default_factory=dict)
    materials: Mapping[int, Material] = field(default_factory=dict)
    cameras: Mapping[int, Camera] = field(default_factory=dict)
    lights: tuple[tuple[Light, Matrices], ...] = ()


def world_matrices(scene: Scene, animation: AnimationState | None) -> Matrices:
    """float64 [len(nodes), 4, 4], node → world. For many moments of one scene keep a `Poser`."""
    return Poser(scene).world(animation)


def pose_at(scene: Scene, animation: AnimationState | None) -> Pose:
    """The pose of a scene at a moment. For many moments of one scene keep a `Poser`."""
    return Poser(scene).pose(animation)


class Poser:
    """A scene's rest pose as arrays and its nodes by level, so that one moment costs a few numpy calls per level.

    What it keeps for an animation that was shown is as large as the animation's own keys.
    """

    @np.errstate(all="ignore")  # as in `pose`
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        nodes = scene.nodes
        self._rest = {
            "translation": np.array([n.translation for n in nodes], np.float64).reshape(-1, 3),
            "rotation": np.array([n.rotation for n in nodes], np.float64).reshape(-1, 4),
            "scale": np.array([n.scale for n in nodes], np.float64).reshape(-1, 3),
        }
        self._fixed = np.array([i for i, n in enumerate(nodes) if n.matrix is not None], np.intp)
        self._matrices = np.array([n.matrix for n in nodes if n.matrix is not None], np.float64).reshape(-1, 4, 4)
        self._parents = np.array([n.parent for n in nodes], np.intp)
        self._levels = _levels(self._parents)
        self._lights = [(i, n.light) for i, n in enumerate(nodes) if n.light is not None]
        self._invisible = np.array([not n.visible for n in nodes], np.bool_)
        self._morphing = animated.morphing(scene)
        self._tracks: dict[int, tuple[_Track, ...]] = {}
        self._world = self._multiply(self._rest)

    def world(self, animation: AnimationState | None = None) -> Matrices:
        """float64 [N, 4, 4], node → world, the caller's own. ViewError when there is no such animation or time."""
        return self.pose(animation).world.copy()

    @np.errstate(all="ignore")  # absurd transforms overflow to infinity; the reader refuses a file that rests so
    def pose(self, animation: AnimationState | None = None) -> Pose:
        """The pose at a moment. Raises ViewError when there is no such animation or time."""
        if animation is None:
            return self._pose(self._world, {})
        tracks, time = self._moment(animation)
        places = {name: values.copy() for name, values in self._rest.items()}
        changes: Changes = {}
        for track in tracks:
            track.apply(time, places, changes)
        return self._pose(self._multiply(places), changes)

    def _pose(self, world: Matrices, changes: Changes) -> Pose:
        scene, hidden = self._scene, self._hide(changes)
        lights = animated.lights(scene, changes)
        return Pose(
            world=world,
            hidden=hidden,
            joints=tuple(world[skin.joints] @ skin.inverseBindMatrices for skin in scene.skins),
            weights=animated.weights(scene, self._morphing, changes),
            materials=animated.materials(scene, changes),
            cameras=animated.cameras(scene, changes),
            lights=tuple(
                (lights.get(light, scene.lights[light]), world[node])
                for node, light in self._lights
                if not hidden[node]
            ),
        )

    def _hide(self, changes: Changes) -> NDArray[np.bool_]:
        hidden = animated.invisible(self._invisible, changes)
        if hidden.any():
            for level in self._levels:
                hidden[level] |= hidden[self._parents[level]]
        return hidden

    def _moment(self, animation: AnimationState) -> tuple[tuple[_Track, ...], float]:
        """The tracks that play and the time in them, wrapped at the animation's duration."""
        index, count = animation.index, len(self._scene.animations)
        if not 0 <= index < count:
            raise ViewError(f"animation {index} does not exist, the model has {count}")
        if not math.isfinite(animation.time):
            raise ViewError(f"animation time is {animation.time}, a finite number of seconds is needed")
        playing = self._scene.animations[index]
        if index not in self._tracks:
            self._tracks[index] = _tracks(playing)
        return self._tracks[index], animation.time % playing.duration if playing.duration > 0.0 else 0.0

    def _multiply(self, places: Mapping[str, Values]) -> Matrices:
        world = translation_rotation_scale(*(places[name] for name in _PLACES))
        world[self._fixed] = self._matrices
        for level in self._levels:
            world[level] = world[self._parents[level]] @ world[level]
        return world


class _Track:
    """Channels of one animation that are evaluated together. path: the place they move, None for anything else."""

    def __init__(self, path: str | None, channels: Sequence[Channel]) -> None:
        self._path = path
        self._channels = channels
        self._nodes = np.array([c.index for c in channels], np.intp)
        self._curves = Curves(channels)

    def apply(self, time: float, places: Mapping[str, Values], changes: Changes) -> None:
        """Write the values at `time` to the nodes' places, or to `changes`."""
        values = self._curves.at(time)
        if self._path is not None:
            places[self._path][self._nodes] = values
            return
        for channel, value in zip(self._channels, values, strict=True):
            changes.setdefault((channel.of, channel.index), []).append((channel.path, channel.component, value))


def _tracks(animation: Animation) -> tuple[_Track, ...]:
    groups: dict[tuple[str | None, str, bool, int], list[Channel]] = {}
    for channel in animation.channels:
        path = channel.path if channel.of == "node" and channel.path in _PLACES else None
        key = (path, channel.interpolation, is_rotation(channel), channel.values.shape[1])
        groups.setdefault(key, []).append(channel)
    return tuple(_Track(key[0], channels) for key, channels in groups.items())


def _levels(parents: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Indices of the nodes at depth 1, 2, …; parents come before children."""
    depth = [0] * len(parents)
    for node, parent in enumerate(parents.tolist()):
        depth[node] = depth[parent] + 1 if parent >= 0 else 0
    by_depth = np.argsort(np.array(depth, np.intp), kind="stable")
    counts = np.bincount(depth) if depth else np.zeros(0, np.intp)
    return np.split(by_depth, np.cumsum(counts)[:-1])[1:] if len(counts) else []

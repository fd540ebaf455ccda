"""Animations: channels and their keyframes, checked. Evaluating them is for `renderer.pose`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from renderer.errors import FormatError
from renderer.extensions import FILE_EXTENSIONS
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading
from renderer.gltf.targets import NODE_PATHS, Places, Target
from renderer.scene import Animation, Channel, Floats, Interpolation, Scene

_INTERPOLATIONS = ("LINEAR", "STEP", "CUBICSPLINE")
#: Numbers of a property → accessor type of its values.
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


def with_animations(reading: Reading, places: Places) -> Scene:
    """The scene with every animation of the file, its materials told what may change."""
    animations = tuple(_read_animation(reading, item, places) for item in reading.root.items("animations"))
    moved: dict[int, set[str]] = {}
    for channel in (c for animation in animations for c in animation.channels if c.of == "material"):
        moved.setdefault(channel.index, set()).add(channel.path.partition(".")[0])
    materials = tuple(
        replace(material, animated=frozenset(moved.get(index, ())))
        for index, material in enumerate(places.scene.materials)
    )
    return replace(places.scene, animations=animations, materials=materials)


def _read_animation(reading: Reading, item: Item, places: Places) -> Animation:
    samplers = item.items("samplers")
    read = (_read_channel(reading, channel, samplers, places) for channel in item.items("channels"))
    channels = tuple(channel for channel in read if channel is not None)
    return Animation(item.name(), channels, max((float(c.times[-1]) for c in channels), default=0.0))


def _read_channel(reading: Reading, item: Item, samplers: Sequence[Item], places: Places) -> Channel | None:
    """A channel, or None when it moves nothing that is drawn."""
    target = _read_target(reading, item.child("target"), places)
    if target is None:
        return None
    sampler = samplers[item.index_below("sampler", len(samplers), "samplers")]
    interpolation = cast(Interpolation, sampler.choice("interpolation", _INTERPOLATIONS, "LINEAR"))
    times = _read_times(reading, sampler)
    rows = len(times) * (3 if interpolation == "CUBICSPLINE" else 1)
    values = _read_values(reading, sampler, target, rows)
    return Channel(target.index, target.path, interpolation, times, values, target.of, target.component)


def _read_target(reading: Reading, item: Item, places: Places) -> Target | None:
    """What moves, or None (with a warning where the file is at fault) when that is nothing drawn."""
    for extension in FILE_EXTENSIONS.values():
        if extension.target and (given := item.extension(extension.name)) is not None:
            return extension.target(reading, given, places)
    node, path = item.index("node", "nodes"), item.string("path")
    if path not in NODE_PATHS:
        reading.warn(f"{item.at('path')} is not one of {', '.join(NODE_PATHS)}: the channel is ignored")
        return None
    return None if node is None else places.node(reading, item.place, node, path)


def _read_times(reading: Reading, sampler: Item) -> Floats:
    """float32 [K ≥ 1], seconds, finite, never decreasing, from 0."""
    index = sampler.index("input", "accessors", required=True) or 0
    reading.accessors.item(index).choice("type", ("SCALAR",))
    times = reading.accessors.floats(index).reshape(-1)
    if not len(times):
        raise FormatError(f"{sampler.at('input')} has no key times, at least one is needed")
    if not bool(np.isfinite(times).all()) or float(times[0]) < 0.0 or bool((times[1:] < times[:-1]).any()):
        raise FormatError(f"{sampler.at('input')} has key times that are not finite, not ≥ 0 or not ascending")
    return times


def _read_values(reading: Reading, sampler: Item, target: Target, rows: int) -> Floats:
    """float32 [rows, width]; the weights of morph targets are stored one after the other."""
    index = sampler.index("output", "accessors", required=True) or 0
    accessor = reading.accessors.item(index)
    accessor.choice("type", ("SCALAR" if target.path == "weights" else _TYPES[target.width],))
    values = reading.accessors.floats(index)
    if not bool(np.isfinite(values).all()):
        raise FormatError(f"{sampler.at('output')} holds NaN or infinity, only finite values are allowed")
    if values.size != rows * target.width:
        needed = rows * target.width // values.shape[1]
        raise FormatError(f"{sampler.at('output')} has {len(values):,} values, its key times need {needed:,}")
    return values.reshape(rows, target.width)

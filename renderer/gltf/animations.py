"""Animations: the channels of the drawn nodes, checked. Evaluating them is for `renderer.pose`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from renderer.errors import FormatError
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading
from renderer.scene import Animation, Channel, Floats, Interpolation, Node

_INTERPOLATIONS = ("LINEAR", "STEP", "CUBICSPLINE")
#: Path → accessor type of its values.
_PATHS = {"translation": "VEC3", "rotation": "VEC4", "scale": "VEC3", "weights": "SCALAR"}


def read_animations(reading: Reading, nodes: Sequence[Node], positions: Mapping[int, int]) -> tuple[Animation, ...]:
    """Every animation of the file; `positions` maps the file's node index to the scene's."""
    return tuple(_read_animation(reading, item, nodes, positions) for item in reading.root.items("animations"))


def _read_animation(reading: Reading, item: Item, nodes: Sequence[Node], positions: Mapping[int, int]) -> Animation:
    samplers = item.items("samplers")
    read = (_read_channel(reading, channel, samplers, nodes, positions) for channel in item.items("channels"))
    channels = tuple(channel for channel in read if channel is not None)
    return Animation(item.name(), channels, max((float(c.times[-1]) for c in channels), default=0.0))


def _read_channel(
    reading: Reading, item: Item, samplers: Sequence[Item], nodes: Sequence[Node], positions: Mapping[int, int]
) -> Channel | None:
    """A channel, or None when it moves nothing that is drawn."""
    target = item.child("target")
    node = target.index("node", "nodes")
    path = target.string("path")
    if path not in _PATHS:
        reading.warn(f"{target.at('path')} is not one of {', '.join(_PATHS)}: the channel is ignored")
        return None
    if node is None or node not in positions:
        return None
    if nodes[positions[node]].matrix is not None and path != "weights":
        reading.warn(f"{target.place} animates a node that has a matrix, which glTF forbids: the channel is ignored")
        return None
    sampler = samplers[item.index_below("sampler", len(samplers), "samplers")]
    interpolation = cast(Interpolation, sampler.choice("interpolation", _INTERPOLATIONS, "LINEAR"))
    times = _read_times(reading, sampler)
    values = _read_values(reading, sampler, path, len(times) * (3 if interpolation == "CUBICSPLINE" else 1))
    return Channel(positions[node], path, interpolation, times, values)


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


def _read_values(reading: Reading, sampler: Item, path: str, rows: int) -> Floats:
    """float32 [rows, C]; for weights C is the number of morph targets."""
    index = sampler.index("output", "accessors", required=True) or 0
    accessor = reading.accessors.item(index)
    accessor.choice("type", (_PATHS[path],))
    values = reading.accessors.floats(index)
    if not bool(np.isfinite(values).all()):
        raise FormatError(f"{sampler.at('output')} holds NaN or infinity, only finite values are allowed")
    if path == "weights" and len(values) and len(values) % rows == 0:
        return values.reshape(rows, -1)
    if len(values) != rows:
        raise FormatError(f"{sampler.at('output')} has {len(values):,} values, its key times need {rows:,}")
    return values

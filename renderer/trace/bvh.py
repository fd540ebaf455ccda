"""A bounding volume hierarchy over triangles, built level by level in numpy, and the links by which a ray walks it.

No OpenGL, no materials. The walk needs no stack: each node knows, for each of the eight octants a direction may lie in,
where to go once its box is missed or its triangles are done (threading, as Smits 1998, "Efficiency Issues for Ray
Tracing", but once for every octant, so that near boxes come first).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.scene import Floats

#: A node with at most so many triangles is a leaf.
LEAF_SIZE = 4
_BINS = 16
#: Boxes grow by this share of the model's size, so that a ray in the plane of a flat box is not lost to rounding.
_PADDING = 1e-6

_Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Hierarchy:
    """Nodes in the order of their levels; node 0 is the root.

    low, high: float32 [N, 3], boxes. start: int32 [N], a leaf's first place in `order`, else its left child (the right
    one follows it). count: int32 [N], triangles of a leaf, 0 for an inner node. axis: int32 [N], along which the
    children lie, left below right. skip: int32 [N, 8], by octant (bit a is set when the direction is negative on axis
    a), the node after this one's subtree, -1 = done. order: int32 [T], triangle numbers.
    """

    low: Floats
    high: Floats
    start: NDArray[np.int32]
    count: NDArray[np.int32]
    axis: NDArray[np.int32]
    skip: NDArray[np.int32]
    order: NDArray[np.int32]


@dataclass(slots=True)
class _Level:
    """Nodes of one depth. members: their triangles, node after node. sizes: how many each has. place: where each begins
    in the final order."""

    members: _Integers
    sizes: _Integers
    place: _Integers

    def first(self) -> _Integers:
        """Where each node's members begin."""
        return np.cumsum(self.sizes) - self.sizes


def build(corners: Floats) -> Hierarchy:
    """The hierarchy of triangles [T, 3 corners, 3] with T > 0, split where the surface area heuristic is cheapest.

    Wald 2007, "On fast Construction of SAH-based Bounding Volume Hierarchies", with all nodes of a level at once.
    """
    low, high = corners.min(axis=1), corners.max(axis=1)
    order = np.zeros(len(corners), np.int64)
    level = _Level(np.arange(len(corners)), np.array([len(corners)]), np.array([0]))
    lows, highs, starts, counts, axes = [], [], [], [], []
    nodes = 0
    while len(level.sizes):
        leaf = level.sizes <= LEAF_SIZE
        nodes += len(leaf)
        lows.append(np.minimum.reduceat(low[level.members], level.first()))
        highs.append(np.maximum.reduceat(high[level.members], level.first()))
        starts.append(np.where(leaf, level.place, nodes + 2 * (np.cumsum(~leaf) - 1)))
        counts.append(np.where(leaf, level.sizes, 0))
        axis = np.zeros(len(leaf), np.int64)
        done = np.repeat(leaf, level.sizes)
        order[_ranges(level.place[leaf], level.sizes[leaf])] = level.members[done]
        axis[~leaf], level = _split(_Level(level.members[~done], level.sizes[~leaf], level.place[~leaf]), low, high)
        axes.append(axis)
    box_low, box_high = np.concatenate(lows), np.concatenate(highs)
    padding = np.float32(_PADDING) * (box_high[0] - box_low[0]).max()
    return Hierarchy(
        box_low - padding,
        box_high + padding,
        np.concatenate(starts).astype(np.int32),
        np.concatenate(counts).astype(np.int32),
        np.concatenate(axes).astype(np.int32),
        _skips(starts, counts, axes),
        order.astype(np.int32),
    )


def _split(level: _Level, low: Floats, high: Floats) -> tuple[_Integers, _Level]:
    """The axis of each node's split and the children, left and right of each node in turn. Members change places."""
    if not len(level.sizes):
        return np.zeros(0, np.int64), level
    nodes = len(level.sizes)
    owner = np.repeat(np.arange(nodes), level.sizes)
    centre = low[level.members] + high[level.members]
    least = np.minimum.reduceat(centre, level.first())
    extent = np.maximum.reduceat(centre, level.first()) - least
    axis = extent.argmax(axis=1)
    along, widest = centre[np.arange(len(owner)), axis[owner]], np.maximum(extent.max(axis=1), 1e-30)
    share = (along - least[np.arange(nodes), axis][owner]) / widest[owner]
    slot = owner * _BINS + np.minimum((share * _BINS).astype(np.int64), _BINS - 1)
    by_slot = np.argsort(slot, kind="stable")
    members = level.members[by_slot]
    left = _cheapest(slot[by_slot], members, low, high, nodes)
    # All centres in one place, or all in one bin by rounding: halve by number instead.
    left = np.where((left <= 0) | (left >= level.sizes), level.sizes // 2, left)
    sizes = np.stack([left, level.sizes - left], axis=1).reshape(-1)
    place = np.stack([level.place, level.place + left], axis=1).reshape(-1)
    return axis, _Level(members, sizes, place)


def _cheapest(slot: _Integers, members: _Integers, low: Floats, high: Floats, nodes: int) -> _Integers:
    """How many members of each node go left. slot: node · bins + bin of each member, ascending."""
    present, begin = np.unique(slot, return_index=True)
    lows = np.full((nodes * _BINS, 3), np.inf, np.float32)
    highs = np.full((nodes * _BINS, 3), -np.inf, np.float32)
    lows[present] = np.minimum.reduceat(low[members], begin)
    highs[present] = np.maximum.reduceat(high[members], begin)
    low_bins, high_bins = lows.reshape(nodes, _BINS, 3), highs.reshape(nodes, _BINS, 3)
    count = np.bincount(slot, minlength=nodes * _BINS).reshape(nodes, _BINS).cumsum(axis=1)
    left = _areas(np.minimum.accumulate(low_bins, axis=1), np.maximum.accumulate(high_bins, axis=1))[:, :-1]
    right = _areas(np.minimum.accumulate(low_bins[:, ::-1], axis=1), np.maximum.accumulate(high_bins[:, ::-1], axis=1))
    cost = left * count[:, :-1] + right[:, ::-1][:, 1:] * (count[:, -1:] - count[:, :-1])
    best = cost.argmin(axis=1)
    result: _Integers = count[np.arange(nodes), best]
    return result


def _areas(low: Floats, high: Floats) -> Floats:
    """Half the surface of boxes [..., 3]; 0 for those that hold nothing."""
    d = np.maximum(high - low, 0.0)
    areas: Floats = d[..., 0] * d[..., 1] + d[..., 1] * d[..., 2] + d[..., 2] * d[..., 0]
    return areas


def _ranges(starts: _Integers, sizes: _Integers) -> _Integers:
    """start, start + 1, … of each range, one range after the other."""
    return np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())


def _skips(starts: list[_Integers], counts: list[_Integers], axes: list[_Integers]) -> NDArray[np.int32]:
    """The skip links, from the root down: the near child skips to the far one, the far one to where its parent does."""
    total = sum(len(s) for s in starts)
    skip = np.full((total, 8), -1, np.int32)
    octants = np.arange(8)
    first = 0
    for start, count, axis in zip(starts, counts, axes, strict=True):
        inner = np.flatnonzero(count == 0)
        child, parent = start[inner], first + inner
        far_is_left = (octants >> axis[inner, None]) & 1 == 1
        skip[child] = np.where(far_is_left, skip[parent], child[:, None] + 1)
        skip[child + 1] = np.where(far_is_left, child[:, None], skip[parent])
        first += len(start)
    return skip

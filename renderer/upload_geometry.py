"""The vertex half of `upload.py`: primitives of one layout go into shared buffers, each deformed shape with its own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from renderer.forming import Plan, PoseTable, make_plan
from renderer.gl import formats
from renderer.gl.context import Context
from renderer.gl.resources import Buffer, VertexArray
from renderer.layout import Layout, Slice, layout_of
from renderer.scene import Floats, Primitive, Scene
from renderer.shapes import Shape, shape_at

#: Rows of the instance buffer: a 3×4 affine matrix.
INSTANCE_BYTES = 48
_Part: TypeAlias = tuple[Primitive, Shape | None]


@dataclass(frozen=True, eq=False, slots=True)
class Formed:
    """Buffers of one layout that the device fills anew for each pose. records: all vertex inputs but the position."""

    layout: Layout
    positions: Buffer
    records: Buffer


@dataclass(frozen=True, eq=False, slots=True)
class Geometry:
    """The vertex buffers of a scene. slices: by id() of the primitive and shape. forming: what the device fills, how.

    poses: None when nothing deforms.
    """

    slices: dict[tuple[int, Shape | None], Slice]
    arrays: dict[Layout, VertexArray]
    forming: tuple[tuple[Formed, Plan], ...]
    poses: PoseTable | None


def upload_geometry(context: Context, scene: Scene, instances: Buffer, stack: ExitStack) -> Geometry:
    """Uploads what the nodes draw. instances: their transforms. stack: closes everything made here."""
    groups = _groups(scene)
    shapes = list(dict.fromkeys(shape for parts in groups.values() for _, shape in parts if shape is not None))
    poses = PoseTable(scene, shapes) if shapes else None
    slices: dict[tuple[int, Shape | None], Slice] = {}
    arrays: dict[Layout, VertexArray] = {}
    forming: list[tuple[Formed, Plan]] = []
    for layout, parts in groups.items():
        slices |= _slices(layout, parts)
        positions, records, index = _arrays(layout, parts)
        place, rest, words = (
            stack.enter_context(Buffer(context, array, f"{scene.name}: {kind}"))
            for kind, array in (("positions", positions), ("attributes", records), ("indices", index))
        )
        arrays[layout] = stack.enter_context(
            VertexArray(
                context,
                f"{scene.name}: {layout}",
                _inputs(records.dtype),
                [(0, place, 12, 0), (1, rest, records.dtype.itemsize or 12, 0), (2, instances, INSTANCE_BYTES, 1)],
                words,
            )
        )
        if poses is not None and layout.deformed:
            jobs = [(primitive, shape) for primitive, shape in parts if shape is not None]
            forming.append((Formed(layout, place, rest), make_plan(jobs, records, poses)))
    return Geometry(slices, arrays, tuple(forming), poses)


def _groups(scene: Scene) -> dict[Layout, list[_Part]]:
    """Each primitive in each shape that a node gives it, once, by layout."""
    groups: dict[Layout, list[_Part]] = {}
    seen: set[tuple[int, Shape | None]] = set()
    for index, node in enumerate(scene.nodes):
        for primitive in () if node.mesh is None else scene.meshes[node.mesh].primitives:
            shape = shape_at(scene, index, primitive)
            if (id(primitive), shape) not in seen:
                seen.add((id(primitive), shape))
                layout = layout_of(primitive, deformed=shape is not None)
                groups.setdefault(layout, []).append((primitive, shape))
    return groups


def _slices(layout: Layout, parts: Sequence[_Part]) -> dict[tuple[int, Shape | None], Slice]:
    """Vertices follow each other part by part; indices are there once, however many shapes use them."""
    found: dict[tuple[int, Shape | None], Slice] = {}
    first: dict[int, int] = {}
    base = words = 0
    for primitive, shape in parts:
        if id(primitive) not in first:
            first[id(primitive)] = words
            words += len(primitive.indices)
        found[id(primitive), shape] = Slice(layout, base, first[id(primitive)], len(primitive.indices))
        base += len(primitive.positions)
    return found


def _arrays(layout: Layout, parts: Sequence[_Part]) -> tuple[Floats, NDArray[np.void], NDArray[np.uint32]]:
    """Positions [V, 3], the records of the other inputs [V], and indices of the parts of one layout."""
    primitives = [primitive for primitive, _ in parts]
    positions = np.concatenate([np.ascontiguousarray(p.positions, np.float32) for p in primitives])
    stored = {id(p): p.indices for p in primitives}
    indices = np.concatenate(list(stored.values())).astype(np.uint32, copy=False)
    return positions, _interleave(layout, primitives), indices


# name, shader location, components, type, normalised
_ATTRIBUTES = (
    ("normal", 1, 4, formats.SHORT, True),
    ("tangent", 2, 4, formats.SHORT, True),
    ("texcoord0", 3, 2, formats.FLOAT, False),
    ("texcoord1", 4, 2, formats.FLOAT, False),
    ("color", 5, 4, formats.HALF_FLOAT, False),
)


def _inputs(record: np.dtype[np.void]) -> list[tuple[int, int, int, int, bool, int]]:
    """The shader's inputs, as `VertexArray` wants them: positions, the record's fields, rows of the transform."""
    offsets = {name: offset for name, (_, offset, *_) in (record.fields or {}).items()}
    return [
        (0, 0, 3, formats.FLOAT, False, 0),
        *((at, 1, size, kind, unit, offsets[name]) for name, at, size, kind, unit in _ATTRIBUTES if name in offsets),
        *((6 + row, 2, 4, formats.FLOAT, False, 16 * row) for row in range(3)),
    ]


def _interleave(layout: Layout, primitives: Sequence[Primitive]) -> NDArray[np.void]:
    """Every vertex input but the position as one record array; normals and tangents as 16-bit fixed point (error
    1.5e-5)."""
    fields: list[tuple[str, type, tuple[int, ...]]] = []
    if layout.normal:
        fields.append(("normal", np.int16, (4,)))
    if layout.tangent:
        fields.append(("tangent", np.int16, (4,)))
    fields += [(f"texcoord{i}", np.float32, (2,)) for i in range(layout.texcoords)]
    if layout.color:
        fields.append(("color", np.float16, (4,)))
    records = np.zeros(sum(len(p.positions) for p in primitives), np.dtype(fields))
    start = 0
    for p in primitives:
        part = records[start : start + len(p.positions)]
        start += len(p.positions)
        if p.normals is not None:
            part["normal"][:, :3] = _fixed(p.normals)
        if p.tangents is not None:
            part["tangent"] = _fixed(p.tangents)
        for i, uv in enumerate(p.texcoords):
            part[f"texcoord{i}"] = uv
        if p.colors is not None:
            part["color"] = p.colors
    return records


def _fixed(unit: Floats) -> NDArray[np.int16]:
    return np.rint(np.clip(unit, -1, 1) * 32767).astype(np.int16)

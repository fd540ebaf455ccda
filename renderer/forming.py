"""How deforming shapes lie in the tables that `shaders/deform.comp` reads. Plain arrays; no GL.

A job makes one primitive in one shape. Its vertices are cut into groups, the unit of work on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from renderer.deform import mostly_mirrored
from renderer.pose import Pose
from renderer.scene import Floats, MorphTarget, Primitive, Scene
from renderer.shapes import Shape

Words: TypeAlias = NDArray[np.uint32]
Job: TypeAlias = tuple[Primitive, Shape]

#: Vertices of a group.
GROUP_SIZE = 64


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """What never changes of the jobs of one layout.

    groups: how many there are. table: uint32 [groups + 2 jobs, 4], see `shaders/deform.comp`.
    source: uint32 words of each primitive's vertices at rest, position and record. influences: uint32 [I, 2], joint and
    bits of the weight. morphs: float32, displacements by vertex, then target. defines: of the shader.
    """

    groups: int
    table: Words
    source: Words
    influences: Words
    morphs: Floats
    defines: dict[str, int]


def make_plan(jobs: Sequence[Job], records: NDArray[np.void], poses: PoseTable) -> Plan:
    """The plan of jobs whose vertices follow each other in their layout's buffers.

    records: the vertex inputs but the position, as the vertex buffer has them.
    """
    made = _starts([len(primitive.positions) for primitive, _ in jobs])
    stored = {id(p): (p, records[start : start + len(p.positions)]) for (p, _), start in zip(jobs, made, strict=True)}
    primitives = [primitive for primitive, _ in stored.values()]
    columns = _columns(primitives)
    influences = [_influences(primitive) for primitive in primitives]
    morphs = [_morphs(primitive, columns) for primitive in primitives]
    tables = ([p.positions for p in primitives], influences, morphs)
    starts = dict(zip(stored, zip(*(_starts([len(t) for t in table]) for table in tables), strict=True), strict=True))
    rows = []
    for (primitive, shape), start in zip(jobs, made, strict=True):
        source, first_influence, first_morph = starts[id(primitive)]
        each = primitive.joints.shape[1] if shape.skin is not None and primitive.joints is not None else 0
        rows += [(source, start, first_influence, first_morph)]
        rows += [(each, len(primitive.targets), *poses.places(shape))]
    groups = np.concatenate([_groups(i, primitive) for i, (primitive, _) in enumerate(jobs)])
    return Plan(
        groups=len(groups),
        table=np.concatenate([groups, np.array(rows, np.uint32).reshape(-1, 4)]),
        source=np.concatenate([_words(primitive, record).reshape(-1) for primitive, record in stored.values()]),
        influences=np.concatenate([*influences, np.zeros((1, 2), np.uint32)]),  # a table holds one element at least
        morphs=np.concatenate([*morphs, np.zeros(1, np.float32)]),
        defines={"GROUP_SIZE": GROUP_SIZE, **_record_defines(records.dtype), **columns.defines()},
    )


class PoseTable:
    """What changes with the pose: skins, then morph weights, four floats a texel; see `shaders/deform.comp`."""

    def __init__(self, scene: Scene, shapes: Sequence[Shape]) -> None:
        self._skins = {shape.skin: 0 for shape in shapes if shape.skin is not None}
        self._weights = {shape.weights: (0, 0) for shape in shapes if shape.weights is not None}
        meshes = {shape.weights: shape.mesh for shape in shapes}
        texels = 0
        for skin in self._skins:
            self._skins[skin] = texels
            texels += 1 + 3 * len(scene.skins[skin].joints)
        for node in self._weights:
            count = max(len(p.targets) for p in scene.meshes[meshes[node]].primitives)
            self._weights[node] = texels, count
            texels += -(-count // 4)
        #: How many texels there are.
        self.texels = texels

    def places(self, shape: Shape) -> tuple[int, int]:
        """The texels at which a shape's joints and its weights begin."""
        joints = 0 if shape.skin is None else self._skins[shape.skin]
        return joints, 0 if shape.weights is None else self._weights[shape.weights][0]

    def rows(self, pose: Pose) -> Floats:
        """float32 [texels, 4] of a pose."""
        rows = np.zeros((self.texels, 4), np.float32)
        for skin, first in self._skins.items():
            matrices = pose.joints[skin]
            rows[first, 0] = -1.0 if mostly_mirrored(matrices) else 1.0
            rows[first + 1 : first + 1 + 3 * len(matrices)] = matrices[:, :3].reshape(-1, 4)
        flat = rows.reshape(-1)
        for node, (first, count) in self._weights.items():
            flat[4 * first : 4 * first + count] = pose.weights[node]
        return rows


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which displacements the targets of a layout's primitives have; those of the position always come first."""

    normal: bool
    tangent: bool
    texcoords: int
    color: bool
    targets: bool

    def widths(self) -> tuple[int, ...]:
        """Floats for positions, normals, tangents, each set of texture coordinates, colours."""
        return (3, 3 * self.normal, 3 * self.tangent, *[2] * self.texcoords, 4 * self.color)

    def defines(self) -> dict[str, int]:
        """Where each of them begins, 0 for none."""
        normal, tangent, texcoords, color = (sum(self.widths()[:i]) for i in (1, 2, 3, 3 + self.texcoords))
        return {
            "MORPH_FLOATS": sum(self.widths()) if self.targets else 0,
            "MORPH_NORMAL": normal if self.normal else 0,
            "MORPH_TANGENT": tangent if self.tangent else 0,
            "MORPH_TEXCOORD": texcoords,
            "MORPH_TEXCOORDS": self.texcoords,
            "MORPH_COLOR": color if self.color else 0,
        }


def _columns(primitives: Sequence[Primitive]) -> _Columns:
    pairs = [(p, t) for p in primitives for t in p.targets]
    sets = (i + 1 for p, t in pairs for i, uv in enumerate(t.texcoords[: len(p.texcoords)]) if uv is not None)
    return _Columns(
        normal=any(p.normals is not None and t.normals is not None for p, t in pairs),
        tangent=any(p.tangents is not None and t.tangents is not None for p, t in pairs),
        texcoords=max(sets, default=0),
        color=any(p.colors is not None and t.colors is not None for p, t in pairs),
        targets=bool(pairs),
    )


def _morphs(primitive: Primitive, columns: _Columns) -> Floats:
    """float32 [N · T · floats] of one primitive."""
    widths = columns.widths()
    table = np.zeros((len(primitive.positions), len(primitive.targets), sum(widths)), np.float32)
    starts = _starts(widths)
    for i, target in enumerate(primitive.targets):
        for first, width, values in zip(starts, widths, _displacements(target, columns.texcoords), strict=True):
            if values is not None and width:
                table[:, i, first : first + width] = values
    return table.reshape(-1)


def _displacements(target: MorphTarget, texcoords: int) -> tuple[Floats | None, ...]:
    sets = (*target.texcoords, *[None] * texcoords)[:texcoords]
    return (target.positions, target.normals, target.tangents, *sets, target.colors)


def _influences(primitive: Primitive) -> Words:
    """uint32 [N · K, 2] of one primitive."""
    if primitive.joints is None or primitive.weights is None:
        return np.zeros((0, 2), np.uint32)
    weights = np.ascontiguousarray(primitive.weights, np.float32).view(np.uint32)
    return np.stack([primitive.joints.astype(np.uint32), weights], axis=-1).reshape(-1, 2)


def _words(primitive: Primitive, record: NDArray[np.void]) -> Words:
    """uint32 [N, 3 + record]: position and record of each vertex."""
    positions = np.ascontiguousarray(primitive.positions, np.float32).view(np.uint32)
    rest = record.view(np.uint32).reshape(len(positions), -1) if record.dtype.itemsize else positions[:, :0]
    return np.concatenate([positions, rest], axis=1)


def _groups(job: int, primitive: Primitive) -> Words:
    """uint32 [groups, 4]: job, first vertex, vertices, whether normals are the triangles' own."""
    count = len(primitive.positions)
    first = np.arange(0, count, GROUP_SIZE, dtype=np.uint32)
    rows = np.empty((len(first), 4), np.uint32)
    rows[:, 0], rows[:, 1], rows[:, 2] = job, first, np.minimum(count - first, GROUP_SIZE)
    rows[:, 3] = primitive.flat
    return rows


def _record_defines(record: np.dtype[np.void]) -> dict[str, int]:
    """Words of a record, and where its parts begin."""
    offsets = {name: offset // 4 for name, (_, offset, *_) in (record.fields or {}).items()}
    return {
        "RECORD": record.itemsize // 4,
        "HAS_NORMAL": int("normal" in offsets),
        "HAS_TANGENT": int("tangent" in offsets),
        "NORMAL": offsets.get("normal", 0),
        "TANGENT": offsets.get("tangent", 0),
        "TEXCOORDS": offsets.get("texcoord0", 0),
        "COLOR": offsets.get("color", 0),
    }


def _starts(counts: Sequence[int]) -> list[int]:
    ends: list[int] = np.cumsum([0, *counts]).tolist()
    return ends[:-1]

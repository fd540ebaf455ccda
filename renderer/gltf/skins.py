"""Skins: joints, inverse bind matrices, and what each vertex owes to which joint. Moves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError
from renderer.gltf.accessors import UNSIGNED_BYTE, UNSIGNED_SHORT
from renderer.gltf.attributes import WEIGHTS, read_attribute, same_length
from renderer.gltf.item import Item, show
from renderer.gltf.reading import Reading
from renderer.scene import Floats, Matrices, Mesh, Skin

#: Below this sum the weights of a vertex say nothing.
_NOTHING = 1e-12


def read_skins(
    reading: Reading, nodes: Sequence[int], positions: Mapping[int, int]
) -> tuple[dict[int, int], list[Skin]]:
    """The skins of the drawn nodes: the file's index of each → its place in the list, and the list.

    nodes: the file's indices of the drawn nodes; positions: the file's node index → the scene's.
    """
    items = (reading.root.item("nodes", node) for node in nodes)
    used = sorted({skin for item in items if (skin := item.index("skin", "skins")) is not None})
    read = [_read_skin(reading, reading.root.item("skins", index), positions) for index in used]
    return {index: place for place, index in enumerate(used)}, read


def _read_skin(reading: Reading, item: Item, positions: Mapping[int, int]) -> Skin:
    joints = item.indices("joints", "nodes")
    if not joints:
        raise FormatError(f"{item.at('joints')} is empty, a skin needs at least one joint")
    if len(set(joints)) != len(joints):
        reading.warn(f"{item.at('joints')} names a node more than once")
    places = np.array([positions[joint] for joint in joints], np.intp)
    return Skin(item.name(), places, _read_bind(reading, item, len(joints)))


def _read_bind(reading: Reading, item: Item, count: int) -> Matrices:
    """float64 [count, 4, 4]; identities when the file gives none."""
    reading.budget.take("array_bytes", count * 3 * 128, item.place)  # here, and twice while a pose is made
    index = item.index("inverseBindMatrices", "accessors")
    if index is None:
        return np.tile(np.eye(4), (count, 1, 1))
    place = item.at("inverseBindMatrices")
    reading.accessors.item(index).choice("type", ("MAT4",))
    rows = reading.accessors.floats(index)
    if len(rows) < count:
        raise FormatError(f"{place} has {len(rows):,} matrices, the skin has {count:,} joints")
    matrices = rows[:count].astype(np.float64).reshape(-1, 4, 4).transpose(0, 2, 1)
    if not bool(np.isfinite(matrices).all()):
        raise FormatError(f"{place} holds NaN or infinity, only finite matrices are allowed")
    if not np.allclose(matrices[:, 3], (0.0, 0.0, 0.0, 1.0), atol=1e-4):
        reading.warn(f"{place} has matrices that are not affine: their last rows are taken as 0 0 0 1")
    matrices[:, 3] = (0.0, 0.0, 0.0, 1.0)
    return np.ascontiguousarray(matrices)


def read_influences(reading: Reading, attributes: Item, count: int) -> tuple[NDArray[np.uint16] | None, Floats | None]:
    """(joints uint16 [N, K], weights float32 [N, K] with rows of sum 1) of all sets together; None without any.

    Columns that no vertex uses are dropped; a joint without weight is 0.
    """
    joints: list[NDArray[np.uint16]] = []
    weights: list[Floats] = []
    while attributes.has(f"JOINTS_{len(joints)}") and attributes.has(f"WEIGHTS_{len(joints)}"):
        n = len(joints)
        reading.budget.take("array_bytes", count * 4 * 14, attributes.place)  # here, and once more on the device
        joints.append(_read_joints(reading, attributes, f"JOINTS_{n}", count))
        weights.append(_read_weights(reading, attributes, f"WEIGHTS_{n}", count))
    if attributes.has(f"JOINTS_{len(joints)}") != attributes.has(f"WEIGHTS_{len(joints)}"):
        reading.warn(f"{attributes.place} has JOINTS_{len(joints)} or WEIGHTS_{len(joints)} without the other")
    if not joints:
        return None, None
    return _balanced(reading, attributes, np.concatenate(joints, axis=1), np.concatenate(weights, axis=1))


def _read_joints(reading: Reading, attributes: Item, name: str, count: int) -> NDArray[np.uint16]:
    index = attributes.index(name, "accessors", required=True) or 0
    accessor = reading.accessors.item(index)
    accessor.choice("type", ("VEC4",))
    if accessor.integer("componentType") not in (UNSIGNED_BYTE, UNSIGNED_SHORT):
        raise accessor.fail("componentType", f"{UNSIGNED_BYTE} or {UNSIGNED_SHORT} for {name}")
    joints = reading.accessors.raw(index).astype(np.uint16)
    same_length(attributes, name, joints, count)
    return joints


def _read_weights(reading: Reading, attributes: Item, name: str, count: int) -> Floats:
    weights = read_attribute(reading, attributes, name, WEIGHTS)
    same_length(attributes, name, weights, count)
    good = np.isfinite(weights) & (weights >= 0.0)
    if bool(good.all()):
        return weights
    bad = int(np.count_nonzero(~good))
    reading.warn(f"{attributes.at(name)} holds {bad:,} weights that are negative or not finite: taken as 0")
    return np.where(good, weights, np.float32(0.0))


def _balanced(
    reading: Reading, attributes: Item, joints: NDArray[np.uint16], weights: Floats
) -> tuple[NDArray[np.uint16], Floats]:
    total = weights.sum(axis=1, dtype=np.float64)
    lost = total < _NOTHING
    if bool(lost.any()):
        reading.warn(
            f"{attributes.place}: {int(np.count_nonzero(lost)):,} vertices have no weights and follow their first joint"
        )
    weights = (weights / np.where(lost, 1.0, total)[:, None]).astype(np.float32)
    weights[lost, 0] = 1.0
    used = weights.any(axis=0)
    weights = np.ascontiguousarray(weights[:, used])
    return np.where(weights > 0.0, joints[:, used], np.uint16(0)), weights


class Fit:
    """Whether the meshes of a file can wear its skins; each mesh is looked at once."""

    def __init__(self, reading: Reading, meshes: Sequence[Mesh], skins: Sequence[Skin]) -> None:
        self._reading = reading
        self.meshes = meshes
        self._skins = skins
        self._highest: dict[int, int] = {}

    def skin(self, node: Item, mesh: int, skin: int) -> int | None:
        """The skin, or None (with a warning) where the mesh has nothing to hang on it.

        Raises FormatError when a vertex names a joint that the skin does not have.
        """
        primitives = self.meshes[mesh].primitives
        if any(p.joints is None for p in primitives):
            self._reading.warn(f"{node.at('skin')}: the mesh has primitives without JOINTS_0, so the skin is ignored")
            return None
        if mesh not in self._highest:
            tops = (int(p.joints.max()) for p in primitives if p.joints is not None and p.joints.size)
            self._highest[mesh] = max(tops, default=0)
        count = len(self._skins[skin].joints)
        if self._highest[mesh] >= count:
            top = show(self._highest[mesh])
            raise FormatError(f"{node.at('mesh')} has vertices that name joint {top}, but the skin has only {count}")
        return skin

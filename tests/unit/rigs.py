"""A small rigged model, and where its vertices are at a moment, worked out one by one with scipy. For tests only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline
from scipy.spatial.transform import Rotation, Slerp

from tests.unit.glb import Glb

Array = NDArray[np.float64]
VERTICES = 30
JOINTS = 4
TIMES = np.array([0.0, 0.5, 2.0])
#: At these the test looks: on a key, between keys, before the first and after the last.
MOMENTS = (0.0, 0.2, 0.5, 1.3, 2.0)


@dataclass
class Rig:
    """Numbers of one model. influences: joints [N, K] and weights [N, K]; K a multiple of 4, 0 without a skin.

    scale: of the skeleton's root; negative mirrors everything. targets: how many morph targets.
    """

    influences: int = 8
    targets: int = 2
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    seed: int = 1
    arrays: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        a = self.arrays
        a["positions"] = rng.normal(size=(VERTICES, 3))
        a["normals"] = _unit(rng.normal(size=(VERTICES, 3)))
        a["tangents"] = np.column_stack([_unit(rng.normal(size=(VERTICES, 3))), rng.choice([-1.0, 1.0], VERTICES)])
        a["texcoords"] = rng.random((VERTICES, 2))
        a["colors"] = rng.random((VERTICES, 4)) * 0.5
        for name, width in (("positions", 3), ("normals", 3), ("tangents", 3), ("texcoords", 2), ("colors", 4)):
            a[f"more {name}"] = rng.normal(size=(self.targets, VERTICES, width)) * 0.2
        a["joints"] = rng.integers(0, JOINTS, (VERTICES, self.influences))
        weights = rng.random((VERTICES, self.influences)) + 0.01
        a["weights"] = weights / weights.sum(axis=1, keepdims=True) if self.influences else weights
        a["bind"] = np.stack([_matrix(rng.normal(size=3), rng.normal(size=4), np.ones(3)) for _ in range(JOINTS)])
        # Keys: translation of joint 1 and rotation of joint 2 linear, scale of joint 3 in steps, weights cubic.
        a["moves"] = rng.normal(size=(3, 3))
        a["turns"] = _unit(rng.normal(size=(3, 4)))
        a["grows"] = rng.random((3, 3)) + 0.5
        a["bends"] = rng.normal(size=(3, 3, self.targets))  # key; in-tangent, value, out-tangent; target

    def world(self, time: float) -> Array:
        """Each joint's place [JOINTS, 4, 4]: a chain in which each is one up from the last."""
        a, up, still = self.arrays, np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])
        moved = np.array([np.interp(time, TIMES, axis) for axis in a["moves"].T])
        turned = Slerp(TIMES, Rotation.from_quat(a["turns"]))(np.clip(time, TIMES[0], TIMES[-1])).as_quat()
        grown = a["grows"][np.searchsorted(TIMES, time, side="right") - 1]
        chain = [
            _matrix(np.zeros(3), still, np.array(self.scale)),
            _matrix(moved, still, np.ones(3)),
            _matrix(up, turned, np.ones(3)),
            _matrix(up, still, grown),
        ]
        for joint in range(1, JOINTS):
            chain[joint] = chain[joint - 1] @ chain[joint]
        return np.stack(chain)

    def morph_weights(self, time: float) -> Array:
        """[targets] at a moment."""
        bends = self.arrays["bends"]
        found = np.zeros(self.targets)
        for target in range(self.targets):
            for key in range(len(TIMES) - 1):  # each span has tangents of its own
                if TIMES[key] <= time <= TIMES[key + 1]:
                    span = bends[key : key + 2, :, target]
                    found[target] = CubicHermiteSpline(TIMES[key : key + 2], span[:, 1], [span[0, 2], span[1, 0]])(time)
        return found

    def morphed(self, time: float, name: str) -> Array:
        """One of the arrays with the targets added."""
        total = self.arrays[name].copy()
        for target, weight in enumerate(self.morph_weights(time)):
            width = self.arrays[f"more {name}"].shape[2]
            total[:, :width] += weight * self.arrays[f"more {name}"][target]
        return total

    def expected(self, time: float) -> tuple[Array, Array, Array]:
        """Positions [N, 3], normals [N, 3] and tangents [N, 4] in the world."""
        a = self.arrays
        positions, normals, tangents = (self.morphed(time, name) for name in ("positions", "normals", "tangents"))
        joints = self.world(time) @ a["bind"]
        for i in range(VERTICES):
            m = np.zeros((4, 4))
            for joint, weight in zip(a["joints"][i], a["weights"][i], strict=True):
                m += weight * joints[joint]
            if not self.influences:
                m = np.eye(4)
            positions[i] = (m @ (*positions[i], 1.0))[:3]
            normals[i] = np.linalg.inv(m[:3, :3]).T @ normals[i]
            tangents[i, :3] = m[:3, :3] @ tangents[i, :3]
            tangents[i, 3] *= np.sign(np.linalg.det(m[:3, :3]))
        tangents[:, :3] = _unit(tangents[:, :3])
        return positions, _unit(normals), tangents

    def flat(self) -> Glb:
        """The model without normals, so that each three vertices are a triangle with a normal of its own."""
        glb = self.glb()
        for attributes in (glb.primitive()["attributes"], *glb.primitive().get("targets", ())):
            for name in ("NORMAL", "TANGENT"):
                attributes.pop(name)
        return glb

    def glb(self) -> Glb:
        """The model: joints are nodes 0 to 3, the mesh is node 4, far from them; animation 0 moves everything."""
        a, glb = self.arrays, Glb()
        for joint in range(JOINTS):
            following = {"children": [joint + 1]} if joint + 1 < JOINTS else {}
            place = {"scale": list(self.scale)} if joint == 0 else {"translation": [0, 1, 0]}
            glb.add("nodes", {"name": f"joint {joint}", **place, **following})
        glb.json["scenes"] = [{"nodes": [0]}]
        names = {"POSITION": "positions", "NORMAL": "normals", "TANGENT": "tangents"}
        names |= {"TEXCOORD_0": "texcoords", "COLOR_0": "colors"}
        attributes = {key: glb.accessor(a[name].astype("f4")) for key, name in names.items()}
        for i in range(self.influences // 4):
            attributes[f"JOINTS_{i}"] = glb.accessor(a["joints"][:, 4 * i : 4 * i + 4].astype("u1" if i else "u2"))
            attributes[f"WEIGHTS_{i}"] = glb.accessor(a["weights"][:, 4 * i : 4 * i + 4].astype("f4"))
        targets = [
            {key: glb.accessor(a[f"more {name}"][target].astype("f4")) for key, name in names.items()}
            for target in range(self.targets)
        ]
        picture = glb.texture()
        glb.add("materials", {"normalTexture": {"index": picture}, "doubleSided": True})
        primitive = {"attributes": attributes, "material": 0, **({"targets": targets} if targets else {})}
        glb.add("meshes", {"name": "body", "primitives": [primitive]})
        node = {"name": "body", "mesh": 0}
        if self.influences:
            bind = glb.accessor(a["bind"].transpose(0, 2, 1).reshape(-1, 16).astype("f4"))
            glb.add("skins", {"joints": list(range(JOINTS)), "inverseBindMatrices": bind})
            node |= {"skin": 0, "translation": [100, 0, 0]}  # which a skinned mesh ignores
        glb.node(**node)
        self._animate(glb)
        return glb

    def _animate(self, glb: Glb) -> None:
        a = self.arrays
        times = glb.accessor(TIMES.astype("f4"))
        moves: list[tuple[int, str, str, Array]] = [
            (1, "translation", "LINEAR", a["moves"]),
            (2, "rotation", "LINEAR", a["turns"]),
            (3, "scale", "STEP", a["grows"]),
        ]
        if self.targets:
            moves.append((4, "weights", "CUBICSPLINE", a["bends"].reshape(-1, 1)))
        samplers = [
            {"input": times, "output": glb.accessor(values.astype("f4")), "interpolation": kind}
            for _, _, kind, values in moves
        ]
        channels = [{"sampler": i, "target": {"node": m[0], "path": m[1]}} for i, m in enumerate(moves)]
        glb.add("animations", {"name": "all", "samplers": samplers, "channels": channels})


def _matrix(translation: Array, rotation: Array, scale: Array) -> Array:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(rotation).as_matrix() * scale
    matrix[:3, 3] = translation
    return matrix


def _unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)

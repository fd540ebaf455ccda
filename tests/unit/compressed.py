"""Compressed models and pictures, made with the encoders of the packages that decode them. For tests only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import DracoPy
import meshopt
import numpy as np
from numpy.typing import NDArray

from tests.unit.glb import Glb

DATA = Path(__file__).with_name("data")
#: Unique ids that the tests choose for Draco's generic attributes.
JOINTS, WEIGHTS = 7, 8


def sheet(size: int = 12) -> tuple[dict[str, NDArray[Any]], NDArray[np.uint32]]:
    """Attributes and triangles of a curved square, size × size vertices."""
    v, u = np.mgrid[0:size, 0:size].reshape(2, -1).astype(np.float32) / (size - 1)
    normals = np.stack([-np.cos(3 * u), np.zeros_like(u), np.ones_like(u)], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    colors = np.stack([u, v, 1 - u, np.ones_like(u)], axis=1) * 255
    joints = np.stack([u * 3, v * 3, 0 * u, 0 * u], axis=1)
    weights = np.stack([u, 1 - u, 0 * u, 0 * u], axis=1)
    at = np.arange(size * size, dtype=np.uint32).reshape(size, size)
    a, b, c, d = at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]
    faces = np.stack([a, b, c, b, d, c], axis=-1).reshape(-1, 3)
    attributes = {
        "POSITION": np.stack([u, v, np.sin(3 * u) / 3], axis=1),
        "NORMAL": normals.astype(np.float32),
        "TEXCOORD_0": np.stack([u, v], axis=1),
        "COLOR_0": np.rint(colors).astype(np.uint8),
        "JOINTS_0": joints.astype(np.uint8),
        "WEIGHTS_0": weights.astype(np.float32),
    }
    return attributes, faces


def draco_bytes(preserve_order: bool = True, level: int = 5) -> bytes:
    """The sheet, everything in it, as Draco stores it."""
    attributes, faces = sheet()
    return bytes(
        DracoPy.encode(
            attributes["POSITION"],
            faces,
            compression_level=level,
            preserve_order=preserve_order,
            colors=attributes["COLOR_0"],
            tex_coord=attributes["TEXCOORD_0"].astype(np.float64),
            normals=attributes["NORMAL"].astype(np.float64),
            generic_attributes={JOINTS: attributes["JOINTS_0"], WEIGHTS: attributes["WEIGHTS_0"]},
        )
    )


def draco(data: bytes | None = None) -> Glb:
    """A GLB whose only primitive is the sheet by KHR_draco_mesh_compression; `data` instead of the honest bytes."""
    honest = draco_bytes()
    attributes, faces = sheet()
    kinds = {0: "POSITION", 1: "NORMAL", 2: "COLOR_0", 3: "TEXCOORD_0"}
    ids = {
        kinds[a["attribute_type"]]: a["unique_id"] for a in DracoPy.decode(honest).attributes if a["attribute_type"] < 4
    }
    ids |= {"JOINTS_0": JOINTS, "WEIGHTS_0": WEIGHTS}
    glb = Glb()
    types = {2: "VEC2", 3: "VEC3", 4: "VEC4"}
    accessors = {}
    for name, array in attributes.items():
        code = 5126 if array.dtype == np.float32 else 5121
        given = {"componentType": code, "count": len(array), "type": types[array.shape[1]]}
        accessors[name] = glb.add("accessors", given | ({"normalized": True} if name == "COLOR_0" else {}))
    indices = glb.add("accessors", {"componentType": 5123, "count": faces.size, "type": "SCALAR"})
    extension = {"bufferView": glb.view(honest if data is None else data), "attributes": ids}
    extensions = {"KHR_draco_mesh_compression": extension}
    primitive = {"attributes": accessors, "indices": indices, "extensions": extensions}
    glb.node(mesh=glb.add("meshes", {"primitives": [primitive]}))
    glb.json["extensionsUsed"] = glb.json["extensionsRequired"] = list(extensions)
    return glb


def compressed_view(
    glb: Glb, rows: NDArray[Any], mode: str = "ATTRIBUTES", kind: str = "EXT_meshopt_compression", **extra: Any
) -> int:
    """A buffer view of `rows` [count, …], compressed by meshoptimizer; its plain bytes are in no buffer."""
    count, stride = len(rows), rows.nbytes // len(rows)
    version = 1 if kind.startswith("KHR") else 0
    place = glb.view(meshopt.encode_gltf_buffer(rows, mode, version))
    stored = glb.json["bufferViews"].pop(place)
    stored |= {"count": count, "byteStride": stride, "mode": mode, **extra}
    if "buffers" not in glb.json:
        glb.json["buffers"] = [{"byteLength": 0}, {"byteLength": 0, "extensions": {kind: {"fallback": True}}}]
        glb.json["extensionsUsed"] = glb.json["extensionsRequired"] = [kind]
    fallback = glb.json["buffers"][1]
    plain = {"buffer": 1, "byteOffset": fallback["byteLength"], "byteLength": count * stride}
    fallback["byteLength"] += count * stride
    glb.json["buffers"][0]["byteLength"] = len(glb.binary)
    return glb.add(
        "bufferViews", {**plain, "extensions": {kind: stored}} | ({"byteStride": stride} if mode[0] == "A" else {})
    )

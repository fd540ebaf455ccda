"""Small models for the tests of the optimiser. For tests only."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from tests.unit.glb import Glb


def dome(size: int = 24) -> tuple[dict[str, NDArray[Any]], NDArray[np.uint32]]:
    """A bent sheet with normals and texture coordinates: attributes and indices."""
    steps = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = (values.reshape(-1) for values in np.meshgrid(steps, steps))
    positions = np.stack([x, y, 0.5 * np.cos(x) * np.cos(y)], axis=1)
    normals = np.stack([0.5 * np.sin(x) * np.cos(y), 0.5 * np.cos(x) * np.sin(y), np.ones_like(x)], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    uv = np.stack([(x + 1) / 2, (1 - y) / 2], axis=1)
    corner = np.arange(size * size, dtype=np.uint32).reshape(size, size)[:-1, :-1].reshape(-1)
    corners = (corner, corner + 1, corner + size, corner + 1, corner + size + 1, corner + size)
    arrays = {"POSITION": positions, "NORMAL": normals, "TEXCOORD_0": uv}
    return {k: v.astype(np.float32) for k, v in arrays.items()}, np.stack(corners, axis=1).reshape(-1)


def noise(size: int = 64, seed: int = 3) -> bytes:
    """A PNG of smooth noise."""
    values = np.random.default_rng(seed).integers(0, 256, (size // 4, size // 4, 3), np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(values).resize((size, size), PIL.Image.Resampling.BICUBIC).save(stream, "PNG")
    return stream.getvalue()


def product(size: int = 24) -> Glb:
    """A dome with a texture, two variants, names and things that nobody knows."""
    glb = Glb()
    attributes, indices = dome(size)
    image = glb.add("images", {"bufferView": glb.view(noise()), "mimeType": "image/png", "name": "weave"})
    texture = glb.add("textures", {"source": image})
    plain = {"baseColorTexture": {"index": texture}, "metallicFactor": 0.0, "roughnessFactor": 0.6}
    for name, colour in (("red", [1, 0.2, 0.2, 1]), ("blue", [0.2, 0.2, 1, 1])):
        glb.add("materials", {"name": name, "pbrMetallicRoughness": {**plain, "baseColorFactor": colour}})
    mesh = glb.mesh(attributes, indices, material=0)
    glb.json["meshes"][mesh].update(name="shell", extras={"part": 7})
    mappings = [{"material": 0, "variants": [0]}, {"material": 1, "variants": [1]}]
    glb.primitive()["extensions"] = {"KHR_materials_variants": {"mappings": mappings}}
    glb.json["extensions"] = {"KHR_materials_variants": {"variants": [{"name": "red"}, {"name": "blue"}]}}
    glb.json["extensionsUsed"] = ["KHR_materials_variants"]
    glb.json["nodes"][0]["name"] = "body"
    return glb


def parts(path: Path | bytes) -> tuple[dict[str, Any], bytes]:
    """JSON and binary chunk of a GLB."""
    data = path if isinstance(path, bytes) else path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + length]), data[28 + length :]

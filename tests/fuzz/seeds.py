"""The honest models that mutations start from: generated, one for every decoder and one for nearly everything else."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from tests.unit.compressed import DATA, compressed_view, draco, draco_bytes, sheet
from tests.unit.glb import TRIANGLE, Glb, triangle

#: Larger models would only make the same files slower.
_LARGEST_MODEL = 300_000
_IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def seeds(models: Path | None = None) -> dict[str, Glb]:
    """Every seed by its name. models: a folder whose small GLBs are seeds as well."""
    made = {
        "rich": rich(),
        "moving": moving(),
        "draco": draco(),
        "draco-edgebreaker": draco(draco_bytes(preserve_order=False, level=7)),
        "draco-sequential": draco(draco_bytes(level=0)),
        "meshopt-ext": meshopt_model("EXT_meshopt_compression"),
        "meshopt-khr": meshopt_model("KHR_meshopt_compression"),
        **{path.stem: pictured(path.read_bytes()) for path in sorted(DATA.glob("*.ktx2"))},
        **{name: pictured(data) for name, data in pictures().items()},
    }
    for path in sorted(models.glob("*.glb")) if models else ():
        if path.stat().st_size <= _LARGEST_MODEL:
            made[path.stem] = parsed(path.read_bytes())
    return made


def parsed(data: bytes) -> Glb:
    """An honest GLB taken apart."""
    (length,) = struct.unpack_from("<I", data, 12)
    glb = Glb()
    glb.json = json.loads(data[20 : 20 + length])
    glb.binary = bytearray(data[28 + length :])
    return glb


def pictures() -> dict[str, bytes]:
    """A picture in every format that Pillow writes for us."""
    noise = np.random.default_rng(0).integers(-9, 10, (33, 47, 4))
    pixels = (np.cumsum(noise, axis=0) + 128).clip(0, 255).astype(np.uint8)
    options: dict[str, tuple[str, str, dict[str, Any]]] = {
        "png": ("RGBA", "PNG", {}),
        "png-palette": ("P", "PNG", {}),
        "jpeg": ("RGB", "JPEG", {}),
        "jpeg-progressive": ("RGB", "JPEG", {"progressive": True}),
        "webp": ("RGBA", "WEBP", {}),
        "webp-lossless": ("RGBA", "WEBP", {"lossless": True}),
        "avif": ("RGBA", "AVIF", {}),
    }
    made = {}
    for name, (mode, kind, extra) in options.items():
        stream = io.BytesIO()
        PIL.Image.fromarray(pixels).convert(mode).save(stream, kind, **extra)
        made[name] = stream.getvalue()
    return made


def pictured(data: bytes) -> Glb:
    """A triangle with a picture in every role that a picture may have."""
    glb = triangle()
    image = glb.add("images", {"bufferView": glb.view(data), "name": "label"})
    sources = ("EXT_texture_webp", "EXT_texture_avif", "KHR_texture_basisu")
    glb.add("textures", {"source": image, "extensions": {name: {"source": image} for name in sources}})
    info = {"index": 0}
    archived = {"specularGlossinessTexture": info, "glossinessFactor": 0.5}
    glb.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": info}, "emissiveTexture": info})
    glb.add("materials", {"extensions": {"KHR_materials_pbrSpecularGlossiness": archived}})
    glb.json["extensionsUsed"] = [*sources, "KHR_materials_pbrSpecularGlossiness"]
    return glb


def meshopt_model(kind: str) -> Glb:
    """The sheet with everything compressed by meshoptimizer."""
    attributes, faces = sheet()
    glb = Glb()
    indices = faces.reshape(-1).astype(np.uint16)
    given: tuple[tuple[str, Any, int, str, str], ...] = (
        ("POSITION", attributes["POSITION"], 5126, "VEC3", "ATTRIBUTES"),
        ("TEXCOORD_0", attributes["TEXCOORD_0"], 5126, "VEC2", "ATTRIBUTES"),
        ("COLOR_0", attributes["COLOR_0"], 5121, "VEC4", "ATTRIBUTES"),
        ("indices", indices, 5123, "SCALAR", "TRIANGLES"),
        ("more", indices, 5123, "SCALAR", "INDICES"),
    )
    accessors = {}
    for name, rows, code, shape, mode in given:
        view = compressed_view(glb, rows, mode, kind)
        accessors[name] = glb.add(
            "accessors", {"bufferView": view, "componentType": code, "type": shape, "count": len(rows)}
        )
    glb.json["accessors"][accessors["COLOR_0"]]["normalized"] = True
    more, first = accessors.pop("more"), accessors.pop("indices")
    primitives = [{"attributes": accessors, "indices": index} for index in (first, more)]
    glb.node(mesh=glb.add("meshes", {"primitives": primitives}))
    return glb


def rich() -> Glb:
    """One small model that uses nearly everything the reader knows of geometry, materials and lights."""
    glb = Glb()
    uv = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    colors = np.array([[255, 0, 0, 255]] * 3, "u1")
    glb.mesh({"POSITION": TRIANGLE, "TEXCOORD_0": uv, "COLOR_0": colors}, np.array([0, 1, 2], "<u2"), material=0)
    glb.json["accessors"][2]["normalized"] = True
    glb.mesh({"POSITION": TRIANGLE, "NORMAL": TRIANGLE + 1, "TEXCOORD_0": uv}, mode=5, material=1)
    glb.json["accessors"][4]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": glb.view(b"\1\0"), "componentType": 5123},
        "values": {"bufferView": glb.view(np.array([2, 2, 2], "<f4").tobytes())},
    }
    texture = glb.texture()
    transform = {"KHR_texture_transform": {"offset": [0.1, 0.2], "rotation": 1, "scale": [2, 2], "texCoord": 0}}
    info = {"index": texture, "texCoord": 0, "extensions": transform}
    coat = {"clearcoatFactor": 1, "clearcoatNormalTexture": {"index": texture, "scale": 0.5}}
    pbr = {"baseColorFactor": [1, 1, 1, 1], "baseColorTexture": info, "metallicFactor": 0.5}
    glb.add("samplers", {"magFilter": 9729, "wrapS": 33071})
    glb.json["textures"][0]["sampler"] = 0
    glb.add("materials", {"pbrMetallicRoughness": pbr, "normalTexture": {"index": texture, "scale": 1}})
    glb.add("materials", {"alphaMode": "MASK", "extensions": {"KHR_materials_clearcoat": coat}})
    archived = {"diffuseFactor": [1, 1, 1, 1], "specularGlossinessTexture": {"index": texture}}
    glb.add("materials", {"extensions": {"KHR_materials_pbrSpecularGlossiness": archived}})
    rotation = {"input": 0, "output": 0, "interpolation": "CUBICSPLINE"}
    rotation["input"] = glb.accessor(np.array([0, 1], np.float32))
    rotation["output"] = glb.accessor(np.tile(np.array([[0, 0, 0, 1]], np.float32), (6, 1)))
    channels = [{"sampler": 0, "target": {"node": 0, "path": "rotation"}}]
    glb.add("animations", {"name": "spin", "samplers": [rotation], "channels": channels})
    glb.add("cameras", {"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}})
    glb.node(camera=0, matrix=_IDENTITY, children=[3], extensions={"KHR_lights_punctual": {"light": 0}})
    glb.add("nodes", {"mesh": 0, "translation": [1, 2, 3], "rotation": [0, 0, 0, 1], "scale": [-1, 1, 1]})
    light = {"type": "spot", "intensity": 3, "range": 9, "spot": {"innerConeAngle": 0.1, "outerConeAngle": 0.3}}
    variants = {"KHR_materials_variants": {"variants": [{"name": "a"}, {"name": "b"}]}}
    packets = {"KHR_xmp_json_ld": {"packets": [{"dc:title": {"@type": "rdf:Alt", "rdf:_1": {"@value": "cup"}}}]}}
    glb.json["extensions"] = {"KHR_lights_punctual": {"lights": [light]}, **variants, **packets}
    glb.json["asset"]["extensions"] = {"KHR_xmp_json_ld": {"packet": 0}}
    mapping = {"mappings": [{"material": 1, "variants": [0, 1]}]}
    glb.primitive(0)["extensions"] = {"KHR_materials_variants": mapping}
    used = ["KHR_texture_transform", "KHR_materials_clearcoat", "KHR_materials_pbrSpecularGlossiness"]
    glb.json["extensionsUsed"] = [*used, *glb.json["extensions"]]
    return glb


def moving() -> Glb:
    """A skinned, morphing, animated and repeated sheet."""
    attributes, faces = sheet(5)
    glb = Glb()
    mesh = glb.mesh(attributes, faces.reshape(-1).astype("<u2"))
    target = {
        "POSITION": glb.accessor(attributes["POSITION"] * 0.1),
        "NORMAL": glb.accessor(attributes["NORMAL"] * 0.1),
    }
    glb.primitive(mesh)["targets"] = [target, {"POSITION": target["POSITION"]}]
    glb.json["meshes"][mesh]["weights"] = [0.5, 0]
    joints = [glb.add("nodes", {"translation": [0, 0.1, 0]}) for _ in range(4)]
    for parent, child in zip(joints, joints[1:], strict=False):
        glb.json["nodes"][parent]["children"] = [child]
    inverse = glb.accessor(np.tile(np.eye(4, dtype=np.float32).reshape(1, 16), (4, 1)))
    glb.json["nodes"][0]["skin"] = glb.add("skins", {"joints": joints, "inverseBindMatrices": inverse, "skeleton": 1})
    glb.json["scenes"][0]["nodes"].append(joints[0])
    places = glb.accessor(np.arange(9, dtype=np.float32).reshape(3, 3))
    repeated = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": places}}}
    plain = glb.mesh({"POSITION": TRIANGLE}, material=glb.add("materials", {}))
    glb.json["nodes"][-1] |= {"extensions": {**repeated, "KHR_node_visibility": {"visible": True}}, "mesh": plain}
    times = glb.accessor(np.array([0, 0.4, 1], np.float32))
    samplers = [
        {"input": times, "output": glb.accessor(np.arange(6, dtype=np.float32) / 6)},
        {"input": times, "output": glb.accessor(np.ones((3, 3), np.float32)), "interpolation": "STEP"},
        {"input": times, "output": glb.accessor(np.ones((3, 4), np.float32))},
    ]
    pointer = {"KHR_animation_pointer": {"pointer": "/materials/0/pbrMetallicRoughness/baseColorFactor"}}
    channels = [
        {"sampler": 0, "target": {"node": 0, "path": "weights"}},
        {"sampler": 1, "target": {"node": joints[1], "path": "scale"}},
        {"sampler": 2, "target": {"path": "pointer", "extensions": pointer}},
    ]
    glb.add("animations", {"samplers": samplers, "channels": channels})
    glb.json["extensionsUsed"] = ["EXT_mesh_gpu_instancing", "KHR_node_visibility", "KHR_animation_pointer"]
    return glb

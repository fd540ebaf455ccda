"""A Scene of another format (STL, OBJ, 3MF …) as a glTF Document. Such formats have no skins and no animations."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import PIL.Image

from publishing.geometry import extent
from publishing.gltf import Document, Json
from renderer.extensions import CORE, MATERIAL_EXTENSIONS, MaterialExtension
from renderer.gltf.accessors import Array
from renderer.scene import Image, Material, Node, Primitive, Scene, TextureInfo

_METALLIC_ROUGHNESS = (
    "baseColorFactor",
    "metallicFactor",
    "roughnessFactor",
    "baseColorTexture",
    "metallicRoughnessTexture",
)
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


def document_of(scene: Scene) -> Document:
    """The same model as glTF."""
    document = Document({"asset": {"version": "2.0", "generator": "vitrine publish"}, "scene": 0})
    json = document.json
    json["meshes"] = [
        {"name": mesh.name, "primitives": [_primitive(document, one) for one in mesh.primitives]}
        for mesh in scene.meshes
    ]
    json["materials"] = [_material(material) for material in scene.materials]
    json["samplers"] = [
        {"magFilter": s.magFilter, "minFilter": s.minFilter, "wrapS": s.wrapS, "wrapT": s.wrapT}
        for s in (texture.sampler for texture in scene.textures)
    ]
    json["textures"] = [{"source": t.image, "sampler": i} for i, t in enumerate(scene.textures)]
    json["images"] = [{"name": image.name} if image.name else {} for image in scene.images]
    document.images = {i: _png(image) for i, image in enumerate(scene.images)}
    children: dict[int, list[int]] = {}
    for index, node in enumerate(scene.nodes):
        children.setdefault(node.parent, []).append(index)
    json["nodes"] = [_node(node, children.get(index)) for index, node in enumerate(scene.nodes)]
    json["scenes"] = [{"nodes": children.get(-1, [])}]
    used = {name for material in json["materials"] for name in material.get("extensions", {})}
    if used:
        json["extensionsUsed"] = sorted(used)
    return document


def _primitive(document: Document, primitive: Primitive) -> Json:
    arrays: dict[str, Array | None] = {
        "POSITION": primitive.positions,
        "NORMAL": None if primitive.flat else primitive.normals,
        "TANGENT": None if primitive.flat else primitive.tangents,
        "COLOR_0": primitive.colors,
        **{f"TEXCOORD_{i}": one for i, one in enumerate(primitive.texcoords)},
    }
    attributes = {
        name: document.add({"componentType": 5126, "type": _TYPES[array.shape[1]]}, np.ascontiguousarray(array))
        for name, array in arrays.items()
        if array is not None
    }
    extent(document.items("accessors")[attributes["POSITION"]], primitive.positions)
    indices = document.add({"componentType": 5125, "type": "SCALAR"}, primitive.indices.reshape(-1, 1))
    return {
        "attributes": attributes,
        "indices": indices,
        "material": primitive.material,
        "mode": int(primitive.mode),
    }


def _material(material: Material) -> Json:
    json: Json = {"name": material.name, "alphaMode": material.alphaMode, "doubleSided": material.doubleSided}
    core = _declared(material, CORE)
    json["pbrMetallicRoughness"] = {key: core.pop(key) for key in _METALLIC_ROUGHNESS if key in core}
    if material.alphaMode != "MASK":
        core.pop("alphaCutoff", None)
    json.update(core)
    extensions = {
        e.name: _declared(material, e) for e in MATERIAL_EXTENSIONS.values() if e.feature in material.features
    }
    if extensions:
        json["extensions"] = extensions
    return json


def _declared(material: Material, declaration: MaterialExtension) -> Json:
    """What a material says of a declaration's factors and textures, as glTF writes it."""
    factors = {key: list(material.factors[key]) for key in declaration.factors if key in material.factors}
    found: Json = {
        key: value[0] if len(declaration.factors[key].default) == 1 else value for key, value in factors.items()
    }
    for slot, texture in declaration.textures.items():
        if slot in material.textures:
            found[slot] = _info(material.textures[slot])
            found[slot].update(_extra(material.factors, slot, tuple(texture.extra)))
    return found


def _info(info: TextureInfo) -> Json:
    json: Json = {"index": info.texture}
    if info.texCoord:
        json["texCoord"] = info.texCoord
    if (info.offset, info.rotation, info.scale) != ((0.0, 0.0), 0.0, (1.0, 1.0)):
        given = {"offset": list(info.offset), "rotation": info.rotation, "scale": list(info.scale)}
        json["extensions"] = {"KHR_texture_transform": given}
    return json


def _extra(factors: Mapping[str, tuple[float, ...]], slot: str, keys: tuple[str, ...]) -> Json:
    """Factors inside a texture's use: `normalTextureScale` is its "scale"."""
    named = {key: f"{slot}{key[0].upper()}{key[1:]}" for key in keys}
    return {key: factors[name][0] for key, name in named.items() if name in factors}


def _png(image: Image) -> bytes:
    opaque = int(image.pixels[..., 3].min()) == 255
    out = io.BytesIO()
    PIL.Image.fromarray(image.pixels[..., :3] if opaque else image.pixels).save(out, "PNG", compress_level=3)
    return out.getvalue()


def _node(node: Node, children: list[int] | None) -> Json:
    json: Json = {"name": node.name}
    if node.mesh is not None:
        json["mesh"] = node.mesh
    if node.matrix is not None:
        json["matrix"] = [float(v) for v in node.matrix.T.reshape(-1)]
    else:
        json.update(translation=list(node.translation), rotation=list(node.rotation), scale=list(node.scale))
    if children:
        json["children"] = children
    return json

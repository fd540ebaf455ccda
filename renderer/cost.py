"""What showing a scene costs: draws, triangles, bytes on the device. Estimates without a device; no OpenGL.

The byte counts follow `upload.py`, `upload_geometry.py` and `trace/prepare.py`; a test holds them against a real
upload.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from renderer import material as material_block
from renderer.layout import layout_of
from renderer.scene import Mode, Primitive, Scene
from renderer.shapes import Shape, shape_at

#: A full chain of mip levels adds a third.
_MIPMAPS = 4 / 3
_MIPMAPPED = (9984, 9985, 9986, 9987)
_POSITION, _INSTANCE, _COMMAND, _UNIFORM_ALIGNMENT = 12, 48, 20, 256
#: Of the path tracer: a triangle with its corners' indices; a vertex; a triangle's share of the hierarchy, whose leaves
#: hold about two triangles.
_TRACED_TRIANGLE, _TRACED_VERTEX, _TRACED_HIERARCHY = 48 + 16, 64, 64
#: Its pictures have no mip levels; colours are stored as linear 16-bit numbers.
_TRACED_TEXEL = {"srgb": 8, "linear": 4}


@dataclass(frozen=True, slots=True)
class Cost:
    """draws: commands a frame, instances counted. triangles: the same.

    geometry_bytes, texture_bytes, device_bytes: on the device while the model is loaded; the last includes the others.
    trace_bytes: more while a refined picture is traced; None where nothing can be traced: points and lines have no
    surface.
    """

    draws: int
    triangles: int
    geometry_bytes: int
    texture_bytes: int
    device_bytes: int
    trace_bytes: int | None


def cost(scene: Scene) -> Cost:
    """The cost of a scene in its default variant."""
    drawn = list(_drawn(scene))
    triangles = sum(len(p.indices) // 3 for _, p, _ in drawn if p.mode == Mode.TRIANGLES)
    geometry, textures = _geometry_bytes(scene), sum(_texture_bytes(scene).values())
    instances = sum(node.mesh is not None for node in scene.nodes) * _INSTANCE + len(drawn) * _COMMAND
    block = -(-material_block.block_dtype().itemsize // _UNIFORM_ALIGNMENT) * _UNIFORM_ALIGNMENT
    materials = len(scene.materials) * block
    traced = None
    if drawn and all(p.mode == Mode.TRIANGLES for _, p, _ in drawn):
        vertices = sum(len(p.positions) for _, p, _ in drawn)
        traced = triangles * (_TRACED_TRIANGLE + _TRACED_HIERARCHY) + vertices * _TRACED_VERTEX
        traced += sum(_TRACED_TEXEL[encoding] * _texels(scene, image) for image, encoding in _texture_bytes(scene))
    return Cost(len(drawn), triangles, geometry, textures, geometry + textures + instances + materials, traced)


def image_bytes(scene: Scene) -> dict[int, int]:
    """Image → its bytes on the device, 0 for one that no material shows."""
    found = dict.fromkeys(range(len(scene.images)), 0)
    for (image, _), size in _texture_bytes(scene).items():
        found[image] += size
    return found


def _drawn(scene: Scene) -> Iterator[tuple[int, Primitive, Shape | None]]:
    for index, node in enumerate(scene.nodes):
        for primitive in () if node.mesh is None else scene.meshes[node.mesh].primitives:
            yield index, primitive, shape_at(scene, index, primitive)


def _geometry_bytes(scene: Scene) -> int:
    """Vertices and indices of each primitive once, and vertices once more for each further shape it is deformed to."""
    shapes = {(id(primitive), shape): primitive for _, primitive, shape in _drawn(scene)}
    once = {key: primitive for (key, _), primitive in shapes.items()}
    vertices = sum(len(p.positions) * _vertex_bytes(p) for p in shapes.values())
    return vertices + sum(p.indices.size * 4 + _deformation_bytes(p) for p in once.values())


def _vertex_bytes(primitive: Primitive) -> int:
    layout = layout_of(primitive)
    return _POSITION + 8 * (layout.normal + layout.tangent + layout.texcoords + layout.color)


def _deformation_bytes(primitive: Primitive) -> int:
    """The vertices at rest, a joint and a weight for each influence, and what morph targets add."""
    if primitive.joints is None and not primitive.targets:
        return 0
    rest = len(primitive.positions) * _vertex_bytes(primitive)
    influences = 0 if primitive.joints is None else primitive.joints.size * 8
    added = [a for t in primitive.targets for a in (t.positions, t.normals, t.tangents, *t.texcoords, t.colors)]
    return rest + influences + sum(a.size * 4 for a in added if a is not None)


def _texture_bytes(scene: Scene) -> dict[tuple[int, str], int]:
    """(image, encoding) → bytes: each picture that a material shows, once for each encoding."""
    slots = material_block.slots()
    used = {(info.texture, slots[slot].encoding) for m in scene.materials for slot, info in m.textures.items()}
    textures = [(scene.textures[index], encoding) for index, encoding in used]
    mipmapped = {texture.image for texture, _ in textures if texture.sampler.minFilter in _MIPMAPPED}
    sizes: dict[tuple[int, str], int] = {}
    for texture, encoding in textures:
        levels = _MIPMAPS if texture.image in mipmapped else 1.0
        sizes[texture.image, encoding] = int(_texels(scene, texture.image) * 4 * levels)
    return sizes


def _texels(scene: Scene, image: int) -> int:
    height, width = scene.images[image].pixels.shape[:2]
    return int(height * width)

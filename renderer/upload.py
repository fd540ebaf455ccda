"""Makes a Scene's GPU twin: the only place where scene data becomes OpenGL objects.

Knows how to store, not how to draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from renderer import material as material_block
from renderer.gl import formats
from renderer.gl.context import Context
from renderer.gl.resources import Buffer, Sampler, Texture, VertexArray
from renderer.layout import Layout, Slice, layout_of
from renderer.scene import Floats, Image, Primitive, Scene
from renderer.scene import Sampler as SceneSampler

#: OpenGL guarantees that uniform ranges may start at any multiple of this.
UNIFORM_ALIGNMENT = 256
#: Rows of the instance buffer: a 3×4 affine matrix.
INSTANCE_BYTES = 48
_MIPMAPPED = {9984, 9985, 9986, 9987}


@dataclass(eq=False)
class GpuScene:
    """The buffers and textures of one scene; close to free them all.

    slices: by id() of the primitive. textures: by (texture index, encoding).
    """

    scene: Scene
    stack: ExitStack = field(default_factory=ExitStack)
    slices: dict[int, Slice] = field(default_factory=dict)
    arrays: dict[Layout, VertexArray] = field(default_factory=dict)
    textures: dict[tuple[int, str], tuple[Texture, Sampler]] = field(default_factory=dict)
    instances: Buffer | None = None
    materials: Buffer | None = None
    material_stride: int = 0

    def close(self) -> None:
        """Frees every GPU object of this scene."""
        self.stack.close()


def upload(context: Context, scene: Scene, instances: int) -> GpuScene:
    """Uploads geometry, textures and materials. instances: how many transforms the instance buffer holds.

    Raises DeviceError when the device refuses; nothing stays allocated then.
    """
    gpu = GpuScene(scene)
    with ExitStack() as guard:
        guard.callback(gpu.close)
        gpu.instances = gpu.stack.enter_context(
            Buffer(context, max(instances, 1) * INSTANCE_BYTES, f"{scene.name}: instances")
        )
        _upload_geometry(context, gpu)
        _upload_materials(context, gpu)
        _upload_textures(context, gpu)
        context.check(f"upload of {scene.name}")
        guard.pop_all()
    return gpu


def _primitives(scene: Scene) -> Iterator[Primitive]:
    for mesh in scene.meshes:
        yield from mesh.primitives


def _upload_geometry(context: Context, gpu: GpuScene) -> None:
    groups: dict[Layout, list[Primitive]] = {}
    for primitive in _primitives(gpu.scene):
        groups.setdefault(layout_of(primitive), []).append(primitive)
    for layout, primitives in groups.items():
        base = first = 0
        for p in primitives:
            gpu.slices[id(p)] = Slice(layout, base, first, len(p.indices))
            base, first = base + len(p.positions), first + len(p.indices)
        gpu.arrays[layout] = _vertex_array(context, gpu, layout, primitives)


def _vertex_array(context: Context, gpu: GpuScene, layout: Layout, primitives: list[Primitive]) -> VertexArray:
    name, enter = gpu.scene.name, gpu.stack.enter_context
    positions = np.concatenate([np.ascontiguousarray(p.positions, np.float32) for p in primitives])
    attributes = _interleave(layout, primitives)
    indices = np.concatenate([p.indices for p in primitives]).astype(np.uint32, copy=False)
    place = enter(Buffer(context, positions, f"{name}: positions"))
    rest = enter(Buffer(context, attributes, f"{name}: attributes")) if attributes.dtype.itemsize else place
    index = enter(Buffer(context, indices, f"{name}: indices"))
    inputs = [(0, 0, 3, formats.FLOAT, False, 0)]
    offsets = {n: offset for n, (_, offset, *_) in (attributes.dtype.fields or {}).items()}
    for attribute, location, components, kind, normalised in _ATTRIBUTES:
        if attribute in offsets:
            inputs.append((location, 1, components, kind, normalised, offsets[attribute]))
    inputs += [(6 + row, 2, 4, formats.FLOAT, False, 16 * row) for row in range(3)]
    if gpu.instances is None:
        raise TypeError("the instance buffer is made first")
    bindings = [(0, place, 12, 0), (1, rest, attributes.dtype.itemsize or 12, 0), (2, gpu.instances, INSTANCE_BYTES, 1)]
    array = VertexArray(context, f"{name}: {layout}", inputs, bindings, index)
    enter(array)
    return array


# name, shader location, components, type, normalised
_ATTRIBUTES = (
    ("normal", 1, 4, formats.SHORT, True),
    ("tangent", 2, 4, formats.SHORT, True),
    ("texcoord0", 3, 2, formats.FLOAT, False),
    ("texcoord1", 4, 2, formats.FLOAT, False),
    ("color", 5, 4, formats.HALF_FLOAT, False),
)


def _interleave(layout: Layout, primitives: list[Primitive]) -> NDArray[np.void]:
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


def _upload_materials(context: Context, gpu: GpuScene) -> None:
    size = material_block.block_dtype().itemsize
    gpu.material_stride = -(-size // UNIFORM_ALIGNMENT) * UNIFORM_ALIGNMENT
    data = np.zeros((len(gpu.scene.materials), gpu.material_stride), np.uint8)
    for row, m in zip(data, gpu.scene.materials, strict=True):
        row[:size] = np.frombuffer(material_block.pack(m).tobytes(), np.uint8)
    gpu.materials = gpu.stack.enter_context(Buffer(context, data, f"{gpu.scene.name}: materials"))


def _upload_textures(context: Context, gpu: GpuScene) -> None:
    """Each image once per encoding, each sampler once, only what a material uses."""
    scene = gpu.scene
    images: dict[tuple[int, str], Texture] = {}
    samplers: dict[SceneSampler, Sampler] = {}
    used = {
        (info.texture, material_block.slots()[slot].encoding)
        for m in scene.materials
        for slot, info in m.textures.items()
    }
    mipmapped = {scene.textures[t].image for t, _ in used if scene.textures[t].sampler.minFilter in _MIPMAPPED}
    for index, encoding in sorted(used):
        texture = scene.textures[index]
        if (texture.image, encoding) not in images:
            images[texture.image, encoding] = gpu.stack.enter_context(
                _image(context, scene.images[texture.image], encoding, mipmaps=texture.image in mipmapped)
            )
        if texture.sampler not in samplers:
            samplers[texture.sampler] = gpu.stack.enter_context(_sampler(context, texture.sampler))
        gpu.textures[index, encoding] = images[texture.image, encoding], samplers[texture.sampler]


def _image(context: Context, image: Image, encoding: str, *, mipmaps: bool) -> Texture:
    height, width = image.pixels.shape[:2]
    levels = max(width, height).bit_length() if mipmaps else 1
    storage = formats.SRGB8_ALPHA8 if encoding == "srgb" else formats.RGBA8
    texture = Texture(context, width, height, storage, f"image {image.name}", levels=levels)
    texture.write(image.pixels)
    return texture


def _sampler(context: Context, sampler: SceneSampler) -> Sampler:
    # Anisotropic filtering on the CPU costs several times the picture it improves.
    anisotropy = 1.0 if context.info.software else min(8.0, context.info.max_anisotropy)
    filters = (sampler.magFilter, sampler.minFilter, sampler.wrapS, sampler.wrapT)
    return Sampler(context, "sampler", *filters, anisotropy=anisotropy)

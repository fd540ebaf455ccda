"""Makes a Scene's GPU twin: the only place where scene data becomes OpenGL objects.

Knows how to store, not how to draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from renderer import material as material_block
from renderer.gl import formats
from renderer.gl.context import Context
from renderer.gl.resources import Buffer, Sampler, Texture, VertexArray
from renderer.layout import Layout, Slices
from renderer.passes.deform import DeformPass
from renderer.scene import Image, Material, Scene
from renderer.scene import Sampler as SceneSampler
from renderer.upload_geometry import INSTANCE_BYTES, upload_geometry

#: OpenGL guarantees that uniform ranges may start at any multiple of this.
UNIFORM_ALIGNMENT = 256
_MIPMAPPED = {9984, 9985, 9986, 9987}


@dataclass(eq=False)
class GpuScene:
    """The buffers and textures of one scene; close to free them all.

    textures: by (texture index, encoding). deforming: None when nothing deforms.
    """

    scene: Scene
    stack: ExitStack = field(default_factory=ExitStack)
    slices: Slices = field(default_factory=dict)
    arrays: Mapping[Layout, VertexArray] = field(default_factory=dict)
    deforming: DeformPass | None = None
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
        geometry = upload_geometry(context, scene, gpu.instances, gpu.stack)
        gpu.slices, gpu.arrays = geometry.slices, geometry.arrays
        if geometry.poses is not None:
            gpu.deforming = DeformPass(context, scene.name, geometry.poses, geometry.forming)
            gpu.stack.callback(gpu.deforming.close)
        _upload_materials(context, gpu)
        _upload_textures(context, gpu)
        context.check(f"upload of {scene.name}")
        guard.pop_all()
    return gpu


def _upload_materials(context: Context, gpu: GpuScene) -> None:
    size = material_block.block_dtype().itemsize
    gpu.material_stride = -(-size // UNIFORM_ALIGNMENT) * UNIFORM_ALIGNMENT
    data = np.zeros((len(gpu.scene.materials), gpu.material_stride), np.uint8)
    for row, m in zip(data, gpu.scene.materials, strict=True):
        row[:size] = _packed(m)
    gpu.materials = gpu.stack.enter_context(Buffer(context, data, f"{gpu.scene.name}: materials"))


def write_material(gpu: GpuScene, index: int, material: Material) -> None:
    """Changes the factors and texture transforms of one material."""
    if gpu.materials is not None:
        gpu.materials.write(_packed(material), index * gpu.material_stride)


def _packed(material: Material) -> NDArray[np.uint8]:
    return np.frombuffer(material_block.pack(material).tobytes(), np.uint8)


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

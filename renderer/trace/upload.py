"""A posed scene on the device, as the path tracer reads it: hierarchy, triangles, vertices, materials, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from renderer.errors import DeviceError
from renderer.gl import draw, formats
from renderer.gl.arrays import Table, TextureArray
from renderer.gl.context import Context
from renderer.gl.program import Program
from renderer.gl.resources import Framebuffer, Sampler, Texture, VertexArray
from renderer.material import slots
from renderer.pose import Pose
from renderer.scene import Material, Scene
from renderer.trace import bvh, material
from renderer.trace.geometry import Geometry, gather
from renderer.upload import GpuScene

#: Edge of a traced picture at most, and bytes of all of them together, on a GPU and on a software rasteriser.
MAX_PICTURE = 2048
_PICTURE_BYTES, _PICTURE_BYTES_SOFTWARE = 512 << 20, 256 << 20
#: A ray has left its surface after this share of the scene's diagonal, or this share of the largest coordinate.
_EPSILON, _ROUNDING = 1e-5, 4e-7
_ARRAYS = {"srgb": formats.SRGB8_ALPHA8, "linear": formats.RGBA8}


class PictureCopier:
    """Draws textures into the layers of array textures, through their own samplers."""

    def __init__(self, context: Context, empty: VertexArray) -> None:
        self._context, self._empty = context, empty
        self._stack = ExitStack()
        self._program = self._stack.enter_context(Program(context, "fullscreen.vert", "trace_layer.frag"))
        self._framebuffer = self._stack.enter_context(Framebuffer(context, "traced picture", None))

    def fitting(self, wanted: int, layers: int) -> int:
        """The edge of `layers` pictures, a power of two: at least `wanted` unless the bounds say less."""
        budget = _PICTURE_BYTES_SOFTWARE if self._context.info.software else _PICTURE_BYTES
        size = min(1 << max(wanted - 1, 0).bit_length(), MAX_PICTURE)
        while size > 1 and size * size * 4 * layers > budget:
            size //= 2
        return size

    def array(self, size: int, layers: int, format: int, label: str) -> TextureArray:
        """An empty array texture."""
        return TextureArray(self._context, size, layers, format, label)

    def copy(self, pictures: Sequence[tuple[Texture, Sampler]], array: TextureArray) -> None:
        """Fills the layers in turn."""
        draw.use(self._program.name)
        draw.state(depth_test=False, depth_write=False)
        for layer, (texture, sampler) in enumerate(pictures):
            array.attach(self._framebuffer, layer)
            draw.target(self._framebuffer, array.size, array.size)
            draw.bind_textures({0: texture}, {0: sampler})
            with draw.encoded():
                draw.fullscreen(self._empty)

    def close(self) -> None:
        """Frees the program."""
        self._stack.close()


class TracedScene:
    """One pose of one variant of a model. Close to free it."""

    def __init__(self, context: Context, gpu: GpuScene, pose: Pose, variant: str | None, copier: PictureCopier) -> None:
        """Raises ViewError for an unknown variant, DeviceError when nothing that is shown has a surface."""
        scene = gpu.scene
        geometry = gather(scene, pose, variant)
        if not len(geometry.corners):
            raise DeviceError(f"{scene.name}: nothing that is shown has a surface to trace")
        materials = tuple(pose.materials.get(i, m) for i, m in enumerate(scene.materials))
        used = [materials[i] for i in np.unique(geometry.triangles[:, 3])]
        self.features = material.features(used)
        self.slots = material.used_slots(used)
        self._clear = np.array([material.see_through(m) for m in materials], np.float32)
        self.see_through = any(material.see_through(m) for m in used)
        self._stack = ExitStack()
        with ExitStack() as guard:
            guard.callback(self._stack.close)
            self._geometry(context, scene.name, geometry)
            layers = self._pictures(gpu, used, copier)
            chances = self._emitters(context, scene, materials)
            table = material.table(scene, materials, layers, chances)
            self.materials = self._stack.enter_context(Table(context, table, f"{scene.name}: traced materials"))
            context.check(f"upload of {scene.name} for tracing")
            guard.pop_all()

    def close(self) -> None:
        """Frees every GPU object of it."""
        self._stack.close()

    def _geometry(self, context: Context, name: str, geometry: Geometry) -> None:
        tree = bvh.build(geometry.corners)
        low, high = geometry.corners.min(axis=(0, 1)), geometry.corners.max(axis=(0, 1))
        reach = max(float(np.abs(low).max()), float(np.abs(high).max()))
        self.epsilon = max(_EPSILON * float(np.linalg.norm(high - low)), _ROUNDING * reach)
        nodes = np.zeros((len(tree.low), 2, 4), np.int32)
        nodes[:, 0, :3], nodes[:, 1, :3] = tree.low.view(np.int32), tree.high.view(np.int32)
        nodes[:, 0, 3], nodes[:, 1, 3] = tree.start, tree.count * 4 + tree.axis
        corners = geometry.corners[tree.order]
        triangles = np.zeros((len(corners), 3, 4), np.float32)
        triangles[:, 0, :3] = corners[:, 0]
        triangles[:, 1:, :3] = corners[:, 1:] - corners[:, :1]
        triangles[:, 0, 3] = self._clear[geometry.triangles[tree.order, 3]]
        self._ordered = corners, geometry.triangles[tree.order, 3]
        enter = self._stack.enter_context
        self.nodes = enter(Table(context, nodes.reshape(-1, 4), f"{name}: hierarchy"))
        self.skips = enter(Table(context, tree.skip.reshape(-1), f"{name}: links"))
        self.triangles = enter(Table(context, triangles.reshape(-1, 4), f"{name}: triangles"))
        self.corners = enter(Table(context, geometry.triangles[tree.order], f"{name}: corners"))
        self.vertices = enter(Table(context, geometry.vertices.reshape(-1, 4), f"{name}: vertices"))

    def _emitters(self, context: Context, scene: Scene, materials: Sequence[Material]) -> list[float]:
        """Makes the table of glowing triangles; returns each material's chance per square metre."""
        glow = np.array([material.glow(scene, m) for m in materials])
        corners, owner = self._ordered
        power = glow[owner] * np.linalg.norm(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
        )
        lit = np.flatnonzero(power > 0.0)
        total = float(power.sum()) / 2
        self.emitters: Table | None = None
        if not len(lit) or not total:
            return [0.0] * len(materials)
        rows = np.zeros((len(lit), 4), np.float32)
        rows[:, 0] = power[lit].cumsum() / power.sum()
        rows[:, 1], rows[:, 2] = lit, glow[owner[lit]] / total
        self.emitters = self._stack.enter_context(Table(context, rows, f"{scene.name}: emitters"))
        chances: list[float] = (glow / total).tolist()
        return chances

    def _pictures(self, gpu: GpuScene, used: list[Material], copier: PictureCopier) -> dict[tuple[int, str], int]:
        """Copies what the materials show into one array per encoding; returns each texture's layer."""
        self.arrays: dict[str, TextureArray] = {}
        layers: dict[tuple[int, str], int] = {}
        wanted = sorted({(i.texture, slots()[slot].encoding) for m in used for slot, i in m.textures.items()})
        sizes = [max(gpu.textures[key][0].width, gpu.textures[key][0].height) for key in wanted]
        size = copier.fitting(max(sizes, default=1), len(wanted))
        for encoding, format in _ARRAYS.items():
            keys = [key for key in wanted if key[1] == encoding]
            layers |= {key: layer for layer, key in enumerate(keys)}
            if keys:
                label = f"{gpu.scene.name}: traced pictures, {encoding}"
                self.arrays[encoding] = self._stack.enter_context(copier.array(size, len(keys), format, label))
                copier.copy([gpu.textures[key] for key in keys], self.arrays[encoding])
        return layers

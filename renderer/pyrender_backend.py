"""The same Scene and View through pyrender: the independent oracle of tests and the yardstick of benchmarks, not the
engine.

Geometry, base colour, metallic-roughness, normals and emission; no image-based light, no extensions (pyrender has
none).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from renderer.bounds import bounds
from renderer.camera import camera
from renderer.deform import placed
from renderer.drawlist import variant_index
from renderer.errors import DeviceError, ViewError
from renderer.frame import Frame
from renderer.gl import egl
from renderer.pose import Pose, pose_at
from renderer.scene import Image, Matrices, Primitive, Scene, TextureInfo
from renderer.shapes import shape_at
from renderer.view import View

_AMBIENT = 0.35
_KEY_LIGHT = 3.0  # lux of the light at the camera


def render(scene: Scene, view: View) -> Frame:
    """One frame, "rgba8". Raises DeviceError without pyrender, ViewError for a wrong variant or any channel."""
    if view.channel is not None:
        raise ViewError("pyrender shows no channels: leave --backend out, or --channel")
    pyrender = _pyrender()
    pose = pose_at(scene, view.animation)
    seen = camera(view, bounds(scene, pose_at(scene, None)), bounds(scene, pose))
    chosen = variant_index(scene, view.variant)
    solid = view.background if not isinstance(view.background, str) else (0.0, 0.0, 0.0)
    stage = pyrender.Scene(bg_color=(*solid, float(not isinstance(view.background, str))), ambient_light=[_AMBIENT] * 3)
    for i, node in enumerate(scene.nodes):
        shown = node.mesh is not None and not pose.hidden[i]
        for primitive in scene.meshes[node.mesh or 0].primitives if shown else ():
            index = primitive.material if chosen is None else primitive.variants.get(chosen, primitive.material)
            shape, matrix = _shape(scene, pose, i, primitive)
            stage.add(pyrender.Mesh([_primitive(pyrender, scene, shape, index)]), pose=matrix)
    eye = np.linalg.inv(seen.world_to_camera)
    projection = seen.projection
    near = projection[2, 3] / (projection[2, 2] - 1)
    far = projection[2, 3] / (projection[2, 2] + 1)
    stage.add(pyrender.PerspectiveCamera(np.radians(view.fov), znear=near, zfar=far), pose=eye)
    stage.add(pyrender.DirectionalLight(intensity=_KEY_LIGHT), pose=eye)
    renderer = pyrender.OffscreenRenderer(view.width, view.height)
    try:
        pixels, _ = renderer.render(stage, flags=pyrender.RenderFlags.RGBA)
    finally:
        renderer.delete()
    return Frame(view.width, view.height, "rgba8", np.array(pixels, np.uint8), view)


def _shape(scene: Scene, pose: Pose, node: int, primitive: Primitive) -> tuple[Primitive, Matrices]:
    """What pyrender can draw of a primitive, and where: it knows no skins and no morph targets."""
    if shape_at(scene, node, primitive) is None:
        return primitive, pose.world[node]
    made = placed(scene, pose, node, primitive)
    arrays = {"positions": made.positions, "normals": made.normals, "texcoords": made.texcoords, "colors": made.colors}
    return replace(primitive, **arrays), np.eye(4)  # type: ignore[arg-type]


def _pyrender() -> Any:
    if "pyrender" not in sys.modules and "OpenGL" in sys.modules:
        raise DeviceError("pyrender cannot share a process with the native backend: both load OpenGL their own way")
    egl.select_platform()
    try:
        import pyrender
    except ImportError as error:
        raise DeviceError("pyrender is not installed; install the extra: pip install 'vitrine[bench]'") from error
    return pyrender


def _primitive(pyrender: Any, scene: Scene, primitive: Primitive, material: int) -> Any:
    uv = primitive.texcoords[0] if primitive.texcoords else None
    return pyrender.Primitive(
        positions=primitive.positions,
        normals=primitive.normals,
        texcoord_0=uv,
        color_0=primitive.colors,
        indices=primitive.indices,
        mode=int(primitive.mode),
        material=_material(pyrender, scene, material, textured=uv is not None),
    )


def _material(pyrender: Any, scene: Scene, index: int, *, textured: bool) -> Any:
    m = scene.materials[index]

    def texture(slot: str) -> Any:
        info = m.textures.get(slot)
        return _texture(pyrender, scene, info) if info and textured and info.texCoord == 0 else None

    def factor(name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        return m.factors.get(name, default)

    return pyrender.MetallicRoughnessMaterial(
        baseColorFactor=factor("baseColorFactor", (1.0, 1.0, 1.0, 1.0)),
        metallicFactor=factor("metallicFactor", (1.0,))[0],
        roughnessFactor=factor("roughnessFactor", (1.0,))[0],
        emissiveFactor=factor("emissiveFactor", (0.0, 0.0, 0.0)),
        baseColorTexture=texture("baseColorTexture"),
        metallicRoughnessTexture=texture("metallicRoughnessTexture"),
        emissiveTexture=texture("emissiveTexture"),
        alphaMode=m.alphaMode,
        doubleSided=m.doubleSided,
    )


def _texture(pyrender: Any, scene: Scene, info: TextureInfo) -> Any:
    image: Image = scene.images[scene.textures[info.texture].image]
    return pyrender.Texture(source=image.pixels, source_channels="RGBA")

"""What became of one file, and whether a scene keeps the promises that the rest of the renderer relies on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from renderer.bounds import bounds
from renderer.errors import SceneError
from renderer.gltf.buffers import FolderResolver
from renderer.gltf.reader import read_gltf
from renderer.limits import Budget, Limits
from renderer.pose import pose_at
from renderer.scene import Primitive, Scene
from renderer.view import AnimationState

#: Small, so that a file which claims much is refused; large enough for every seed.
LIMITS = Limits(
    file_bytes=4 << 20,
    json_bytes=1 << 20,
    json_depth=40,
    array_bytes=32 << 20,
    image_bytes=8 << 20,
    image_pixels=1 << 20,
    vertices=200_000,
    indices=600_000,
    nodes=1000,
    node_depth=100,
    items=5000,
    text_bytes=1 << 20,
    decoder_bytes=128 << 20,
    decoder_seconds=1.5,
)
ALLOWED = frozenset({"scene", "FormatError", "LimitError", "UnsupportedError"})
_LONGEST_MESSAGE = 500


def outcome(data: bytes, limits: Limits = LIMITS) -> str:
    """ "scene", the name of a SceneError, or what is wrong with its message; every other error goes through."""
    try:
        scene = read_gltf(data, "fuzz", FolderResolver(Path("/nonexistent")), Budget(limits))
    except SceneError as error:
        if "\n" in str(error) or len(str(error)) > _LONGEST_MESSAGE:
            return f"a message of {len(str(error))} characters: {str(error)[:100]!r}"
        return type(error).__name__
    check(scene)
    return "scene"


def check(scene: Scene) -> None:
    """AssertionError when a scene is not what `renderer.scene` promises; poses and bounds are made of it as well."""
    for mesh in scene.meshes:
        for primitive in mesh.primitives:
            _check_primitive(scene, primitive)
    for place, node in enumerate(scene.nodes):
        assert node.parent < place
        assert node.mesh is None or node.mesh < len(scene.meshes)
    for material in scene.materials:
        for info in material.textures.values():
            assert scene.textures[info.texture].image < len(scene.images)
    assert np.isfinite(bounds(scene, pose_at(scene, None))).all()
    for index in range(len(scene.animations)):
        pose_at(scene, AnimationState(index, 0.5))


def _check_primitive(scene: Scene, primitive: Primitive) -> None:
    count = len(primitive.positions)
    assert primitive.indices.max(initial=0) < count
    assert primitive.material < len(scene.materials)
    assert all(material < len(scene.materials) for material in primitive.variants.values())
    assert np.isfinite(primitive.positions).all()
    for array in (primitive.normals, primitive.tangents, primitive.colors, *primitive.texcoords):
        assert array is None or (len(array) == count and np.isfinite(array).all())
    if primitive.joints is not None:
        assert primitive.weights is not None
        assert primitive.joints.shape == primitive.weights.shape == (count, primitive.joints.shape[1])

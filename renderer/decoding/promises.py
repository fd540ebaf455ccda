"""What everybody relies on when given a Scene, checked of one that another process has made. Repairs nothing.

The codec has seen to types and finite numbers in the tree. Here: that every index is within what it points into, that
arrays have the shapes that `renderer.scene` promises, and that nothing is named that no declaration knows, since names
become parts of shaders.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from renderer import material as declared
from renderer.decoding.codec import Array
from renderer.limits import Limits
from renderer.scene import Animation, Image, Material, MorphTarget, Node, Primitive, Scene, Skin, Texture

#: Fields of lights, cameras and places that may move, with their components; a material's are its own.
_PATHS: dict[str, dict[str, int | None]] = {
    "node": {"translation": 3, "rotation": 4, "scale": 3, "weights": None, "visible": 1},
    "mesh": {"weights": None},
    "light": {"color": 3, "intensity": 1, "range": 1, "innerConeAngle": 1, "outerConeAngle": 1},
    "camera": {"yfov": 1, "znear": 1, "zfar": 1, "xmag": 1, "ymag": 1, "aspectRatio": 1},
}
_TRANSFORM = {"offset": 2, "rotation": 1, "scale": 2}
_FILTERS = (9728, 9729)
_MIPMAPS = (9984, 9985, 9986, 9987)
_WRAPS = (10497, 33071, 33648)


def check(scene: Scene, limits: Limits) -> None:
    """ValueError with what is broken; passing costs one look at every vertex and index."""
    _need(len(scene.nodes) <= limits.nodes + limits.items, "too many nodes")
    for index, node in enumerate(scene.nodes):
        _node(scene, index, node)
    for mesh in scene.meshes:
        for primitive in mesh.primitives:
            _primitive(scene, primitive)
    for material in scene.materials:
        _material(scene, material)
    for texture in scene.textures:
        _texture(scene, texture)
    for image in scene.images:
        _image(image, limits)
    for skin in scene.skins:
        _skin(scene, skin)
    for animation in scene.animations:
        _animation(scene, animation)


def _need(kept: bool, what: str) -> None:
    if not kept:
        raise ValueError(what)


def _within(index: int | None, items: tuple[object, ...], what: str) -> None:
    _need(index is None or 0 <= index < len(items), f"a {what} that does not exist")


def _node(scene: Scene, index: int, node: Node) -> None:
    _need(-1 <= node.parent < index, "a node before its parent")
    _within(node.mesh, scene.meshes, "mesh")
    _within(node.camera, scene.cameras, "camera")
    _within(node.light, scene.lights, "light")
    _within(node.skin, scene.skins, "skin")
    _within(node.instance_of, scene.nodes, "node")
    if node.matrix is not None:
        _shape(node.matrix, (4, 4), "matrix")
    if node.mesh is None or node.skin is None:
        return
    count = len(scene.skins[node.skin].joints)
    for primitive in scene.meshes[node.mesh].primitives:
        if primitive.joints is not None:
            _need(int(primitive.joints.max(initial=0)) < max(count, 1), "a joint that does not exist")


def _primitive(scene: Scene, primitive: Primitive) -> None:
    _need(primitive.positions.ndim == 2, "positions")
    count = len(primitive.positions)
    _shape(primitive.positions, (count, 3), "positions")
    _shape(primitive.normals, (count, 3), "normals")
    _shape(primitive.tangents, (count, 4), "tangents")
    _shape(primitive.colors, (count, 4), "colors")
    for coordinates in primitive.texcoords:
        _shape(coordinates, (count, 2), "texcoords")
    indices = primitive.indices
    _need(indices.ndim == 1 and (not indices.size or int(indices.max()) < count), "an index over its vertices")
    _within(primitive.material, scene.materials, "material")
    for variant, material in primitive.variants.items():
        _within(variant, scene.variants, "variant")
        _within(material, scene.materials, "material")
    _need((primitive.joints is None) == (primitive.weights is None), "joints without weights")
    if primitive.joints is not None:
        _need(primitive.joints.ndim == 2 and len(primitive.joints) == count, "joints")
        _shape(primitive.weights, primitive.joints.shape, "weights")
    for target in primitive.targets:
        _target(target, count)


def _target(target: MorphTarget, count: int) -> None:
    for array in (target.positions, target.normals, target.tangents):
        _shape(array, (count, 3), "morph target")
    for coordinates in target.texcoords:
        _shape(coordinates, (count, 2), "morph target")
    _shape(target.colors, (count, 4), "morph target")


def _material(scene: Scene, material: Material) -> None:
    factors, slots = declared.factors(), declared.slots()
    features = {declaration.feature for declaration in declared.declarations()}
    _need(material.features <= features, "a feature that nobody declares")
    for name, values in material.factors.items():
        _need(name in factors and len(values) == len(factors[name].default), "a factor that nobody declares")
    for name, info in material.textures.items():
        _need(name in slots, "a texture slot that nobody declares")
        _within(info.texture, scene.textures, "texture")
        _need(0 <= info.texCoord < 2, "texture coordinates that do not exist")
    _need(material.animated <= factors.keys() | slots.keys(), "an animated property that nobody declares")


def _texture(scene: Scene, texture: Texture) -> None:
    _within(texture.image, scene.images, "image")
    sampler = texture.sampler
    sound = sampler.magFilter in _FILTERS and sampler.minFilter in (*_FILTERS, *_MIPMAPS)
    _need(sound and sampler.wrapS in _WRAPS and sampler.wrapT in _WRAPS, "a sampler that nobody knows")


def _image(image: Image, limits: Limits) -> None:
    shape = image.pixels.shape
    sound = len(shape) == 3 and shape[2] == 4 and 0 < shape[0] * shape[1] <= limits.image_pixels
    _need(sound, f"a picture of {shape}")


def _skin(scene: Scene, skin: Skin) -> None:
    _need(skin.joints.ndim == 1, "joints")
    _shape(skin.inverseBindMatrices, (len(skin.joints), 4, 4), "inverse bind matrices")
    nodes = len(scene.nodes)
    _need(bool(((skin.joints >= 0) & (skin.joints < nodes)).all()), "a joint that does not exist")


def _animation(scene: Scene, animation: Animation) -> None:
    targets = {
        **{"node": len(scene.nodes), "mesh": len(scene.meshes), "material": len(scene.materials)},
        **{"light": len(scene.lights), "camera": len(scene.cameras)},
    }
    for channel in animation.channels:
        _need(0 <= channel.index < targets[channel.of], "an animated thing that does not exist")
        times, values = channel.times, channel.values
        rows = len(times) * (3 if channel.interpolation == "CUBICSPLINE" else 1)
        _need(times.ndim == 1 and len(times) > 0 and values.ndim == 2, "keys")
        _shape(values, (rows, values.shape[1]), "keys")
        _need(_finite(times) and bool((np.diff(times) >= 0).all()), "times that do not ascend")
        components = _components(channel.of, channel.path)
        alone = channel.component is not None
        _need(components is None or alone or values.shape[1] == components, "keys of another width")
        _need(not alone or values.shape[1] == 1, "keys of another width")
        _need(not alone or 0 <= (channel.component or 0) < (components or len(scene.nodes) + 65536), "a component")


def _components(of: str, path: str) -> int | None:
    """How many numbers a property has, None: any. ValueError when there is no such property."""
    if of in _PATHS:
        _need(path in _PATHS[of], "a property that nobody declares")
        return _PATHS[of][path]
    slot, _, part = path.partition(".")
    if part:
        _need(slot in declared.slots() and part in _TRANSFORM, "a property that nobody declares")
        return _TRANSFORM[part]
    _need(path in declared.factors(), "a property that nobody declares")
    return len(declared.factors()[path].default)


def _shape(array: Array | None, shape: Iterable[int], what: str) -> None:
    """That an array, where there is one, has a shape and only finite numbers."""
    if array is not None:
        _need(array.shape == tuple(shape), f"{what} of the shape {array.shape}")
        _need(_finite(array), f"{what} that are not finite")


def _finite(array: Array) -> bool:
    """NaN and infinity both show in the extremes, which take no memory to find."""
    if array.dtype.kind != "f" or not array.size:
        return True
    return bool(np.isfinite(array.min()) and np.isfinite(array.max()))

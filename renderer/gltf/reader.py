"""glTF 2.0 JSON → Scene: the order of the steps. The steps themselves are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from renderer.decoding.guard import Decoder, Guard
from renderer.errors import FormatError, LimitError, UnsupportedError
from renderer.extensions import FILE_EXTENSIONS, MATERIAL_EXTENSIONS
from renderer.gltf.accessors import Accessors
from renderer.gltf.animations import with_animations
from renderer.gltf.buffers import Buffers, Resolver
from renderer.gltf.container import Container, open_container
from renderer.gltf.geometry import read_mesh
from renderer.gltf.item import Item, clean
from renderer.gltf.materials import read_materials
from renderer.gltf.nodes import Hierarchy, read_hierarchy, read_nodes
from renderer.gltf.reading import Reading, Warnings
from renderer.gltf.skins import Fit, read_skins
from renderer.gltf.targets import Places
from renderer.gltf.textures import read_pictures
from renderer.limits import Budget
from renderer.pose import pose_at
from renderer.scene import Camera, Material, Mesh, Scene

#: No product is farther from its origin than this, in metres; a float32 has long lost its millimetres there.
_FARTHEST = 1e15


def supported_extensions() -> frozenset[str]:
    """Names of every extension this build reads."""
    return frozenset(MATERIAL_EXTENSIONS) | frozenset(FILE_EXTENSIONS)


@np.errstate(all="ignore")  # a file's numbers may overflow; every step checks what must be finite
def read_gltf(
    data: bytes | memoryview, name: str, resolver: Resolver, budget: Budget, decoder: Decoder | None = None
) -> Scene:
    """A GLB's or .gltf's bytes as a Scene called `name`.

    data: the model file, already charged to the budget. resolver: gives its side files. decoder: takes compressed
    items that can do harm; None keeps processes for them.
    Raises FormatError, LimitError or UnsupportedError; their messages do not name the file.
    """
    container = open_container(data, budget.limits)
    with Guard(budget.limits) if decoder is None else nullcontext(decoder) as guard:
        return _read(_begin(container, resolver, budget, guard), name)


def _read(reading: Reading, name: str) -> Scene:
    _check_count(reading)
    materials = read_materials(reading)
    textures, images = read_pictures(reading, materials)
    hierarchy = read_hierarchy(reading)
    used, meshes = _read_meshes(reading, hierarchy, materials)
    if not any(mesh.primitives for mesh in meshes):
        reading.warn("the scene shows nothing: it has no points, lines or triangles")
    if any(p.material == len(materials) for mesh in meshes for p in mesh.primitives):
        materials.append(Material(name="default"))
    skins, bones = read_skins(reading, hierarchy.shown, hierarchy.positions)
    scene = Scene(
        name=name,
        nodes=read_nodes(reading, hierarchy, used, skins, Fit(reading, meshes, bones)),
        meshes=meshes,
        materials=tuple(materials),
        textures=textures,
        images=images,
        cameras=tuple(_read_camera(reading, item) for item in reading.root.items("cameras")),
        skins=tuple(bones),
        extensions=reading.root.strings("extensionsUsed"),
        asset=_read_asset(reading.root.child("asset")),
    )
    scene = with_animations(reading, Places.of(_apply_extensions(reading, scene), hierarchy.positions, used))
    _check_places(scene)
    return replace(scene, warnings=reading.warnings.lines())


def _begin(container: Container, resolver: Resolver, budget: Budget, guard: Decoder) -> Reading:
    """Refuse unknown required extensions, warn of unknown optional ones."""
    root = container.root
    buffers = Buffers(root, container.binary, resolver, budget)
    used = frozenset(root.strings("extensionsUsed"))
    reading = Reading(root, budget, buffers, Accessors(root, buffers, budget), Warnings(), guard, used)
    for line in container.warnings:
        reading.warn(line)
    known = supported_extensions()
    required = root.strings("extensionsRequired")
    missing = sorted(set(required) - known)
    if missing:
        raise UnsupportedError(f"needs the extension {', '.join(missing[:5])}, which this build does not support")
    for extension in sorted(used - known):
        reading.warn(f"the optional extension {extension} is not supported and has no effect")
    return reading


def _check_count(reading: Reading) -> None:
    """Everything that costs time one by one is counted before the first of it is read."""
    root, most = reading.root, reading.budget.limits.items
    count = sum(map(root.count, ("materials", "textures", "samplers", "images", "cameras", "meshes", "animations")))
    count += sum(mesh.count("primitives") for mesh in root.items("meshes"))
    count += sum(moves.count("channels") + moves.count("samplers") for moves in root.items("animations"))
    if count <= most:
        count += sum(p.count("targets") for mesh in root.items("meshes") for p in mesh.items("primitives"))
    if count > most:
        raise LimitError(f"has {count:,} materials, textures, primitives, channels …; at most {most:,} are allowed")


def _read_meshes(
    reading: Reading, hierarchy: Hierarchy, materials: Sequence[Material]
) -> tuple[dict[int, int], tuple[Mesh, ...]]:
    """The meshes that drawn nodes use: the file's index of each → its place among them, and the meshes."""
    nodes = (reading.root.item("nodes", index) for index in hierarchy.shown)
    used = sorted({mesh for node in nodes if (mesh := node.index("mesh", "meshes")) is not None})
    return {mesh: place for place, mesh in enumerate(used)}, tuple(
        read_mesh(reading, reading.root.item("meshes", index), materials) for index in used
    )


def _read_camera(reading: Reading, item: Item) -> Camera:
    kind = item.choice("type", ("perspective", "orthographic"))
    lens = item.child(kind)
    znear, zfar = lens.number("znear"), lens.number("zfar") if lens.has("zfar") else None
    if zfar is not None and zfar <= znear:
        reading.warn(f"{lens.place} has zfar {zfar:g} ≤ znear {znear:g}: taken as infinitely far")
        zfar = None
    if kind == "orthographic":
        return Camera(item.name(), None, znear, zfar, lens.number("xmag"), lens.number("ymag"))
    yfov, aspect = lens.number("yfov"), lens.number("aspectRatio", 0.0)
    if not 0.0 < yfov < np.pi:
        raise FormatError(f"{lens.at('yfov')} is {yfov:g}, radians between 0 and π are needed")
    return Camera(item.name(), yfov, znear, zfar, aspectRatio=aspect if aspect > 0.0 else None)


def _read_asset(item: Item) -> dict[str, str]:
    """The texts of `asset` (version, generator, copyright …)."""
    return {clean(key): clean(value) for key, value in item.values.items() if isinstance(value, str)}


def _apply_extensions(reading: Reading, scene: Scene) -> Scene:
    """The hooks of extensions with an object at the file's root, such as the lists of lights and variants."""
    for extension in FILE_EXTENSIONS.values():
        if extension.scene and (given := reading.root.extension(extension.name)) is not None:
            scene = extension.scene(reading, given, scene)
    return scene


def _check_places(scene: Scene) -> None:
    """Transforms that are finite one by one may still multiply to something that is not."""
    pose = pose_at(scene, None)
    for index, (skin, joints) in enumerate(zip(scene.skins, pose.joints, strict=True)):
        if not bool((np.abs(joints) < _FARTHEST).all()):
            raise FormatError(f"the skin {index} {skin.name!r} is not finite or moves something beyond {_FARTHEST:g} m")
    world = pose.world
    sane = (np.abs(world) < _FARTHEST).all(axis=(1, 2))  # NaN compares false
    if not bool(sane.all()):
        index = int(np.argmin(sane))
        node = scene.nodes[index]
        raise FormatError(
            f"the transform of node {index} {node.name!r} is not finite or moves it beyond {_FARTHEST:g} m"
        )

"""KHR_animation_pointer: channels that move any property of the glTF object model, by its JSON pointer.

Nodes (place, weights, visibility), weights of meshes, declared factors and texture transforms of materials, lights and
cameras; a channel that points elsewhere is ignored with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from renderer.extensions.core import CORE
from renderer.extensions.declaration import FileExtension, MaterialExtension
from renderer.gltf.item import clean

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading
    from renderer.gltf.targets import Places, Target
    from renderer.scene import Animated, Material

_VISIBILITY = ["extensions", "KHR_node_visibility", "visible"]
_LIGHTS = ["extensions", "KHR_lights_punctual", "lights"]
_TRANSFORM = ["extensions", "KHR_texture_transform"]
_TRANSFORM_WIDTHS = {"offset": 2, "rotation": 1, "scale": 2}
_LIGHT_WIDTHS = {"color": 3, "intensity": 1, "range": 1}
_CONES = ("innerConeAngle", "outerConeAngle")
#: Type of camera → what of it may move.
_LENSES = {"perspective": ("aspectRatio", "yfov", "zfar", "znear"), "orthographic": ("xmag", "ymag", "zfar", "znear")}


def _resolve(reading: Reading, item: Item, places: Places) -> Target | None:
    pointer = item.string("pointer")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]
    found = None
    if steps[0] == "" and len(steps) > 3:
        found = _find(reading, item, places, steps[1:])
    if found is None:
        reading.warn(f"{item.place} points to {clean(pointer)}, which cannot be animated here: the channel is ignored")
    return found


def _find(reading: Reading, item: Item, places: Places, steps: Sequence[str]) -> Target | None:
    if steps[:3] == _LIGHTS and len(steps) > 4:
        return _of_light(places, steps[3], steps[4:])
    kind, index, rest = steps[0], steps[1], steps[2:]
    number = _number(index, item.root.count(kind) if kind in ("nodes", "meshes", "materials", "cameras") else 0)
    if number is None:
        return None
    if kind == "nodes":
        return _of_node(reading, item, places, number, rest)
    if kind == "meshes":
        return _of_mesh(places, number, rest)
    if kind == "materials":
        return _of_material(places.scene.materials[number], number, rest)
    return _of_camera(places, number, rest)


def _of_node(reading: Reading, item: Item, places: Places, node: int, rest: Sequence[str]) -> Target | None:
    if rest == _VISIBILITY:
        return _target("node", places.nodes[node], "visible", 1) if node in places.nodes else None
    if rest[0] not in ("translation", "rotation", "scale", "weights"):
        return None
    target = places.node(reading, item.place, node, rest[0])
    return _part(target, rest[1:])


def _of_mesh(places: Places, mesh: int, rest: Sequence[str]) -> Target | None:
    if rest[0] != "weights" or mesh not in places.meshes:
        return None
    count = places.mesh_targets(places.meshes[mesh])
    return _part(_target("mesh", places.meshes[mesh], "weights", count), rest[1:]) if count else None


def _part(target: Target | None, rest: Sequence[str]) -> Target | None:
    """The whole property, or of the weights a single one."""
    if target is None or not rest:
        return target
    component = _number(rest[0], target.width) if target.path == "weights" and len(rest) == 1 else None
    return None if component is None else _target(target.of, target.index, target.path, 1, component)


def _of_material(material: Material, index: int, rest: Sequence[str]) -> Target | None:
    declaration, keys = _declaration(material, rest)
    if declaration is None or not keys:
        return None
    if len(keys) == 1:
        factor = declaration.factors.get(keys[0])
        return None if factor is None else _target("material", index, keys[0], len(factor.default))
    slot, *inside = keys
    if slot not in declaration.textures or slot not in material.textures:
        return None
    extra = declaration.textures[slot].extra.get(inside[0])
    if extra is not None and len(inside) == 1:
        return _target("material", index, slot + inside[0][0].upper() + inside[0][1:], len(extra.default))
    if inside[:2] == _TRANSFORM and len(inside) == 3 and inside[2] in _TRANSFORM_WIDTHS:
        return _target("material", index, f"{slot}.{inside[2]}", _TRANSFORM_WIDTHS[inside[2]])
    return None


def _declaration(material: Material, rest: Sequence[str]) -> tuple[MaterialExtension | None, Sequence[str]]:
    """Who declares what a pointer into a material names, and the keys that remain."""
    from renderer.extensions import MATERIAL_EXTENSIONS

    if rest[0] == "pbrMetallicRoughness":
        return CORE, rest[1:]
    if rest[0] != "extensions" or len(rest) < 2:
        return CORE, rest
    declaration = MATERIAL_EXTENSIONS.get(rest[1])
    if declaration is None or declaration.feature not in material.features:
        return None, ()
    return declaration, rest[2:]


def _of_light(places: Places, index: str, rest: Sequence[str]) -> Target | None:
    light = _number(index, len(places.scene.lights))
    if light is None:
        return None
    if len(rest) == 2 and rest[0] == "spot" and rest[1] in _CONES:
        return _target("light", light, rest[1], 1)
    return _only(_LIGHT_WIDTHS, "light", light, rest)


def _of_camera(places: Places, index: int, rest: Sequence[str]) -> Target | None:
    kind = "orthographic" if places.scene.cameras[index].yfov is None else "perspective"
    if rest[0] != kind:
        return None
    return _only(dict.fromkeys(_LENSES[kind], 1), "camera", index, rest[1:])


def _only(widths: Mapping[str, int], of: Animated, index: int, rest: Sequence[str]) -> Target | None:
    known = len(rest) == 1 and rest[0] in widths
    return _target(of, index, rest[0], widths[rest[0]]) if known else None


def _target(of: Animated, index: int, path: str, width: int, component: int | None = None) -> Target:
    from renderer.gltf.targets import Target  # the reader imports the registry

    return Target(of, index, path, width, component)


def _number(text: str, count: int) -> int | None:
    """An array index below `count`, or None."""
    return int(text) if text.isdecimal() and len(text) < 10 and int(text) < count else None


EXTENSION = FileExtension("KHR_animation_pointer", target=_resolve)

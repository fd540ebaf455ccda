"""What animations change besides transforms: weights, materials, lights, cameras, visibility. Values in, data out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from renderer import material as material_block
from renderer.curves import Values
from renderer.linalg import Vector
from renderer.scene import Animated, Camera, Light, Material, Scene
from renderer.shapes import target_count

#: (kind, index) → (path, component, value [C]) of every channel that plays, in the file's order.
Changes: TypeAlias = dict[tuple[Animated, int], list[tuple[str, int | None, Values]]]
_HALF_TURN = np.pi / 2


def invisible(rest: NDArray[np.bool_], changes: Changes) -> NDArray[np.bool_]:
    """bool [nodes], the caller's own: the nodes that are switched off themselves."""
    switched = rest.copy()
    for (of, index), values in changes.items():
        for path, _, value in values if of == "node" else ():
            if path == "visible":
                switched[index] = value[0] < 0.5
    return switched


def morphing(scene: Scene) -> dict[int, int]:
    """Nodes whose mesh has morph targets → how many. Copies by instancing come after the node they repeat."""
    counts = [target_count(mesh) for mesh in scene.meshes]
    nodes = ((i, counts[n.mesh]) for i, n in enumerate(scene.nodes) if n.mesh is not None)
    return {index: count for index, count in nodes if count}


def weights(scene: Scene, nodes: Mapping[int, int], changes: Changes) -> dict[int, Vector]:
    """Weights [targets] of the nodes that `morphing` found, and of those that instancing repeats."""
    found: dict[int, Vector] = {}
    for index, count in nodes.items():
        source = scene.nodes[index].instance_of
        source = index if source is None else source
        if source not in found:
            found[source] = _node_weights(scene, index, source, count, changes)
        found[index] = found[source]
    return found


def _node_weights(scene: Scene, index: int, source: int, count: int, changes: Changes) -> Vector:
    """A node's own weights go before its mesh's. source: the node that animations name."""
    node = scene.nodes[index]
    mesh = node.mesh or 0
    rest = node.weights or scene.meshes[mesh].weights
    result = np.zeros(count)
    result[: len(rest)] = rest[:count]
    moves = changes.get(("node", source), [])
    if not node.weights:
        moves = changes.get(("mesh", mesh), []) + moves
    for path, component, value in moves:
        if path == "weights":
            result[slice(None) if component is None else slice(component, component + 1)] = value
    return result


def materials(scene: Scene, changes: Changes) -> dict[int, Material]:
    """The materials that differ from the scene's, by index."""
    return {i: _material(scene.materials[i], values) for (of, i), values in changes.items() if of == "material"}


def _material(material: Material, values: list[tuple[str, int | None, Values]]) -> Material:
    factors, textures = dict(material.factors), dict(material.textures)
    declared = material_block.factors()
    for path, _, value in values:
        slot, _, part = path.partition(".")
        if part:
            numbers = tuple(value.tolist())
            change: dict[str, object] = {part: numbers[0] if part == "rotation" else numbers}
            textures[slot] = replace(textures[slot], **change)  # type: ignore[arg-type]
        else:
            low, high = declared[path].minimum, declared[path].maximum
            factors[path] = tuple(np.clip(value, low, high).tolist())
    return replace(material, factors=factors, textures=textures)


def lights(scene: Scene, changes: Changes) -> dict[int, Light]:
    """The lights that differ from the scene's, by index."""
    return {i: _light(scene.lights[i], values) for (of, i), values in changes.items() if of == "light"}


def _light(light: Light, values: list[tuple[str, int | None, Values]]) -> Light:
    new = {path: np.maximum(value, 0.0).tolist() for path, _, value in values}
    outer = min(new.get("outerConeAngle", [light.outerConeAngle])[0], _HALF_TURN)
    red, green, blue = new.get("color", light.color)
    reach = new.get("range", [light.range or 0.0])[0]
    return replace(
        light,
        color=(red, green, blue),
        intensity=new.get("intensity", [light.intensity])[0],
        range=reach or None,  # as in files, 0 means no limit
        innerConeAngle=min(new.get("innerConeAngle", [light.innerConeAngle])[0], outer),
        outerConeAngle=outer,
    )


def cameras(scene: Scene, changes: Changes) -> Mapping[int, Camera]:
    """The cameras that differ from the scene's, by index."""
    return {
        i: replace(scene.cameras[i], **{path: float(value[0]) for path, _, value in values})  # type: ignore[arg-type]
        for (of, i), values in changes.items()
        if of == "camera"
    }

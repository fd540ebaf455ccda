"""KHR_lights_punctual: point, spot and directional lights that hang on nodes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from renderer.extensions.declaration import FileExtension
from renderer.scene import Light, Node, Scene

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading

NAME = "KHR_lights_punctual"
_ROUNDING = 1e-6
_TYPES = ("directional", "point", "spot")


def _read_lights(reading: Reading, item: Item, scene: Scene) -> Scene:
    return replace(scene, lights=tuple(_read_light(reading, light) for light in item.items("lights")))


def _read_light(reading: Reading, item: Item) -> Light:
    spot = item.child("spot")
    outer = _clamped(reading, spot, "outerConeAngle", math.pi / 4, math.pi / 2)
    r, g, b = item.numbers("color", 3, (1.0, 1.0, 1.0))
    return Light(
        name=item.name(),
        type=cast(Literal["directional", "point", "spot"], item.choice("type", _TYPES)),
        color=(r, g, b),
        intensity=_clamped(reading, item, "intensity", 1.0, math.inf),
        range=_clamped(reading, item, "range", 0.0, math.inf) or None,  # files write 0 for "no limit"
        innerConeAngle=_clamped(reading, spot, "innerConeAngle", 0.0, outer),
        outerConeAngle=outer,
    )


def _clamped(reading: Reading, item: Item, key: str, default: float, maximum: float) -> float:
    """A number in [0, maximum]; a rounding error beyond it is nothing to speak of, more is warned about."""
    value = item.number(key, default)
    clamped = min(max(value, 0.0), maximum)
    if abs(clamped - value) > _ROUNDING:
        reading.warn(f"{item.at(key)} is {value:g}, outside [0, {maximum:g}], and is clamped")
    return clamped


def _hang_on_node(_reading: Reading, item: Item, node: Node) -> Node:
    lights = item.root.child("extensions").child(NAME).count("lights")
    return replace(node, light=item.index_below("light", lights, "lights"))


EXTENSION = FileExtension(NAME, scene=_read_lights, node=_hang_on_node)

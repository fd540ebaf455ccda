"""KHR_lights_punctual: point, spot and directional lights that hang on nodes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from renderer.errors import FormatError
from renderer.extensions.declaration import FileExtension
from renderer.scene import Light, Node, Scene

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading

NAME = "KHR_lights_punctual"
_TYPES = ("directional", "point", "spot")


def _read_lights(_reading: Reading, item: Item, scene: Scene) -> Scene:
    return replace(scene, lights=tuple(_read_light(light) for light in item.items("lights")))


def _read_light(item: Item) -> Light:
    spot = item.child("spot")
    inner, outer = spot.number("innerConeAngle", 0.0), spot.number("outerConeAngle", math.pi / 4)
    if not 0.0 <= inner <= outer <= math.pi / 2:
        raise FormatError(f"{spot.place} has cone angles {inner:g} and {outer:g}, 0 ≤ inner ≤ outer ≤ π/2 is needed")
    distance = item.number("range") if item.has("range") else None
    intensity = item.number("intensity", 1.0)
    if intensity < 0.0 or (distance is not None and distance <= 0.0):
        raise FormatError(f"{item.place} has intensity {intensity:g} and range {distance}, ≥ 0 and > 0 are needed")
    r, g, b = item.numbers("color", 3, (1.0, 1.0, 1.0))
    return Light(
        name=item.name(),
        type=cast(Literal["directional", "point", "spot"], item.choice("type", _TYPES)),
        color=(r, g, b),
        intensity=intensity,
        range=distance,
        innerConeAngle=inner,
        outerConeAngle=outer,
    )


def _hang_on_node(_reading: Reading, item: Item, node: Node) -> Node:
    lights = item.root.child("extensions").child(NAME).count("lights")
    return replace(node, light=item.index_below("light", lights, "lights"))


EXTENSION = FileExtension(NAME, scene=_read_lights, node=_hang_on_node)

"""Vertex attributes by name: accessor → checked float32 array. Knows which types are allowed, not what numbers mean."""

from __future__ import annotations

from dataclasses import dataclass

from renderer.errors import FormatError
from renderer.extensions import FILE_EXTENSIONS
from renderer.gltf.accessors import BYTE, FLOAT, SHORT, UNSIGNED_BYTE, UNSIGNED_SHORT, Array
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading
from renderer.scene import Floats

_FRACTIONS = frozenset({FLOAT, UNSIGNED_BYTE, UNSIGNED_SHORT})
_SIGNED_FRACTIONS = _FRACTIONS | {BYTE, SHORT}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Accessor types and component types that an attribute may have. normalise: whole numbers are fractions anyway."""

    types: tuple[str, ...]
    components: frozenset[int] = frozenset({FLOAT})
    normalise: bool = False


#: Attributes of the core, specification §3.7.2.1.
ATTRIBUTES = {
    "POSITION": Allowed(("VEC3",)),
    "NORMAL": Allowed(("VEC3",)),
    "TANGENT": Allowed(("VEC4",)),
    "TEXCOORD_0": Allowed(("VEC2",), _FRACTIONS),
    "TEXCOORD_1": Allowed(("VEC2",), _FRACTIONS),
    "COLOR_0": Allowed(("VEC3", "VEC4"), _FRACTIONS, normalise=True),
}
#: What morph targets add to them, §3.7.2.2: differences, so signed ones too, and a tangent keeps its sign.
DISPLACEMENTS = {
    "POSITION": Allowed(("VEC3",)),
    "NORMAL": Allowed(("VEC3",)),
    "TANGENT": Allowed(("VEC3",)),
    "TEXCOORD_0": Allowed(("VEC2",), _SIGNED_FRACTIONS),
    "TEXCOORD_1": Allowed(("VEC2",), _SIGNED_FRACTIONS),
    "COLOR_0": Allowed(("VEC3", "VEC4"), _SIGNED_FRACTIONS, normalise=True),
}
WEIGHTS = Allowed(("VEC4",), _FRACTIONS, normalise=True)


def read_attribute(reading: Reading, attributes: Item, name: str, allowed: Allowed) -> Floats:
    """float32 [N, C] of one attribute; component types that need an extension the file does not name get a warning."""
    index = attributes.index(name, "accessors", required=True) or 0
    accessor = reading.accessors.item(index)
    accessor.choice("type", allowed.types)
    component = accessor.integer("componentType")
    known = (e.components.get(name, ()) for e in FILE_EXTENSIONS.values() if e.name in reading.extensions)
    if component not in allowed.components.union(*known):
        reading.warn(
            f"{accessor.place} holds {name} as component type {component}, which the file's extensions do not allow"
        )
    return reading.accessors.floats(index, normalise=allowed.normalise)


def same_length(attributes: Item, name: str, array: Array, count: int) -> None:
    """Raises FormatError when an attribute has not as many elements as the primitive has positions."""
    if len(array) != count:
        raise FormatError(f"{attributes.at(name)} has {len(array):,} elements, POSITION has {count:,}")

"""How a primitive's vertices lie in a model's buffers. Plain data, shared by upload and draw lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from renderer.scene import Primitive
from renderer.shapes import Shape


@dataclass(frozen=True, slots=True)
class Layout:
    """Which inputs a primitive's vertices have; primitives of one layout share buffers and shader programs.

    deformed: the device makes the vertices anew for each pose (`passes/deform.py`).
    """

    normal: bool
    tangent: bool
    texcoords: int
    color: bool
    deformed: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a primitive lies in its layout's buffers. first_index counts uint32 words."""

    layout: Layout
    base_vertex: int
    first_index: int
    count: int


#: Where each primitive lies, by its id() and the shape that it is deformed to, if it is.
Slices: TypeAlias = Mapping[tuple[int, Shape | None], Slice]


def layout_of(primitive: Primitive, *, deformed: bool = False) -> Layout:
    """The layout of a primitive's vertices."""
    return Layout(
        primitive.normals is not None,
        primitive.tangents is not None,
        len(primitive.texcoords),
        primitive.colors is not None,
        deformed,
    )

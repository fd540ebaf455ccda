"""How a primitive's vertices lie in a model's buffers. Plain data, shared by upload and draw lists."""

from __future__ import annotations

from dataclasses import dataclass

from renderer.scene import Primitive


@dataclass(frozen=True, slots=True)
class Layout:
    """Which inputs a primitive's vertices have; primitives of one layout share buffers and shader programs."""

    normal: bool
    tangent: bool
    texcoords: int
    color: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a primitive lies in its layout's buffers. first_index counts uint32 words."""

    layout: Layout
    base_vertex: int
    first_index: int
    count: int


def layout_of(primitive: Primitive) -> Layout:
    """The layout of a primitive's vertices."""
    return Layout(
        primitive.normals is not None,
        primitive.tangents is not None,
        len(primitive.texcoords),
        primitive.colors is not None,
    )

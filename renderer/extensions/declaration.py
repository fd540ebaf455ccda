"""The vocabulary in which a material extension is declared; what the reader parses and the shader sees follows from it.

A material extension is one small pair of files, `khr_materials_x.py` and `khr_materials_x.glsl`, and one line in the
registry (`renderer/extensions/__init__.py`). The declaration gives its JSON keys; every factor becomes a member
`u_<key>` of the `Material` uniform block and every texture a function `sample_<key>()`. The GLSL file defines the hooks
that the declaration names, called innermost extension first (see docs/extensions.md):

    info        void x_info(inout Surface s)                 fills the extension's own globals, may change the surface
    prepare     void x_prepare(inout Surface s)              changes it for what follows, in the rasteriser alone
    reflection  vec3 x_reflection(Surface s, vec3 radiance)  replaces what the own lobe sees of the environment
    lobe        float x_lobe(Surface s, vec3 l, vec3 h, float lobe)  replaces D · V of that lobe for a punctual light
    diffuse     vec4 x_diffuse(Surface s, vec4 diffuse)      replaces what leaves from below the surface; a: coverage
    layer       vec4 x_layer(Surface s, vec4 below)          lies over everything so far

Its channels are its inputs as debug pictures (`renderer/channels.py`, docs/channels.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:  # the reader imports this module
    import numpy as np
    from numpy.typing import NDArray

    from renderer.gltf.buffers import Buffers
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading
    from renderer.gltf.targets import Places, Target
    from renderer.scene import Material, Node, Primitive, Scene, TextureInfo


Hook = Literal["info", "prepare", "reflection", "lobe", "diffuse", "layer"]


@dataclass(frozen=True, slots=True)
class Factor:
    """A number or vector of a material. The reader clamps values to [minimum, maximum] (None = unbounded) and warns."""

    default: tuple[float, ...]
    minimum: float | None = 0.0
    maximum: float | None = 1.0


@dataclass(frozen=True, slots=True)
class TextureSlot:
    """A texture of a material. extra: a factor inside the textureInfo object ("scale", "strength"), by its JSON key.

    It is stored as factor `<slot><Extra>`, e.g. `normalTextureScale`. neutral: what the path tracer, whose materials
    share one shader, reads where a material has no such texture.
    """

    encoding: Literal["srgb", "linear"]
    extra: Mapping[str, Factor] = field(default_factory=dict)
    neutral: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)


#: How a channel is written. "color": linear RGB as sRGB. "scalar": grey. "direction": a unit world vector n as
#: 0.5 + 0.5 n. "length": metres as a share of the diagonal of the model's box, grey. "share": three numbers in [0, 1].
ChannelKind: TypeAlias = Literal["color", "scalar", "direction", "length", "share"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One input of a material as a picture, evaluated for `Surface s` after every info hook.

    glsl: an expression; float for "scalar" and "length", else vec3. It may call `sample_<slot>()` whether or not the
    material has that texture: white stands for a missing one. white: the value of a "scalar" that is shown as white.
    absent: the expression for materials without the extension; None leaves them black.
    """

    kind: ChannelKind
    glsl: str
    white: float = 1.0
    absent: str | None = None


@dataclass(frozen=True, slots=True)
class MaterialExtension:
    """One material extension. feature: the shader define and hook prefix (`CLEARCOAT` → `clearcoat_info`)."""

    name: str
    feature: str
    factors: Mapping[str, Factor] = field(default_factory=dict)
    textures: Mapping[str, TextureSlot] = field(default_factory=dict)
    hooks: frozenset[Hook] = frozenset()
    glsl: str | None = None
    channels: Mapping[str, Channel] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DerivedTexture:
    """A texture of the file through a function of pixels: uint8 [height, width, 4] → a new array of the same shape.

    make: comparable, so that materials which say the same share one picture.
    """

    texture: int
    make: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class MaterialConversion:
    """A material in other terms than ours. declaration: what the reader reads of it, under its own names.

    convert: (reading, the material so far, given factors, given textures) → the material in our terms.
    """

    declaration: MaterialExtension
    convert: Callable[[Reading, Material, Mapping[str, tuple[float, ...]], Mapping[str, TextureInfo]], Material]


@dataclass(frozen=True, slots=True)
class FileExtension:
    """One extension that is not a material's: hooks that the reader calls where the file uses it.

    Each hook gets the reading, the extension's own JSON object and the value read so far, and returns the value to go
    on with.

    scene: the object at the file's root. node: at a node. primitive: at a primitive, its arrays read, tangents not yet
    derived. copies: at a node; gets a node that would draw its mesh below it, and returns what to draw instead, at most
    as many nodes as the number says. target: at the target of an animation's channel, which it resolves; None where
    nothing drawn moves.
    buffer_view: at a buffer view whose bytes it decodes. accessors: at a primitive, whose item it gets as well: by
    index, what accessors hold for this primitive, [count, components] in their component type. material: at a material.
    texture_info: at a use of a texture by a material. texture_source: its `source` replaces that of a texture.
    components: attribute semantic → component types it allows beyond the core's.
    """

    name: str
    scene: Callable[[Reading, Item, Scene], Scene] | None = None
    node: Callable[[Reading, Item, Node], Node] | None = None
    copies: Callable[[Reading, Item, Node, int], Sequence[Node]] | None = None
    target: Callable[[Reading, Item, Places], Target | None] | None = None
    primitive: Callable[[Reading, Item, Primitive], Primitive] | None = None
    buffer_view: Callable[[Buffers, Item], memoryview] | None = None
    accessors: Callable[[Reading, Item, Item], Mapping[int, NDArray[Any]]] | None = None
    material: MaterialConversion | None = None
    texture_info: Callable[[Reading, Item, TextureInfo], TextureInfo] | None = None
    texture_source: bool = False
    components: Mapping[str, frozenset[int]] = field(default_factory=dict)

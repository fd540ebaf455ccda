"""A model as plain frozen data: what the readers make and `upload.py` turns into GPU objects. No GL, no files.

Axes: glTF's. Right-handed, +Y up, metres, counter-clockwise front faces. Matrices are column-vector
(`world = parent @ local`, translation in `[:3, 3]`). Quaternions are glTF's (x, y, z, w). Colours are linear Rec. 709
unless a field says sRGB. Names of material properties keep glTF's own spelling, from the JSON key to the GLSL field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Matrices: TypeAlias = NDArray[np.float64]
AlphaMode: TypeAlias = Literal["OPAQUE", "MASK", "BLEND"]
Animated: TypeAlias = Literal["node", "mesh", "material", "light", "camera"]
Interpolation: TypeAlias = Literal["LINEAR", "STEP", "CUBICSPLINE"]


class Mode(IntEnum):
    """glTF primitive modes; the numbers are OpenGL's own."""

    POINTS = 0
    LINES = 1
    LINE_LOOP = 2
    LINE_STRIP = 3
    TRIANGLES = 4
    TRIANGLE_STRIP = 5
    TRIANGLE_FAN = 6


@dataclass(frozen=True, slots=True)
class Sampler:
    """glTF sampler; the numbers are OpenGL's enums, the defaults glTF's."""

    magFilter: int = 9729  # LINEAR
    minFilter: int = 9987  # LINEAR_MIPMAP_LINEAR
    wrapS: int = 10497  # REPEAT
    wrapT: int = 10497


@dataclass(frozen=True, eq=False, slots=True)
class Image:
    """Decoded picture: uint8 [height, width, 4], top row first, encoded as stored (sRGB or linear is the slot's
    business)."""

    name: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Texture:
    """An image seen through a sampler."""

    image: int
    sampler: Sampler = Sampler()


@dataclass(frozen=True, slots=True)
class TextureInfo:
    """One use of a texture by a material; offset, rotation (radians) and scale are KHR_texture_transform's."""

    texture: int
    texCoord: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Row-major 2×3 affine on (u, v, 1): translation · rotation · scale.

        v points down the picture, so counter-clockwise has its sine below.
        """
        c, s = math.cos(self.rotation), math.sin(self.rotation)
        (x, y), (sx, sy) = self.offset, self.scale
        return (c * sx, s * sy, x, -s * sx, c * sy, y)


@dataclass(frozen=True, slots=True)
class Material:
    """Factors and texture uses by glTF key; a key that is absent has the default of its declaration in
    `renderer.extensions`.

    factors: e.g. ``{"baseColorFactor": (1, 1, 1, 1), "clearcoatFactor": (0.5,)}``.
    textures: e.g. ``{"baseColorTexture": TextureInfo(0)}``.
    features: shader features switched on by the material's extensions, e.g. ``{"CLEARCOAT", "UNLIT"}``.
    animated: the factors and texture slots that an animation of the file may change.
    """

    name: str = ""
    alphaMode: AlphaMode = "OPAQUE"
    doubleSided: bool = False
    factors: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    textures: Mapping[str, TextureInfo] = field(default_factory=dict)
    features: frozenset[str] = frozenset()
    animated: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False, slots=True)
class MorphTarget:
    """What is added to a primitive's arrays at weight 1; None where the target leaves an attribute alone.

    positions, normals, tangents: float32 [N, 3] (a tangent's sign never changes). texcoords: float32 [N, 2] by set.
    colors: float32 [N, 4].
    """

    positions: Floats | None = None
    normals: Floats | None = None
    tangents: Floats | None = None
    texcoords: tuple[Floats | None, ...] = ()
    colors: Floats | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Skin:
    """Bones. joints: [J], indices into `Scene.nodes`. inverseBindMatrices: float64 [J, 4, 4], model at rest → joint."""

    name: str
    joints: NDArray[np.intp]
    inverseBindMatrices: Matrices


@dataclass(frozen=True, eq=False, slots=True)
class Primitive:
    """One drawable: vertex arrays that all share length N, and indices.

    positions: float32 [N, 3], metres. normals: float32 [N, 3], unit, or None for points and lines without them.
    tangents: float32 [N, 4], w is the bitangent's sign, or None when the material has no normal map.
    texcoords: TEXCOORD_0, TEXCOORD_1 (missing sets are simply absent), float32 [N, 2].
    colors: float32 [N, 4] linear, or None. indices: uint32 [M], always present (the reader makes them), < N.
    material: index into `Scene.materials` (always valid; the reader appends glTF's default material when needed).
    variants: variant index → material index.
    joints: uint16 [N, K], places in a skin's `joints`; weights: float32 [N, K], rows ≥ 0 with sum 1; both or neither.
    targets: morph targets, in the order of the weights of mesh and node.
    flat: the normals are the triangles' own, whatever their shape becomes; vertices then come in threes, in order.
    """

    mode: Mode
    positions: Floats
    indices: NDArray[np.uint32]
    material: int
    normals: Floats | None = None
    tangents: Floats | None = None
    texcoords: tuple[Floats, ...] = ()
    colors: Floats | None = None
    variants: Mapping[int, int] = field(default_factory=dict)
    joints: NDArray[np.uint16] | None = None
    weights: Floats | None = None
    targets: tuple[MorphTarget, ...] = ()
    flat: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Mesh:
    """Primitives drawn together at each node that names the mesh. weights: of the morph targets, at rest."""

    name: str
    primitives: tuple[Primitive, ...]
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera of the file. yfov in radians, or None for an orthographic one with half-sizes xmag, ymag in metres."""

    name: str
    yfov: float | None
    znear: float
    zfar: float | None
    xmag: float = 1.0
    ymag: float = 1.0
    aspectRatio: float | None = None


@dataclass(frozen=True, slots=True)
class Light:
    """KHR_lights_punctual: shines along the node's local -Z.

    intensity in candela (point, spot) or lux (directional).
    """

    name: str
    type: Literal["directional", "point", "spot"]
    color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    intensity: float = 1.0
    range: float | None = None
    innerConeAngle: float = 0.0
    outerConeAngle: float = 0.7853981633974483


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One node. Its local transform is `matrix` when given, else translation · rotation · scale.

    parent: index of the parent node, -1 for a root. matrix: float64 [4, 4] or None.
    skin: index into `Scene.skins`; a skinned mesh ignores its node's transform. weights: of the mesh's morph targets at
    rest, empty: the mesh's own. visible: false hides the node and everything below it.
    instance_of: for a copy made by EXT_mesh_gpu_instancing the node that it repeats, else None.
    """

    name: str
    parent: int
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    matrix: Matrices | None = None
    mesh: int | None = None
    camera: int | None = None
    light: int | None = None
    skin: int | None = None
    weights: tuple[float, ...] = ()
    visible: bool = True
    instance_of: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Channel:
    """One animated property: `path` of the item `index` of the kind `of`. times: float32 [K] seconds, ascending.

    path: a node's translation, rotation, scale, weights or visible; a mesh's weights; a material's factor by its key
    ("baseColorFactor") or part of a texture transform ("normalTexture.offset", ".rotation", ".scale"); a field of a
    light or a camera. values: float32 [K, C], [3K, C] for CUBICSPLINE (in-tangent, value, out-tangent).
    component: the one number of the property that moves (then C = 1), or None for all of them.
    """

    index: int
    path: str
    interpolation: Interpolation
    times: Floats
    values: Floats
    of: Animated = "node"
    component: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Animation:
    """Channels that play together. duration: seconds, the largest key time."""

    name: str
    channels: tuple[Channel, ...]
    duration: float


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """Everything that one model shows.

    nodes: only those of the scene that is drawn, parents before children. variants: names, by variant index.
    warnings: one line each, e.g. an optional extension this build does not know. extensions: names used by the file.
    """

    name: str
    nodes: tuple[Node, ...]
    meshes: tuple[Mesh, ...]
    materials: tuple[Material, ...]
    textures: tuple[Texture, ...] = ()
    images: tuple[Image, ...] = ()
    cameras: tuple[Camera, ...] = ()
    lights: tuple[Light, ...] = ()
    animations: tuple[Animation, ...] = ()
    skins: tuple[Skin, ...] = ()
    variants: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    asset: Mapping[str, str] = field(default_factory=dict)

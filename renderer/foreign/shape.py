"""What the readers of foreign formats give: shapes in float64, looks, and where they stand. No Scene, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from renderer.errors import LimitError
from renderer.gltf.item import clean
from renderer.limits import Budget
from renderer.scene import Floats, Image, Material, Sampler, Texture

#: Both sides are drawn: these formats often have triangles the wrong way round.
DEFAULT = Material(
    "default",
    doubleSided=True,
    factors={"baseColorFactor": (0.6, 0.6, 0.6, 1.0), "metallicFactor": (0.0,), "roughnessFactor": (0.5,)},
)
#: How a picture goes on beyond its edges unless a format says otherwise.
REPEAT = Sampler()
#: Under colours of vertices or faces, which multiply it.
_COLOURED = replace(DEFAULT, name="colours", factors={**DEFAULT.factors, "baseColorFactor": (1.0, 1.0, 1.0, 1.0)})
_BLENDED = replace(_COLOURED, alphaMode="BLEND")


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """Triangles or points that share a material.

    positions: float64 [N, 3], the file's unit. faces: int64 [F, 3] below N, or None for points. normals: [N, 3] of the
    file, or None. uv: [N, 2] with glTF's v, which grows down the picture. colors: float32 linear [N, 4];
    face_colors: the same, [F, 4]; at most one of them. material: of `Draft.materials`, None: the default.
    """

    positions: NDArray[np.float64]
    faces: NDArray[np.int64] | None
    normals: NDArray[np.float64] | None = None
    uv: Floats | None = None
    colors: Floats | None = None
    face_colors: Floats | None = None
    material: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """One use of a mesh. matrix: float64 [4, 4], column vectors, from the mesh to the file's world."""

    name: str
    mesh: int
    matrix: NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """A whole file. metres: of its unit, None when the format has none. up: which of its axes points up."""

    meshes: Sequence[tuple[str, Sequence[Shape]]]
    places: Sequence[Place]
    metres: float | None = None
    up: Literal["X", "Y", "Z"] = "Y"


@dataclass(slots=True)
class Draft:
    """What grows while a file is read."""

    budget: Budget
    warnings: list[str] = field(default_factory=list)
    materials: list[Material] = field(default_factory=lambda: [DEFAULT])
    images: list[Image] = field(default_factory=list)
    textures: list[Texture] = field(default_factory=list)

    def material(self, material: Material) -> int:
        """The index of a new material. Raises LimitError when there are too many."""
        if len(self.materials) >= self.budget.limits.items:
            raise LimitError(f"has more than {self.budget.limits.items:,} materials")
        self.materials.append(material)
        return len(self.materials) - 1

    def texture(self, name: str, pixels: NDArray[np.uint8], sampler: Sampler = REPEAT) -> int:
        """A new texture of a picture, uint8 [height, width, 4]."""
        self.images.append(Image(clean(name), np.ascontiguousarray(pixels)))
        self.textures.append(Texture(len(self.images) - 1, sampler))
        return len(self.textures) - 1

    def coloured(self, alpha: float) -> int:
        """The default material under colours whose lowest alpha is `alpha`."""
        made = _BLENDED if alpha < 1.0 else _COLOURED
        return self.materials.index(made) if made in self.materials else self.material(made)


def linear(colors: NDArray[Any]) -> Floats:
    """sRGB [N, 3 or 4], uint8 or float in 0..1 → float32 linear [N, 4] (IEC 61966-2-1); alpha as it is."""
    values = np.ones((len(colors), 4))
    given = np.asarray(colors, np.float64)[:, :4]
    values[:, : given.shape[1]] = given / (255.0 if np.issubdtype(colors.dtype, np.integer) else 1.0)
    values = np.clip(np.nan_to_num(values), 0.0, 1.0)
    rgb = values[:, :3]
    values[:, :3] = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return values.astype(np.float32)

"""How far one output may go, from everything to nothing, and what comes of each plan. Judges no result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from publishing.geometry import reorder, shapes_of, store, weld
from publishing.gltf import Document, Json, drop_extension
from publishing.pack import pack
from publishing.quantise import Precision
from publishing.simplify import simplify
from publishing.textures import replace_images

#: Extensions that change what our renderer draws, and that three.js does not read.
NOT_IN_THREE = frozenset(
    {
        "KHR_materials_pbrSpecularGlossiness",
        "KHR_materials_diffuse_transmission",
        "KHR_node_visibility",
        "KHR_animation_pointer",
    }
)
#: What three.js as `<model-viewer>` sets it up can read where a file requires it; no decoder of meshoptimizer's.
_IN_THREE = frozenset(
    {
        "EXT_mesh_gpu_instancing",
        "EXT_texture_avif",
        "EXT_texture_webp",
        "KHR_draco_mesh_compression",
        "KHR_lights_punctual",
        "KHR_materials_anisotropy",
        "KHR_materials_clearcoat",
        "KHR_materials_dispersion",
        "KHR_materials_emissive_strength",
        "KHR_materials_ior",
        "KHR_materials_iridescence",
        "KHR_materials_sheen",
        "KHR_materials_specular",
        "KHR_materials_transmission",
        "KHR_materials_unlit",
        "KHR_materials_variants",
        "KHR_materials_volume",
        "KHR_mesh_quantization",
        "KHR_texture_basisu",
        "KHR_texture_transform",
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to a source. precision: None rounds nothing. ordered: whether vertices and triangles may move.

    triangles: to simplify to, None for all. compress: with meshoptimizer, whose decoder not every viewer has.
    """

    name: str
    pictures: bool = False
    precision: Precision | None = None
    ordered: bool = True
    triangles: int | None = None
    small: bool = False
    compress: bool = True

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done, for reports."""
        said = (
            (self.triangles is not None, "simplified"),
            (self.pictures, "pictures recoded"),
            (self.precision is not None, "vertices quantised"),
            (self.ordered, "vertices welded and ordered"),
            (True, "unused and repeated data left out"),
            (self.compress, "meshopt"),
        )
        return tuple(text for done, text in said if done)


def ladder(precision: Precision, *, small: bool, compress: bool = True) -> Iterator[Plan]:
    """From the most that can be done to what changes no value; each step down takes one thing back."""
    yield Plan("everything", True, precision, small=small, compress=compress)
    yield Plan("pictures as they came", False, precision, small=small, compress=compress)
    yield Plan("values as they came", False, None, small=small, compress=compress)
    yield Plan("order as it came", False, None, ordered=False, compress=compress)


def build(source: Document, pictures: Mapping[int, bytes], plan: Plan) -> bytes:
    """The GLB of a plan. Leaves the source as it is. Raises a SceneError for attributes that do not fit each other."""
    document = source.copy()
    if plan.pictures:
        replace_images(document, pictures)
    if not plan.ordered:
        return pack(document, {}, compress=plan.compress)
    shapes = shapes_of(document)
    for group in shapes.by_mesh:
        for shape in group:
            weld(shape)
    if plan.triangles is not None:
        simplify(shapes, plan.triangles)
    for group in shapes.by_mesh:
        for shape in group:
            reorder(shape, small=plan.small)
    store(shapes, plan.precision)
    return pack(document, shapes.packed if plan.compress else {}, compress=plan.compress)


def for_three(source: Document) -> Document:
    """A copy without what three.js would not show; comparing it with the source tells whether that matters."""
    document = source.copy()
    _strip(document.json)
    for animation in document.items("animations"):
        channels: list[Json] = animation.get("channels") or []
        animation["channels"] = [c for c in channels if (c.get("target") or {}).get("path") != "pointer"]
    animations = [animation for animation in document.items("animations") if animation["channels"]]
    document.json.pop("animations", None)
    if animations:
        document.json["animations"] = animations
    for key in ("extensionsUsed", "extensionsRequired"):
        names = [name for name in document.json.pop(key, None) or [] if name not in NOT_IN_THREE]
        if names:
            document.json[key] = names
    return document


def _strip(value: object) -> None:
    if isinstance(value, dict):
        for name in NOT_IN_THREE & set(value.get("extensions") or ()):
            drop_extension(value, name)
        for one in value.values():
            _strip(one)
    elif isinstance(value, list):
        for one in value:
            _strip(one)


def unreadable_in_three(required: Iterable[str]) -> list[str]:
    """Those of the extensions that a file requires which three.js does not have."""
    return sorted(set(required) - _IN_THREE)

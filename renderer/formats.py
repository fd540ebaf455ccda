"""STL, OBJ, PLY, OFF and 3MF → Scene, through trimesh, imported only when such a file comes. No glTF."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer import threemf
from renderer.errors import FormatError, LimitError, SceneError, UnsupportedError
from renderer.gltf.buffers import Resolver
from renderer.gltf.images import decode, open_charged
from renderer.gltf.item import clean
from renderer.gltf.vertices import flat_normals, unit
from renderer.limits import Budget
from renderer.scene import Floats, Image, Material, Mesh, Mode, Node, Primitive, Scene, Texture, TextureInfo

FOREIGN_SUFFIXES = (".stl", ".obj", ".ply", ".off", ".3mf")

#: Formats of machines, whose +Z is up; turned so that +Y is.
_Z_UP = frozenset({".stl", ".3mf"})
_TURN_Z_UP = (-math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5))
#: Metres per unit, for formats that say their unit (3MF; its own default is the millimetre).
_METRES = {"micron": 1e-6, "millimeter": 1e-3, "centimeter": 1e-2, "inch": 0.0254, "foot": 0.3048, "meter": 1.0}
#: Surfaces that meet at less than this angle are smoothed where a file gives no normals.
_CREASE = math.radians(30)
#: Above this many triangles trimesh's smoothing takes seconds; each triangle then has its own normal.
_SMOOTHED_TRIANGLES = 200_000
#: Both sides are drawn: these formats often have triangles the wrong way round.
_DEFAULT = Material(
    "default",
    doubleSided=True,
    factors={"baseColorFactor": (0.6, 0.6, 0.6, 1.0), "metallicFactor": (0.0,), "roughnessFactor": (0.5,)},
)


@np.errstate(all="ignore")  # as in `read_gltf`
def read_foreign(data: bytes, name: str, suffix: str, resolver: Resolver, budget: Budget) -> Scene:
    """A model in one of `FOREIGN_SUFFIXES` as a Scene. Raises a SceneError whose message does not name the file."""
    if len(data) > budget.limits.text_bytes:
        raise LimitError(f"{len(data):,} bytes, at most {budget.limits.text_bytes:,} are allowed in a {suffix} file")
    if suffix == ".3mf":
        threemf.check(data, budget.limits)
    try:
        return _read(data, name, suffix, _SideFiles(resolver, budget), budget)
    except SceneError:
        raise
    except ImportError as error:  # trimesh asks for a package that guesses encodings
        raise FormatError(f"not a readable {suffix} file: neither what its format says nor UTF-8 text") from error
    except Exception as error:  # on broken files trimesh lets out any kind of error, while parsing or later
        text = clean(" ".join(str(error).split()))[:120]
        raise FormatError(f"not a readable {suffix} file: {text or type(error).__name__}") from error


def _read(data: bytes, name: str, suffix: str, side_files: _SideFiles, budget: Budget) -> Scene:
    loaded = _load(data, suffix, side_files)
    draft = _Draft(budget, list(side_files.missing))
    meshes = {key: _mesh(draft, key, shape) for key, shape in loaded.geometry.items()}
    if not any(mesh.primitives for mesh in meshes.values()):
        raise FormatError("holds no points and no triangles")
    order = {key: position for position, key in enumerate(meshes)}
    placed = [(frame, *loaded.graph[frame]) for frame in loaded.graph.nodes_geometry]
    children = (Node(clean(str(frame)), 0, matrix=_place(matrix), mesh=order[key]) for frame, matrix, key in placed)
    return Scene(
        name=name,
        nodes=(_root(suffix, loaded, draft), *children),
        meshes=tuple(meshes.values()),
        materials=tuple(draft.materials),
        textures=tuple(Texture(image) for image in range(len(draft.images))),
        images=tuple(draft.images),
        warnings=tuple(dict.fromkeys(draft.warnings)),
        asset={"generator": f"trimesh from {suffix[1:].upper()}"},
    )


@dataclass(slots=True)
class _Draft:
    """What grows while shapes are converted. pictures: id of a trimesh picture → image index."""

    budget: Budget
    warnings: list[str]
    materials: list[Material] = field(default_factory=lambda: [_DEFAULT])
    images: list[Image] = field(default_factory=list)
    pictures: dict[int, int] = field(default_factory=dict)


class _SideFiles:
    """What trimesh takes for a resolver: material files, and pictures whose header has been checked."""

    def __init__(self, resolver: Resolver, budget: Budget) -> None:
        self._resolver = resolver
        self._budget = budget
        self.missing: list[str] = []

    def get(self, name: str) -> bytes:
        """The bytes of a side file; trimesh goes on without those that fail, so each is noted for a warning."""
        left = self._budget.limits.text_bytes - self._budget.used("file_bytes")
        try:
            data = self._resolver.read(name.strip(), max(left, 0))
            self._budget.take("file_bytes", len(data), name)
            if not name.strip().lower().endswith(".mtl"):
                open_charged(data, clean(name), self._budget).close()
        except SceneError as error:
            self.missing.append(f"{error}")
            raise FileNotFoundError(name) from error
        return data

    __getitem__ = get


def _load(data: bytes, suffix: str, side_files: Any) -> Any:
    """The file as a `trimesh.Scene`; trimesh asks `side_files` (a `_SideFiles`) for the rest."""
    import trimesh

    kind = suffix[1:]
    if kind not in trimesh.available_formats():
        raise UnsupportedError(f"{kind} files need the packages lxml and networkx, which are not installed")
    return trimesh.load_scene(io.BytesIO(data), file_type=kind, resolver=side_files, process=False)


def _place(matrix: Any) -> NDArray[np.float64]:
    """float64 [4, 4], finite and affine."""
    placed = np.array(matrix, np.float64)
    if placed.shape != (4, 4) or not np.isfinite(placed).all():
        raise FormatError("places a part by a transform that is not finite")
    placed[3] = (0.0, 0.0, 0.0, 1.0)
    return placed


def _root(suffix: str, loaded: Any, draft: _Draft) -> Node:
    """The node that brings the file's axes and unit to ours."""
    unit_name = str(loaded.units or "").rstrip("s") if suffix == ".3mf" else ""
    scale = _METRES.get(unit_name, 1.0)
    if not unit_name:
        draft.warnings.append(f"{suffix[1:]} files have no unit: taken as metres")
    rotation = _TURN_Z_UP if suffix in _Z_UP else (0.0, 0.0, 0.0, 1.0)
    return Node("root", -1, rotation=rotation, scale=(scale, scale, scale))


def _mesh(draft: _Draft, key: str, shape: Any) -> Mesh:
    """One trimesh geometry; what is neither triangles nor points draws nothing."""
    name = clean(str(key))
    vertices = np.asarray(getattr(shape, "vertices", ()), np.float64).reshape(-1, 3)
    faces = getattr(shape, "faces", None)
    if not len(vertices) or (faces is not None and not len(faces)) or hasattr(shape, "entities"):
        draft.warnings.append(f"{name!r} has neither triangles nor points and draws nothing")
        return Mesh(name, ())
    if not np.isfinite(vertices.astype(np.float32)).all():
        raise FormatError(f"{name!r} holds positions that are not finite")
    return Mesh(name, (_points(draft, shape) if faces is None else _triangles(draft, name, shape),))


def _points(draft: _Draft, shape: Any) -> Primitive:
    count = len(shape.vertices)
    _charge(draft, count, count)
    colors = np.asarray(shape.colors) if shape.colors is not None else np.zeros((0, 4))
    return Primitive(
        Mode.POINTS,
        np.asarray(shape.vertices, np.float32),
        np.arange(count, dtype=np.uint32),
        0,
        colors=_linear(colors) if len(colors) == count else None,
    )


def _triangles(draft: _Draft, name: str, shape: Any) -> Primitive:
    faces = np.asarray(shape.faces)
    if faces.min() < 0 or faces.max() >= len(shape.vertices):
        raise FormatError(f"{name!r} has a face with vertex {faces.max()}, but there are only {len(shape.vertices):,}")
    _charge(draft, 3 * len(faces), 3 * len(faces))
    shape, normals = _shade(shape)
    uv, colors, material = _look(draft, shape)
    return Primitive(
        Mode.TRIANGLES,
        np.asarray(shape.vertices, np.float32),
        np.asarray(shape.faces, np.uint32).reshape(-1),
        material,
        normals=normals,
        texcoords=() if uv is None else (uv,),
        colors=colors,
    )


def _shade(shape: Any) -> tuple[Any, Floats]:
    """The shape, its vertices split at creases where need be, and unit normals [N, 3]."""
    import trimesh

    given = "vertex_normals" in shape._cache  # the file's own; the public property would make some up
    if getattr(shape.visual, "kind", None) == "face":
        shape.unmerge_vertices()
    elif not given and getattr(shape.visual, "uv", None) is None:
        shape.merge_vertices()
        if len(shape.faces) <= _SMOOTHED_TRIANGLES:
            shape = trimesh.graph.smooth_shade(shape, angle=_CREASE)
        else:
            shape.unmerge_vertices()
            return shape, flat_normals(np.asarray(shape.vertices, np.float32))
    normals, _ = unit(np.asarray(shape.vertex_normals, np.float32))
    return shape, normals


def _look(draft: _Draft, shape: Any) -> tuple[Floats | None, Floats | None, int]:
    """Texture coordinates, linear colours and material index of a shape."""
    visual = shape.visual
    if visual.kind in ("vertex", "face"):
        return None, _linear(np.asarray(visual.vertex_colors)), 0
    uv = getattr(visual, "uv", None)
    if visual.kind != "texture" or visual.material is None:
        return None, None, 0
    picture = getattr(visual.material, "image", None)
    red, green, blue, alpha = (float(v) for v in _linear(np.atleast_2d(visual.material.main_color))[0])
    textures = {}
    if picture is not None and uv is not None:
        textures["baseColorTexture"] = TextureInfo(_image(draft, picture))
    draft.materials.append(
        Material(
            clean(str(getattr(visual.material, "name", ""))),
            alphaMode="BLEND" if alpha < 1.0 else "OPAQUE",
            doubleSided=True,
            factors={**_DEFAULT.factors, "baseColorFactor": (red, green, blue, alpha)},
            textures=textures,
        )
    )
    flipped = None if uv is None else np.asarray(uv, np.float32) * (1, -1) + (0, 1)  # their v points up the picture
    return None if flipped is None else flipped.astype(np.float32), None, len(draft.materials) - 1


def _image(draft: _Draft, picture: Any) -> int:
    """Index of a picture that `_SideFiles` has checked and charged; decoded once."""
    if id(picture) not in draft.pictures:
        draft.images.append(decode(picture, "", "a texture"))
        draft.pictures[id(picture)] = len(draft.images) - 1
    return draft.pictures[id(picture)]


def _linear(colors: NDArray[Any]) -> Floats:
    """uint8 sRGB [N, 4] → float32 linear [N, 4] (IEC 61966-2-1); alpha as it is."""
    values = colors[:, :4].astype(np.float64) / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear[:, 3:] = values[:, 3:]
    return linear.astype(np.float32)


def _charge(draft: _Draft, vertices: int, indices: int) -> None:
    draft.budget.take("vertices", vertices, "the model")
    draft.budget.take("indices", indices, "the model")
    draft.budget.take("array_bytes", vertices * 48 + indices * 4, "the model")

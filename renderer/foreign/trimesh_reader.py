"""STL, OBJ, PLY and DAE through trimesh, imported only when such a file comes. What trimesh leaves out is read here."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
from numpy.typing import NDArray

from renderer.errors import UnsupportedError
from renderer.foreign import collada, mtl, obj, ply, stl
from renderer.foreign.shape import DEFAULT, Draft, Parts, Place, Shape, linear
from renderer.foreign.side_files import SideFiles
from renderer.gltf.item import clean
from renderer.scene import Floats, Material, TextureInfo

#: What a format needs besides trimesh.
_NEEDS = {"dae": "pycollada"}
_LIBRARIES = re.compile(rb"^[ \t]*mtllib[ \t]+(.+?)[ \t\r]*$", re.MULTILINE)
#: .mtl files that one model may name.
_MOST_LIBRARIES = 16
#: Under this key a stand-in tells its picture's name.
_NAME = "picture"
_BASE = "baseColorTexture"
_SLOTS = (_BASE, "emissiveTexture", "normalTexture")


def read(data: bytes, suffix: str, files: SideFiles, draft: Draft) -> Parts:
    """A file as shapes. Lets out whatever trimesh raises on broken files."""
    if suffix == ".dae":
        metres, up = collada.check(data, draft.budget.limits)
        if b"<instance_controller" in data:
            draft.warnings.append("skinned parts of COLLADA files are left out")
        return _read(data, suffix, _Resolver(files, {}), draft, metres=metres, up=up)
    if suffix == ".stl":
        return _read(stl.trimmed(data), suffix, _Resolver(files, {}), draft, up="Z")
    if suffix == ".ply":
        data = ply.triangulated(data, draft.budget.limits)
    if suffix == ".obj":
        data = obj.absolute(data)
    return _read(data, suffix, _Resolver(files, _libraries(data, suffix, files)), draft)


def _libraries(data: bytes, suffix: str, files: SideFiles) -> dict[str, mtl.Entry]:
    """Every material that an OBJ's material files define; of two with one name, the first."""
    entries: dict[str, mtl.Entry] = {}
    if suffix != ".obj":
        return entries
    for line in _LIBRARIES.findall(data)[:_MOST_LIBRARIES]:
        name = line.decode("utf-8", "replace")
        names = [name] if name.lower().count(".mtl") < 2 else name.split()
        for each in names:
            text = files.read(each)
            if text is not None:
                entries = {**mtl.parse(text.decode("utf-8", "replace")), **entries}
    return entries


class _Resolver:
    """What trimesh takes for a resolver: material files that only name materials, pictures that only have a name."""

    def __init__(self, files: SideFiles, entries: Mapping[str, mtl.Entry]) -> None:
        self.files, self.entries = files, entries

    def get(self, name: str) -> bytes:
        """What trimesh may have of a side file."""
        return mtl.reduced(self.entries) if self.entries else _stand_in(name)

    __getitem__ = get


def _stand_in(name: str) -> bytes:
    """A PNG of one pixel that says which picture it stands for: ours are decoded under our own bounds."""
    told = PIL.PngImagePlugin.PngInfo()
    told.add_text(_NAME, name)
    out = io.BytesIO()
    PIL.Image.new("RGB", (1, 1)).save(out, "PNG", pnginfo=told)
    return out.getvalue()


@dataclass(slots=True)
class _Looks:
    """trimesh's materials as ours, each made once."""

    resolver: _Resolver
    draft: Draft
    made: dict[Any, int | None] = field(default_factory=dict)

    def index(self, visual: Any) -> int | None:
        """The material of a shape's visual; None for the default."""
        given = getattr(visual, "material", None)
        if given is None:
            return None
        entry = self.resolver.entries.get(str(getattr(given, "name", "")))
        key: Any = entry.name if entry is not None else id(given)
        if key not in self.made:
            files = self.resolver.files
            made = self._other(given) if entry is None else mtl.material(entry, files, self.draft)
            self.made[key] = None if made is None else self.draft.material(made)
        return self.made[key]

    def _other(self, given: Any) -> Material | None:
        """A material of trimesh: its numbers, and the pictures that its stand-ins name."""
        plain = not hasattr(given, "baseColorFactor")  # PLY's: it has a picture or nothing that a file has said
        pictures = {_BASE: given.image} if plain else {slot: getattr(given, slot, None) for slot in _SLOTS}
        textures = {}
        for slot, picture in pictures.items():
            texture = None if picture is None else self.resolver.files.texture(str(picture.info.get(_NAME, "")))
            if texture is not None:
                textures[slot] = TextureInfo(texture)
        if plain and not textures:
            return None
        color = None if plain else given.baseColorFactor
        base = linear(np.atleast_2d(color))[0].tolist() if color is not None else [1.0] * 4
        factors: dict[str, tuple[float, ...]] = {**DEFAULT.factors, "baseColorFactor": tuple(base)}
        glow = getattr(given, "emissiveFactor", None)
        if glow is not None:
            factors["emissiveFactor"] = tuple(linear(np.atleast_2d(np.asarray(glow, np.float64)))[0, :3].tolist())
        name = clean(str(getattr(given, "name", None) or ""))
        return Material(name, "BLEND" if base[3] < 1.0 else "OPAQUE", True, factors, textures)


def _read(data: bytes, suffix: str, resolver: _Resolver, draft: Draft, **parts: Any) -> Parts:
    import trimesh

    kind = suffix[1:]
    if kind not in trimesh.available_formats():
        raise UnsupportedError(f"{kind} files need the package {_NEEDS.get(kind, kind)}, which is not installed")
    loaded = trimesh.load_scene(io.BytesIO(data), file_type=kind, resolver=resolver, process=False)  # type: ignore[arg-type]
    looks = _Looks(resolver, draft)
    colours = stl.face_colours(data) if suffix == ".stl" else None
    meshes = [(str(key), _shapes(str(key), shape, looks, draft, colours)) for key, shape in loaded.geometry.items()]
    order = {key: position for position, key in enumerate(loaded.geometry)}
    graph = loaded.graph
    places = [Place(str(frame), order[graph[frame][1]], graph[frame][0]) for frame in graph.nodes_geometry]
    return Parts(meshes, places, **parts)


def _shapes(name: str, shape: Any, looks: _Looks, draft: Draft, colours: Floats | None) -> list[Shape]:
    """One geometry of trimesh; what is neither triangles nor points draws nothing."""
    positions = np.asarray(getattr(shape, "vertices", ()), np.float64).reshape(-1, 3)
    faces = getattr(shape, "faces", None)
    if not len(positions) or (faces is not None and not len(faces)) or hasattr(shape, "entities"):
        draft.warnings.append(f"{clean(name)!r} has neither triangles nor points and draws nothing")
        return []
    if faces is None:
        given = np.asarray(shape.colors) if shape.colors is not None else np.zeros((0, 4))
        colors = linear(given) if len(given) == len(positions) else None
        alpha = 1.0 if colors is None else float(colors[:, 3].min())
        return [Shape(positions, None, colors=colors, material=None if colors is None else draft.coloured(alpha))]
    faces = np.asarray(faces, np.int64)
    visual = shape.visual
    uv = _uv(getattr(visual, "uv", None), len(positions))
    colors, face_colors = _colours(visual, len(positions), len(faces))
    if colours is not None and len(colours) == len(faces):
        face_colors = colours
    material = looks.index(visual) if visual.kind == "texture" else None
    return [Shape(positions, faces, _normals(shape, positions), uv, colors, face_colors, material)]


def _normals(shape: Any, positions: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The file's own; the public property would make some up."""
    given = np.asarray(shape.vertex_normals, np.float64) if "vertex_normals" in shape._cache else None
    return given if given is not None and given.shape == positions.shape else None


def _uv(given: Any, count: int) -> Floats | None:
    """Texture coordinates [N, 2] with glTF's v; theirs points up the picture."""
    if given is None or np.shape(given) != (count, 2):
        return None
    flipped = np.asarray(given, np.float64) * (1.0, -1.0) + (0.0, 1.0)
    return np.nan_to_num(flipped, posinf=0.0, neginf=0.0).astype(np.float32)


def _colours(visual: Any, vertices: int, faces: int) -> tuple[Floats | None, Floats | None]:
    """Linear colours of vertices and of faces; at most one of them."""
    if visual.kind == "face" and len(visual.face_colors) == faces:
        return None, linear(np.asarray(visual.face_colors))
    if visual.kind == "vertex" and len(visual.vertex_colors) == vertices:
        return linear(np.asarray(visual.vertex_colors)), None
    return None, None

"""3MF: what a build shows, with units, components, colours and textures. trimesh reads its geometry alone.

3MF Core 1.3 and Materials and Properties 1.2: base materials, colour groups and texture groups by triangle and corner;
the production extension's parts in other files of the archive. An archive is measured before it is unpacked.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError, LimitError, SceneError
from renderer.foreign.multiply import multiplied
from renderer.foreign.shape import DEFAULT, Draft, Parts, Place, Shape, linear
from renderer.gltf.images import decode, open_charged
from renderer.gltf.item import clean
from renderer.limits import Limits
from renderer.scene import Floats, Material, TextureInfo

#: Metres per unit; the format's own default is the millimetre.
_METRES = {"micron": 1e-6, "millimeter": 1e-3, "centimeter": 1e-2, "inch": 0.0254, "foot": 0.3048, "meter": 1.0}
#: What zipfile and ElementTree raise on broken or encrypted archives.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ElementTree.ParseError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)
#: Where a triangle says nothing, sRGB.
_GREY = np.array([[0.797, 0.797, 0.797, 1.0]])
#: Model files of one archive that are read.
_MOST_FILES = 256


@dataclass(eq=False, slots=True)
class _Object:
    """One object. name: for people; parts: (key of another object, its matrix).

    triangles: rows of v1 v2 v3, group, p1 p2 p3; group: place in the file's list of groups, -1 for none.
    """

    name: str
    vertices: array[float] = field(default_factory=lambda: array("d"))
    triangles: array[int] = field(default_factory=lambda: array("q"))
    parts: list[tuple[str, NDArray[np.float64]]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Group:
    """Colours, float sRGB [N, 4], or texture coordinates [N, 2] of the texture `texture`."""

    values: list[tuple[float, ...]] = field(default_factory=list)
    texture: str | None = None


@dataclass(eq=False, slots=True)
class _File:
    """One model file of the archive."""

    unit: str = "millimeter"
    objects: dict[str, _Object] = field(default_factory=dict)
    groups: list[_Group] = field(default_factory=list)
    textures: dict[str, str] = field(default_factory=dict)  # id → path in the archive
    build: list[tuple[str, NDArray[np.float64]]] = field(default_factory=list)


def read(data: bytes, draft: Draft) -> Parts:
    """What the build shows. Raises LimitError when it unpacks or multiplies to too much, FormatError when broken."""
    limits = draft.budget.limits
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _measure(archive, limits)
            files = _Reader(archive).read()
            return _parts(files, archive, draft)
    except _BROKEN as error:
        raise FormatError(f"not a readable 3MF file: {' '.join(str(error).split())[:100]}") from error


def _measure(archive: zipfile.ZipFile, limits: Limits) -> None:
    size = sum(entry.file_size for entry in archive.infolist())
    if size > limits.text_bytes:
        raise LimitError(f"unpacks to {size:,} bytes, at most {limits.text_bytes:,} are allowed")


class _Reader:
    """The model files of an archive, those that components name included."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {name.lower().lstrip("/"): name for name in archive.namelist()}
        self.files: dict[str, _File] = {}

    def read(self) -> dict[str, _File]:
        """By path in lower case; the first is the one that has the build."""
        main = next((n for n in self._names if n.endswith("3d/3dmodel.model")), None)
        if main is None:
            raise FormatError("not a 3MF file: it has no 3D/3dmodel.model")
        waiting = [main]
        while waiting:
            path = waiting.pop()
            if path in self.files or path not in self._names:
                continue
            if len(self.files) >= _MOST_FILES:
                raise LimitError(f"has more than {_MOST_FILES} model files")
            self.files[path] = made = self._file(path)
            used = [key for o in made.objects.values() for key, _ in o.parts] + [key for key, _ in made.build]
            waiting += [key.partition("#")[0] for key in used]
        return self.files

    def _file(self, path: str) -> _File:
        parser = _Parser(path)
        with self._archive.open(self._names[path]) as stream:
            for _, element in ElementTree.iterparse(_no_entities(stream)):
                parser.end(element.tag.rpartition("}")[2], element)
        return parser.file


class _Parser:
    """One model file, element by element as they end; what an object or a group holds is kept until that ends."""

    def __init__(self, path: str) -> None:
        self.file = _File()
        self._path = path
        self._ids: dict[str, int] = {}
        self._vertices: array[float] = array("d")
        self._rows: list[dict[str, str]] = []
        self._group = _Group()

    def end(self, tag: str, element: ElementTree.Element) -> None:
        """Takes what an element says. Raises ValueError and the like where it says nothing sensible."""
        get = element.get
        match tag:
            case "vertex":
                self._vertices.extend((float(get("x", "")), float(get("y", "")), float(get("z", ""))))
                element.clear()
            case "triangle":
                self._rows.append(dict(element.attrib))
                element.clear()
            case "base":
                self._group.values.append(_color(get("displaycolor", "")))
            case "color":
                self._group.values.append(_color(get("color", "")))
            case "tex2coord":
                self._group.values.append((float(get("u", "0")), float(get("v", "0"))))
            case "texture2d":
                self.file.textures[get("id", "")] = get("path", "").lower().lstrip("/")
            case "basematerials" | "colorgroup" | "texture2dgroup":
                self._group.texture = get("texid")
                self._ids[get("id", "")] = len(self.file.groups)
                self.file.groups.append(self._group)
                self._group = _Group()
            case "object":
                self.file.objects[get("id", "")] = self._object(element)
                element.clear()
            case "build":
                self.file.build = list(_uses(self._path, element, "item"))
            case "model":
                self.file.unit = get("unit", "millimeter")

    def _object(self, element: ElementTree.Element) -> _Object:
        made = _Object(element.get("name") or f"object {element.get('id', '')}", self._vertices)
        pid, pindex = element.get("pid", ""), element.get("pindex", "0")
        for row in self._rows:
            first = row.get("p1", pindex)
            properties = (first, row.get("p2", first), row.get("p3", first))
            corners = (row["v1"], row["v2"], row["v3"])
            group = self._ids.get(row.get("pid", pid), -1)
            made.triangles.extend((*map(int, corners), group, *map(int, properties)))
        made.parts = list(_uses(self._path, element, "component"))
        self._vertices, self._rows = array("d"), []
        return made


def _no_entities(stream: IO[bytes]) -> io.BytesIO:
    data = stream.read()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise FormatError("declares a document type, which a model has no use for")
    return io.BytesIO(data)


def _uses(path: str, element: ElementTree.Element, tag: str) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """(key of the object, matrix) of every component or item."""
    for child in element.iter():
        if child.tag.rpartition("}")[2] != tag:
            continue
        other = next((v for k, v in child.attrib.items() if k.rpartition("}")[2] == "path"), path)
        matrix = np.eye(4)
        if "transform" in child.attrib:
            matrix[:3] = np.array(child.attrib["transform"].split(), np.float64).reshape(4, 3).T
        yield f"{other.lower().lstrip('/')}#{child.get('objectid', '')}", matrix


def _color(text: str) -> tuple[float, ...]:
    """sRGB shares from #RRGGBB or #RRGGBBAA."""
    digits = text.strip().lstrip("#")
    if len(digits) not in (6, 8):
        raise FormatError(f"{ascii(text)[:20]} is not a colour")
    return tuple(v / 255.0 for v in bytes.fromhex(digits if len(digits) == 8 else digits + "ff"))


def _parts(files: dict[str, _File], archive: zipfile.ZipFile, draft: Draft) -> Parts:
    main = next(iter(files.values()))
    objects = {f"{path}#{id_}": (file, made) for path, file in files.items() for id_, made in file.objects.items()}
    graph = {key: [used for used, _ in made.parts] for key, (_, made) in objects.items()}
    graph[""] = [key for key, _ in main.build]
    count = multiplied(graph, "", lambda _: 1)
    if count > draft.budget.limits.nodes:
        most = draft.budget.limits.nodes
        raise LimitError(f"its components multiply to {count:,} parts, at most {most:,} are allowed")
    meshes: dict[str, int] = {}
    shapes: list[tuple[str, list[Shape]]] = []
    pictures = _Pictures(archive, draft)
    places = []
    stack = [(key, matrix) for key, matrix in reversed(main.build)]
    while stack:
        key, matrix = stack.pop()
        if key not in objects:
            draft.warnings.append(f"the build names object {ascii(key.partition('#')[2])[:20]}, which is not there")
            continue
        file, made = objects[key]
        stack += [(used, matrix @ placed) for used, placed in reversed(made.parts)]
        if not made.triangles:
            continue
        if key not in meshes:
            meshes[key] = len(shapes)
            shapes.append((made.name, _shapes(made, file, pictures, draft)))
        places.append(Place(made.name, meshes[key], matrix))
    return Parts(shapes, places, _METRES.get(main.unit, 1e-3), "Z")


@dataclass(eq=False, slots=True)
class _Pictures:
    """Textures of an archive, each made into a material once."""

    archive: zipfile.ZipFile
    draft: Draft
    made: dict[str, int | None] = field(default_factory=dict)

    def material(self, path: str) -> int | None:
        """A material that shows a picture of the archive; None with a warning when it cannot be read."""
        if path not in self.made:
            self.made[path] = None
            try:
                name = next((n for n in self.archive.namelist() if n.lower().lstrip("/") == path), None)
                if name is None:
                    raise FormatError(f"the texture {ascii(path)[:60]} is not in the archive")
                picture = open_charged(self.archive.read(name), clean(path), self.draft.budget)
                texture = self.draft.texture(path, decode(picture, "", clean(path)).pixels)
                factors = {**DEFAULT.factors, "baseColorFactor": (1.0, 1.0, 1.0, 1.0)}
                look = Material(clean(path), "OPAQUE", True, factors, {"baseColorTexture": TextureInfo(texture)})
                self.made[path] = self.draft.material(look)
            except SceneError as error:
                self.draft.warnings.append(str(error))
        return self.made[path]


def _shapes(made: _Object, file: _File, pictures: _Pictures, draft: Draft) -> list[Shape]:
    """An object's triangles: those of each texture, and the others with their colours where there are any."""
    draft.budget.take("array_bytes", 16 * len(made.vertices) + 16 * len(made.triangles), clean(made.name))
    positions = np.array(made.vertices).reshape(-1, 3)
    rows = np.array(made.triangles, np.int64).reshape(-1, 7)
    if rows[:, :3].min() < 0 or rows[:, :3].max() >= len(positions):
        raise FormatError(f"{clean(made.name)!r} has a face with a vertex that is not there")
    shapes, rest = [], np.ones(len(rows), bool)
    for number in np.unique(rows[:, 3]).tolist():
        group = file.groups[number] if number >= 0 else _Group()
        material = None if group.texture is None else pictures.material(file.textures.get(group.texture, ""))
        if material is None:
            continue
        mine = rows[:, 3] == number
        rest &= ~mine
        uv = _values(group, rows[mine, 4:], made.name)[:, :2] * (1.0, -1.0) + (0.0, 1.0)
        corners = positions[rows[mine, :3].ravel()]
        order = np.arange(len(corners), dtype=np.int64).reshape(-1, 3)
        shapes.append(Shape(corners, order, uv=uv.astype(np.float32), material=material))
    if rest.any():
        shapes.append(_coloured(positions, rows[rest], file.groups, made.name))
    return shapes


def _coloured(positions: NDArray[np.float64], rows: NDArray[np.int64], groups: list[_Group], name: str) -> Shape:
    colours = np.tile(_GREY, (3 * len(rows), 1))
    known = False
    for number in np.unique(rows[:, 3]).tolist():
        if number < 0 or groups[number].texture is not None:
            continue
        known = True
        colours[np.repeat(rows[:, 3] == number, 3)] = _values(groups[number], rows[rows[:, 3] == number, 4:], name)
    if not known:
        return Shape(positions, rows[:, :3])
    flat = linear(colours)
    if (rows[:, 4:] == rows[:, 4:5]).all():
        return Shape(positions, rows[:, :3], face_colors=np.ascontiguousarray(flat[::3]))
    order = np.arange(len(flat), dtype=np.int64).reshape(-1, 3)
    return Shape(positions[rows[:, :3].ravel()], order, colors=flat)


def _values(group: _Group, indices: NDArray[np.int64], name: str) -> Floats:
    """A group's rows at the corners' indices, in a row."""
    if indices.size and not (indices.min() >= 0 and indices.max() < len(group.values)):
        raise FormatError(f"{clean(name)!r} names property {indices.max()} of a group of {len(group.values)}")
    return np.array(group.values, np.float64)[indices.ravel()]  # type: ignore[return-value]

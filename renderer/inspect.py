"""What is in a model file, as data for `vitrine inspect`: contents, sizes, extensions, faults. Prints nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from renderer.bounds import bounds
from renderer.errors import SceneError
from renderer.gltf.buffers import read_file
from renderer.gltf.container import open_container
from renderer.gltf.reader import supported_extensions
from renderer.limits import DEFAULT_LIMITS, Limits
from renderer.load import GLTF_SUFFIXES, load_scene
from renderer.pose import pose_at
from renderer.scene import Mode, Primitive, Scene

#: A full mipmap chain adds a third.
_MIPMAPS = 4 / 3


@dataclass(frozen=True, slots=True)
class ExtensionUse:
    """One extension that the file names."""

    name: str
    supported: bool
    required: bool


@dataclass(frozen=True, slots=True)
class PictureSize:
    """One decoded picture. bytes: on the GPU, with mipmaps."""

    name: str
    width: int
    height: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything `vitrine inspect` tells.

    error: why the model cannot be shown, one line, or None; the fields that need a loaded model are then empty.
    size: (x, y, z) of the bounding box, metres. triangles, draws: instances counted. vertices: as stored.
    primitives: kind of primitive ("triangles", "lines", "points") → how many. gpu_bytes: an estimate, with mipmaps.
    """

    file: str
    file_bytes: int
    error: str | None = None
    asset: dict[str, str] = field(default_factory=dict)
    size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    nodes: int = 0
    meshes: int = 0
    draws: int = 0
    triangles: int = 0
    vertices: int = 0
    primitives: dict[str, int] = field(default_factory=dict)
    materials: tuple[str, ...] = ()
    textures: int = 0
    images: tuple[PictureSize, ...] = ()
    cameras: int = 0
    lights: int = 0
    animations: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    extensions: tuple[ExtensionUse, ...] = ()
    warnings: tuple[str, ...] = ()
    gpu_bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        """The report as plain dictionaries and lists."""
        return asdict(self)


def inspect(path: Path, limits: Limits = DEFAULT_LIMITS) -> Report:
    """Read a model and say what is in it; a model that cannot be shown has `error` set instead of an exception.

    Raises a SceneError only when there is no file to say anything about.
    """
    data = read_file(path, limits.file_bytes, path.name)
    extensions = _extensions(data, limits) if path.suffix.lower() in GLTF_SUFFIXES else ()
    try:
        scene = load_scene(path, limits)
    except SceneError as error:
        return Report(path.name, len(data), str(error), extensions=extensions)
    return _report(path, len(data), scene, extensions)


def lines(report: Report) -> list[str]:
    """The report as lines of text for people."""
    rows = [
        ("file", f"{report.file}, {_bytes(report.file_bytes)}"),
        ("size", " × ".join(f"{length:.4g}" for length in report.size) + " m"),
        ("triangles", f"{report.triangles:,} in {report.draws:,} draws, {report.vertices:,} vertices stored"),
        (
            "contents",
            f"{report.nodes:,} nodes, {report.meshes:,} meshes, {report.cameras} cameras, {report.lights} lights",
        ),
        ("materials", f"{len(report.materials)}: {_names(report.materials)}"),
        (
            "pictures",
            f"{len(report.images)}: {_names([f'{i.name} {i.width}×{i.height}'.strip() for i in report.images])}",
        ),
        ("animations", _names(report.animations)),
        ("variants", _names(report.variants)),
        ("on the GPU", f"about {_bytes(report.gpu_bytes)}"),
    ]
    if report.error is not None:
        rows = [rows[0], ("error", report.error)]
    rows += [("asset", f"{key}: {value}") for key, value in report.asset.items() if key != "version"]
    rows += [("extension", _extension(use)) for use in report.extensions]
    rows += [("warning", warning) for warning in report.warnings]
    return [f"{label:>11}  {text}" for label, text in rows if text]


def _report(path: Path, size: int, scene: Scene, extensions: tuple[ExtensionUse, ...]) -> Report:
    stored = [primitive for mesh in scene.meshes for primitive in mesh.primitives]
    drawn = [p for node in scene.nodes if node.mesh is not None for p in scene.meshes[node.mesh].primitives]
    images = tuple(_picture(i.name, *i.pixels.shape[1::-1]) for i in scene.images)
    low, high = bounds(scene, pose_at(scene, None))
    x, y, z = (float(length) for length in high - low)
    return Report(
        file=path.name,
        file_bytes=size,
        asset=dict(scene.asset),
        size=(x, y, z),
        nodes=len(scene.nodes),
        meshes=len(scene.meshes),
        draws=len(drawn),
        triangles=sum(len(p.indices) // 3 for p in drawn if p.mode == Mode.TRIANGLES),
        vertices=sum(len(p.positions) for p in stored),
        primitives=dict(Counter(p.mode.name.lower() for p in stored)),
        materials=tuple(m.name for m in scene.materials),
        textures=len(scene.textures),
        images=images,
        cameras=len(scene.cameras),
        lights=len(scene.lights),
        animations=tuple(a.name or f"animation {i}" for i, a in enumerate(scene.animations)),
        variants=scene.variants,
        extensions=extensions,
        warnings=scene.warnings,
        gpu_bytes=sum(map(_primitive_bytes, stored)) + sum(i.bytes for i in images),
    )


def _extensions(data: bytes, limits: Limits) -> tuple[ExtensionUse, ...]:
    """Those that a glTF file names, whether or not the rest of it can be read."""
    try:
        root = open_container(data, limits).root
        required, used = set(root.strings("extensionsRequired")), set(root.strings("extensionsUsed"))
    except SceneError:  # `load_scene` says what is wrong
        return ()
    known = supported_extensions()
    return tuple(ExtensionUse(name, name in known, name in required) for name in sorted(required | used))


def _picture(name: str, width: int, height: int) -> PictureSize:
    return PictureSize(name, width, height, int(width * height * 4 * _MIPMAPS))


def _primitive_bytes(primitive: Primitive) -> int:
    """Vertex and index bytes as float32 and uint32; the GPU's own layout may be smaller."""
    arrays = (primitive.normals, primitive.tangents, *primitive.texcoords, primitive.colors)
    return primitive.positions.nbytes + primitive.indices.nbytes + sum(a.nbytes for a in arrays if a is not None)


def _extension(use: ExtensionUse) -> str:
    return f"{use.name} ({'supported' if use.supported else 'not supported'}{', required' if use.required else ''})"


def _names(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(name or "(no name)" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"

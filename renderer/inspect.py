"""What is in a model file, as data for `vitrine inspect`: contents, sizes, extensions, cost, faults. Prints nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from renderer.bounds import bounds
from renderer.cost import Cost, cost, image_bytes
from renderer.errors import SceneError
from renderer.extensions import FILE_EXTENSIONS, MATERIAL_EXTENSIONS
from renderer.gltf.buffers import read_file
from renderer.gltf.container import open_container
from renderer.gltf.reader import supported_extensions
from renderer.limits import DEFAULT_LIMITS, Limits
from renderer.load import GLTF_SUFFIXES, load_scene
from renderer.pose import pose_at
from renderer.scene import Animation, Image, Scene
from renderer.shapes import target_count


@dataclass(frozen=True, slots=True)
class ExtensionUse:
    """One extension that the file names."""

    name: str
    supported: bool
    required: bool


@dataclass(frozen=True, slots=True)
class PictureSize:
    """One decoded picture. bytes: on the device, with mip levels; 0 when no material shows it."""

    name: str
    width: int
    height: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Clip:
    """One animation. duration: seconds. moves: what its channels move ("node rotation", "material baseColorFactor") →
    how many of them.
    """

    name: str
    duration: float
    moves: dict[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything `vitrine inspect` tells.

    error: why the model cannot be shown, one line, or None; the fields that need a loaded model are then empty.
    asset: who made it: the file's own texts and its XMP packets. size: (x, y, z) of the bounding box, metres.
    triangles, draws: instances counted. vertices: as stored. primitives: kind of primitive ("triangles", "lines",
    "points") → how many. instances: copies by EXT_mesh_gpu_instancing. skins: name → joints.
    morph_targets: mesh → targets, for those that have any. features: extension → materials that use it.
    compression: extensions that pack vertices or pictures. gpu_bytes: `cost.device_bytes`.
    """

    file: str
    file_bytes: int
    error: str | None = None
    asset: dict[str, str] = field(default_factory=dict)
    size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    nodes: int = 0
    instances: int = 0
    meshes: int = 0
    draws: int = 0
    triangles: int = 0
    vertices: int = 0
    primitives: dict[str, int] = field(default_factory=dict)
    materials: tuple[str, ...] = ()
    features: dict[str, int] = field(default_factory=dict)
    textures: int = 0
    images: tuple[PictureSize, ...] = ()
    cameras: int = 0
    lights: int = 0
    skins: dict[str, int] = field(default_factory=dict)
    morph_targets: dict[str, int] = field(default_factory=dict)
    animations: tuple[str, ...] = ()
    clips: tuple[Clip, ...] = ()
    variants: tuple[str, ...] = ()
    extensions: tuple[ExtensionUse, ...] = ()
    compression: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    gpu_bytes: int = 0
    cost: Cost | None = None

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
    rows = [("file", f"{report.file}, {_bytes(report.file_bytes)}")]
    rows += [("error", report.error)] if report.error is not None else _contents(report)
    rows += [("asset", f"{key}: {value}") for key, value in report.asset.items() if key != "version"]
    rows += [("extension", _extension(use, report.features)) for use in report.extensions]
    rows += [("warning", warning) for warning in report.warnings]
    return [f"{label:>11}  {text}" for label, text in rows if text]


def _contents(report: Report) -> list[tuple[str, str]]:
    pictures = [f"{i.name} {i.width}×{i.height} {_bytes(i.bytes)}".strip() for i in report.images]
    copies = f" ({report.instances:,} of them copies)" if report.instances else ""
    return [
        ("size", " × ".join(f"{length:.4g}" for length in report.size) + " m"),
        ("triangles", f"{report.triangles:,} in {report.draws:,} draws, {report.vertices:,} vertices stored"),
        ("contents", f"{report.nodes:,} nodes{copies}, {report.meshes:,} meshes"),
        ("", f"{report.cameras} cameras, {report.lights} lights" if report.cameras or report.lights else ""),
        ("materials", f"{len(report.materials)}: {_names(report.materials)}"),
        ("pictures", f"{len(report.images)}: {_names(pictures)}" if pictures else ""),
        ("packed by", ", ".join(report.compression)),
        ("skins", _names([f"{name or '(no name)'}: {joints} joints" for name, joints in report.skins.items()])),
        ("morphs", _names([f"{name or '(no name)'}: {count} targets" for name, count in report.morph_targets.items()])),
        *(("animation", _clip(clip)) for clip in report.clips),
        ("variants", _names(report.variants)),
        ("on the GPU", _cost(report.cost) if report.cost else ""),
    ]


def _report(path: Path, size: int, scene: Scene, extensions: tuple[ExtensionUse, ...]) -> Report:
    stored = [primitive for mesh in scene.meshes for primitive in mesh.primitives]
    low, high = bounds(scene, pose_at(scene, None))
    x, y, z = (float(length) for length in high - low)
    used, uses = cost(scene), image_bytes(scene)
    clips = tuple(_read_clip(i, animation) for i, animation in enumerate(scene.animations))
    return Report(
        file=path.name,
        file_bytes=size,
        asset=dict(scene.asset),
        size=(x, y, z),
        nodes=len(scene.nodes),
        instances=sum(node.instance_of is not None for node in scene.nodes),
        meshes=len(scene.meshes),
        draws=used.draws,
        triangles=used.triangles,
        vertices=sum(len(p.positions) for p in stored),
        primitives=dict(Counter(p.mode.name.lower() for p in stored)),
        materials=tuple(m.name for m in scene.materials),
        features=_features(scene),
        textures=len(scene.textures),
        images=tuple(_picture(p, uses[i]) for i, p in enumerate(scene.images)),
        cameras=len(scene.cameras),
        lights=len(scene.lights),
        skins=_named((skin.name, len(skin.joints)) for skin in scene.skins),
        morph_targets=_named((m.name, target_count(m)) for m in scene.meshes if target_count(m)),
        animations=tuple(clip.name for clip in clips),
        clips=clips,
        variants=scene.variants,
        extensions=extensions,
        compression=_packed(extensions),
        warnings=scene.warnings,
        gpu_bytes=used.device_bytes,
        cost=used,
    )


def _picture(image: Image, size: int) -> PictureSize:
    height, width = image.pixels.shape[:2]
    return PictureSize(image.name, width, height, size)


def _packed(extensions: Sequence[ExtensionUse]) -> tuple[str, ...]:
    """Those by which vertices or pictures take fewer bytes than plainly written."""
    known = (FILE_EXTENSIONS[use.name] for use in extensions if use.name in FILE_EXTENSIONS)
    return tuple(e.name for e in known if e.buffer_view or e.accessors or e.components or e.texture_source)


def _features(scene: Scene) -> dict[str, int]:
    counted = Counter(feature for material in scene.materials for feature in material.features)
    return {e.name: counted[e.feature] for e in MATERIAL_EXTENSIONS.values() if counted[e.feature]}


def _named(pairs: Any) -> dict[str, int]:
    """Names → numbers; of several with one name the later ones get a number behind it."""
    found: dict[str, int] = {}
    for name, number in pairs:
        key, more = name, 2
        while key in found:
            key, more = f"{name} ({more})", more + 1
        found[key] = number
    return found


def _read_clip(index: int, animation: Animation) -> Clip:
    moves = Counter(f"{channel.of} {channel.path}" for channel in animation.channels)
    return Clip(animation.name or f"animation {index}", float(animation.duration), dict(moves))


def _extensions(data: bytes, limits: Limits) -> tuple[ExtensionUse, ...]:
    """Those that a glTF file names, whether or not the rest of it can be read."""
    try:
        root = open_container(data, limits).root
        required, used = set(root.strings("extensionsRequired")), set(root.strings("extensionsUsed"))
    except SceneError:  # `load_scene` says what is wrong
        return ()
    known = supported_extensions()
    return tuple(ExtensionUse(name, name in known, name in required) for name in sorted(required | used))


def _clip(clip: Clip) -> str:
    moves = ", ".join(f"{what} of {count}" for what, count in list(clip.moves.items())[:6])
    return f"{clip.name}: {clip.duration:.3g} s, {moves or 'moves nothing'}"


def _cost(used: Cost) -> str:
    parts = f"geometry {_bytes(used.geometry_bytes)}, pictures {_bytes(used.texture_bytes)}"
    traced = "" if used.trace_bytes is None else f"; {_bytes(used.trace_bytes)} more while it is traced"
    return f"about {_bytes(used.device_bytes)}: {parts}{traced}"


def _extension(use: ExtensionUse, features: dict[str, int]) -> str:
    notes = ["supported" if use.supported else "not supported", *(["required"] if use.required else [])]
    if use.name in features:
        notes.append(f"in {features[use.name]} material{'s' if features[use.name] > 1 else ''}")
    return f"{use.name} ({', '.join(notes)})"


def _names(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(name or "(no name)" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"

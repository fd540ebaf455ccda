"""One model's way into a store: validate, optimise, draw, convert for AR, upload, register. Knows no other model.

`prepare` needs no store and `deliver` no model file, so that they can run in different processes. A failure anywhere
leaves the store as it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from assets.catalog import describe
from assets.manifest import MAX_TEXT, MAX_VARIANTS
from assets.publish import Bundle, Published, Publisher, Uploaded, sha256_of
from publishing.errors import InvalidError
from publishing.facts import Facts, Options, Output, Progress
from publishing.gltf import opened, read_document
from publishing.optimise import optimise
from publishing.pack import pack
from publishing.pictures import Settings as PictureSettings
from publishing.pictures import make_pictures
from publishing.usdz import make_usdz
from publishing.validate import validate
from renderer.cost import cost
from renderer.errors import SceneError
from renderer.gltf.buffers import FolderResolver
from renderer.limits import DEFAULT_LIMITS
from renderer.load import GLTF_SUFFIXES, load_scene
from renderer.scene import Scene

#: Raised whenever the same source should come out differently: releases made before are then made anew.
PIPELINE = 1
_SIDE_SUFFIXES = (".obj", ".dae")  # other formats whose side files only their reader finds


@dataclass(frozen=True, slots=True)
class Settings:
    """What is made of a model. optimise: None publishes it as it is. title: None takes the file's own.

    ar: whether a USDZ is made, where usd-core is installed.
    """

    optimise: Options | None = field(default_factory=Options)
    pictures: PictureSettings = field(default_factory=PictureSettings)
    secret: bool = False
    title: str | None = None
    ar: bool = True


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model ready to be uploaded, and what there is to tell.

    outputs: "model", "client", "preview" → details. sizes: bytes of the files for hosts, browsers and AR, by part.
    warnings: of validator, optimiser and AR converter, one line each.
    """

    bundle: Bundle
    before: Facts
    after: Facts
    outputs: dict[str, Output]
    sizes: dict[str, int]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one model. prepared: None when the store had a release of just this source."""

    published: Published
    prepared: Prepared | None


def publish(
    publisher: Publisher,
    model_id: str,
    source: Path,
    folder: Path,
    settings: Settings,
    *,
    progress: Progress | None = None,
    guard: Callable[[], None] | None = None,
) -> Result:
    """Publishes one model. folder: an empty one for scratch files. guard: see `assets.publish.Guard`.

    Raises SceneError or InvalidError when the model is at fault, StoreError when the store is.
    """
    digest = source_digest(source, settings)
    again = republish(publisher, model_id, digest, title_of(source, settings), settings.secret, guard)
    if again is not None:
        return Result(again, None)
    prepared = prepare(model_id, source, folder, settings, progress=progress, digest=digest)
    return Result(deliver(publisher, prepared.bundle, progress, guard), prepared)


def republish(
    publisher: Publisher,
    model_id: str,
    digest: str | None,
    title: str,
    secret: bool,
    guard: Callable[[], None] | None = None,
) -> Published | None:
    """Shows the release that was made of this source before; None when there is none."""
    known = publisher.known(model_id, digest) if digest else None
    if known is None or known.secret != secret:
        return None
    return publisher.register(model_id, replace(known, title=title), guard)


def prepare(
    model_id: str,
    source: Path,
    folder: Path,
    settings: Settings,
    *,
    progress: Progress | None = None,
    digest: str | None = None,
) -> Prepared:
    """Makes every file of a release in `folder`. Raises SceneError or InvalidError when the model is at fault."""
    _tell(progress, "validate", 0)
    report = validate(source)
    if report.errors:
        more = f" (and {len(report.errors) - 1} more errors)" if len(report.errors) > 1 else ""
        raise InvalidError(f"{source.name}: {report.errors[0].removeprefix(f'{source.name}: ')}{more}")
    _tell(progress, "validate", 1)
    made = _optimised(source, folder, settings, progress)
    scene = load_scene(made.model)
    pictures = make_pictures(scene, _new(folder, "pictures"), settings.pictures, progress)
    usdz, notes = _for_ar(scene, folder / f"{model_id}.usdz", settings, progress)
    bundle = Bundle(
        model_id=model_id,
        title=title_of(source, settings),
        model=made.model,
        secret=settings.secret,
        side=made.side,
        variants=tuple(name for name in scene.variants if 0 < len(name) <= MAX_TEXT)[:MAX_VARIANTS],
        triangles=made.after.triangles,
        bytes_source=made.before.bytes,
        preview=made.preview,
        client=None if settings.secret else made.client,
        usdz=usdz,
        poster=pictures.poster,
        thumbnails=pictures.thumbnails,
        spin=pictures.spin,
        source=digest,
    )
    warnings = (*report.warnings, *made.warnings, *notes)
    return Prepared(bundle, made.before, made.after, made.outputs, _sizes(bundle), warnings)


def deliver(
    publisher: Publisher,
    bundle: Bundle,
    progress: Progress | None = None,
    guard: Callable[[], None] | None = None,
) -> Published:
    """Uploads and registers. Raises StoreError."""
    return publisher.publish(bundle, _uploading(progress), guard)


def title_of(source: Path, settings: Settings) -> str:
    """As it was asked for, else the file's own, else made of its name."""
    return (settings.title or describe(source)[0])[:MAX_TEXT]


def source_digest(source: Path, settings: Settings) -> str | None:
    """64 hex digits of the model's bytes, side files included, and of everything that decides what is made of them.

    None for formats whose side files are not known before they are read.
    """
    if source.suffix.lower() in _SIDE_SUFFIXES:
        return None
    how = {
        "pipeline": PIPELINE,
        "suffix": source.suffix.lower(),
        "optimise": None if settings.optimise is None else asdict(settings.optimise),
        "pictures": asdict(settings.pictures),
        "ar": settings.ar and not settings.secret,
    }
    digest = hashlib.sha256(json.dumps(how, sort_keys=True).encode())
    digest.update(sha256_of(source).encode())
    for name, data in side_files(source).items():
        digest.update(f"\n{name} {hashlib.sha256(data).hexdigest()}".encode())
    return digest.hexdigest()


def side_files(source: Path) -> dict[str, bytes]:
    """The files that a glTF file refers to, by the names it uses; none for other formats. Raises SceneError."""
    if source.suffix.lower() not in GLTF_SUFFIXES:
        return {}
    resolver = FolderResolver(source.parent)
    with opened(source) as reading:
        names = [
            uri
            for key in ("buffers", "images")
            for item in reading.root.items(key)
            if isinstance(uri := item.values.get("uri"), str) and not uri.startswith("data:")
        ]
    found: dict[str, bytes] = {}
    left = DEFAULT_LIMITS.file_bytes
    for name in names:
        if name not in found:
            found[name] = resolver.read(name, left)
            left -= len(found[name])
    return found


@dataclass(frozen=True, slots=True)
class _Made:
    """Files for hosts and browsers, optimised or as they came. side: name below the model's folder → file."""

    model: Path
    client: Path | None
    preview: Path | None
    before: Facts
    after: Facts
    outputs: dict[str, Output] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    side: dict[str, Path] = field(default_factory=dict)


def _optimised(source: Path, folder: Path, settings: Settings, progress: Progress | None) -> _Made:
    if settings.optimise is None:
        return _as_it_is(source, folder)
    options = replace(settings.optimise, client=settings.optimise.client and not settings.secret)
    made = optimise(source, _new(folder, "optimised"), options, progress)
    return _Made(made.model, made.client, made.preview, made.before, made.after, dict(made.outputs), made.warnings)


def _as_it_is(source: Path, folder: Path) -> _Made:
    """A .gltf with its files becomes one GLB, unchanged otherwise; other formats keep their bytes."""
    model, side = source, {}
    if source.suffix.lower() == ".gltf":
        model = _new(folder, "packed") / f"{source.stem}.glb"
        with opened(source) as reading:
            model.write_bytes(pack(read_document(reading), {}, compress=False))
    recorder = _Recorder(source.parent)
    scene = load_scene(model, resolver=recorder)
    if source.suffix.lower() not in GLTF_SUFFIXES:
        side = recorder.found
    size = source.stat().st_size + sum(path.stat().st_size for path in side.values())
    if source.suffix.lower() == ".gltf":
        size += sum(len(data) for data in side_files(source).values())
    before = _facts(scene, size)
    after = replace(before, bytes=model.stat().st_size)
    client = model if model.suffix.lower() == ".glb" else None
    return _Made(model, client, None, before, after, side=side)


class _Recorder:
    """Side files from the model's folder; remembers which were there."""

    def __init__(self, folder: Path) -> None:
        self._resolver = FolderResolver(folder)
        self._folder = folder
        self.found: dict[str, Path] = {}

    def read(self, uri: str, limit: int) -> bytes:
        """See `renderer.gltf.buffers.Resolver`."""
        data = self._resolver.read(uri, limit)
        self.found[uri] = self._folder / uri
        return data


def _facts(scene: Scene, size: int) -> Facts:
    """Of a file that is published as it is."""
    found = cost(scene)
    meshes = [node.mesh for node in scene.nodes if node.mesh is not None]
    vertices = sum(len(one.positions) for mesh in set(meshes) for one in scene.meshes[mesh].primitives)
    pixels = sum(image.pixels.shape[0] * image.pixels.shape[1] for image in scene.images)
    return Facts(size, found.triangles, vertices, found.draws, pixels, scene.variants)


def _for_ar(
    scene: Scene, path: Path, settings: Settings, progress: Progress | None
) -> tuple[Path | None, tuple[str, ...]]:
    """A USDZ and what it cannot say. That there is none is never a reason not to publish."""
    if settings.secret or not settings.ar:
        return None, ()
    _tell(progress, "usdz", 0)
    made = make_usdz(scene, path)
    _tell(progress, "usdz", 1)
    return made.path, tuple(f"AR: {note}" for note in made.notes)


def _sizes(bundle: Bundle) -> dict[str, int]:
    files = {"model": bundle.model, "preview": bundle.preview, "client": bundle.client, "usdz": bundle.usdz}
    return {name: path.stat().st_size for name, path in files.items() if path is not None}


def _uploading(progress: Progress | None) -> Uploaded | None:
    return None if progress is None else lambda done, total: progress("upload", done, total)


def _new(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir(parents=True, exist_ok=True)
    return made


def _tell(progress: Progress | None, stage: str, done: int) -> None:
    if progress is not None:
        progress(stage, done, 1)


def is_the_models_fault(error: Exception) -> bool:
    """Whether another try with the same file would end the same way."""
    return isinstance(error, (SceneError, InvalidError))

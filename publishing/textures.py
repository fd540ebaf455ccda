"""A document's pictures in fewer bytes, each by the cheapest form that keeps it as it looks. Draws no model.

Of the forms of a picture whose decoded pixels are like enough, the cheapest is taken. Cost: seconds until a reader has
the pixels, bytes on the way and decoding together.
"""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from publishing import basis
from publishing.gltf import Document, Json, sources, texture_infos
from publishing.pack import mime_type
from publishing.scaling import Meaning, Pixels, fitted, scaled
from renderer.decoding.guard import Guard
from renderer.errors import FormatError
from renderer.extensions import CORE, FILE_EXTENSIONS, MATERIAL_EXTENSIONS
from renderer.gltf import ktx2
from renderer.gltf.images import decode, open_charged
from renderer.limits import Budget, Limits

_NORMALS = frozenset({"normalTexture", "clearcoatNormalTexture"})
#: Whose alpha nobody reads.
_WITHOUT_ALPHA = _NORMALS | {"occlusionTexture", "metallicRoughnessTexture", "emissiveTexture"}
_EXTENSIONS = {"image/webp": "EXT_texture_webp", "image/avif": "EXT_texture_avif", "image/ktx2": "KHR_texture_basisu"}
#: Seconds for each pixel that a decoder makes, on one core; measured on pictures of products.
_PIXEL_SECONDS = {
    "image/png": 30e-9,
    "image/jpeg": 10e-9,
    "image/webp": 14e-9,
    "image/avif": 25e-9,
    "image/ktx2": 9e-9,
}
#: A new form of a picture has to cost at most this share of the old one.
_WORTH = 0.9
_MOST_THREADS = 4
_ROWS = 256
#: Side of the part of a picture that shows whether a codec will do; a multiple of 8.
_TRIED = 256


@dataclass(frozen=True, slots=True)
class Goal:
    """What one output wants of its pictures.

    pixels: the longest side. db: likeness to the picture (made as small) that a lossy form must have. kept: kinds that
    may stay as they are. basis: the command that makes KTX 2, None: without. byte_seconds: on the way to the reader.
    """

    pixels: int
    db: float
    kept: frozenset[str] = frozenset(_PIXEL_SECONDS)
    basis: str | None = None
    byte_seconds: float = 2e-8


@dataclass(frozen=True, slots=True)
class Use:
    """What a picture is for. alpha: whether anybody reads it."""

    meaning: Meaning
    alpha: bool


def uses_of(document: Document) -> dict[int, Use]:
    """Image → what it is for; those that are used in a way unknown here are left out, and so stay as they are."""
    known = _slots()
    found: dict[int, Use | None] = {}
    for material in document.items("materials"):
        opaque = material.get("alphaMode", "OPAQUE") == "OPAQUE"
        for slot, info in texture_infos(material):
            image = shown(document.items("textures")[info["index"]])
            if image is None:
                continue
            alpha = slot not in _WITHOUT_ALPHA and not (slot == "baseColorTexture" and opaque)
            use = Use(known[slot], alpha) if slot in known else None
            found[image] = _joined(found[image], use) if image in found else use
    return {image: use for image, use in found.items() if use is not None}


def _slots() -> dict[str, Meaning]:
    """Texture slot → what its numbers are, by the renderer's declarations."""
    conversions = (e.material.declaration for e in FILE_EXTENSIONS.values() if e.material is not None)
    known: dict[str, Meaning] = {}
    for declaration in (CORE, *MATERIAL_EXTENSIONS.values(), *conversions):
        for slot, texture in declaration.textures.items():
            known[slot] = "normal" if slot in _NORMALS else "color" if texture.encoding == "srgb" else "data"
    return known


def _joined(one: Use | None, other: Use | None) -> Use | None:
    """Two uses of one picture; None when they do not go together."""
    if one is None or other is None or (one.meaning != other.meaning and "color" in (one.meaning, other.meaning)):
        return None
    return Use(one.meaning if one.meaning == other.meaning else "data", one.alpha or other.alpha)


def shown(texture: Json) -> int | None:
    """The image that the renderer takes of a texture's sources."""
    image = texture.get("source")
    for extension in FILE_EXTENSIONS.values():
        if extension.texture_source:
            given = (texture.get("extensions") or {}).get(extension.name)
            if isinstance(given, dict) and isinstance(given.get("source"), int):
                image = given["source"]
    return image


# ---- every picture for every goal ----
def convert(
    document: Document,
    goals: Sequence[Goal],
    limits: Limits,
    deadline: float,
    progress: Callable[[int, int], None],
) -> list[dict[int, bytes]]:
    """For each goal the new bytes of those images that get some. Each picture is decoded once, by a few threads.

    deadline: time.monotonic() after which pictures stay as they are. Raises a SceneError for a broken picture.
    """
    uses = uses_of(document)
    made: list[dict[int, bytes]] = [{} for _ in goals]
    done = 0
    threads = max(1, min(_MOST_THREADS, os.cpu_count() or 1))
    with Guard(limits) as guard, ThreadPoolExecutor(threads, thread_name_prefix="vitrine-texture") as pool:

        def work(image: int) -> tuple[int, list[bytes | None]]:
            if time.monotonic() > deadline:
                return image, [None for _ in goals]
            data = document.images[image]
            pixels = read_pixels(data, f"images[{image}]", limits, guard)
            return image, [_best(data, pixels, uses[image], goal) for goal in goals]

        progress(0, len(uses))
        for number, forms in pool.map(work, sorted(uses)):
            done += 1
            progress(done, len(uses))
            for target, form in zip(made, forms, strict=True):
                if form is not None:
                    target[number] = form
    return made


def read_pixels(data: bytes, place: str, limits: Limits, guard: Guard) -> Pixels:
    """uint8 [height, width, 4] of a picture file, within the limits. Raises a SceneError."""
    budget = Budget(limits)
    coder = {"image/ktx2": "ktx2", "image/avif": "avif"}.get(mime_type(data) or "")
    if coder is not None:
        width, height = ktx2.size(data, place) if coder == "ktx2" else _avif_size(data, place)
        budget.take("image_bytes", width * height * 4, place)
        return guard.decode(coder, data, width * height * 4, place)["pixels"]  # type: ignore[arg-type]
    return decode(open_charged(data, place, budget), "", place).pixels


def _avif_size(data: bytes, place: str) -> tuple[int, int]:
    try:
        with PIL.Image.open(io.BytesIO(data), formats=("AVIF",)) as picture:
            return picture.size
    except Exception as error:  # Pillow lets any kind of error out on broken headers
        raise FormatError(f"{place} has a broken header") from error


def _best(data: bytes, pixels: Pixels, use: Use, goal: Goal) -> bytes | None:
    """The cheapest form of one picture that a goal allows; None: as it is."""
    height, width = pixels.shape[:2]
    size = fitted(width, height, goal.pixels)
    mime = mime_type(data) or ""
    keep = size == (width, height) and mime in goal.kept
    wanted = scaled(pixels, size, use.meaning)
    if not use.alpha or int(wanted[..., 3].min()) == 255:
        wanted = np.ascontiguousarray(wanted[..., :3])
    allowed = _cost(mime, len(data), size, goal) * _WORTH if keep else math.inf
    best: bytes | None = None
    for form in _forms(wanted, use, goal):
        cost = _cost(mime_type(form) or "", len(form), size, goal)
        if cost < allowed:
            best, allowed = form, cost
    return best


def _cost(mime: str, count: int, size: tuple[int, int], goal: Goal) -> float:
    return count * goal.byte_seconds + size[0] * size[1] * _PIXEL_SECONDS.get(mime, 1.0)


def _forms(pixels: Pixels, use: Use, goal: Goal) -> Iterator[bytes]:
    """Forms that are like enough. What takes long to make is made only where it may be the cheapest."""
    coarse = None if use.meaning == "normal" else _basis(pixels, use, goal, "etc1s")
    if coarse is not None:
        yield coarse
    for quality in (80, 88, 94, 98):
        lossy = _written(pixels, "WEBP", quality=quality, method=4, exact=True)
        if likeness(pixels, _opened(lossy)) >= goal.db:
            yield lossy
            return
    fine = None if coarse is not None else _basis(pixels, use, goal, "uastc")
    if fine is not None:
        yield fine
    if pixels.shape[2] == 3:
        lossy = _written(pixels, "JPEG", quality=95, subsampling=0, optimize=True)
        if likeness(pixels, _opened(lossy)) >= goal.db:
            yield lossy
    yield _written(pixels, "WEBP", lossless=True, quality=60, method=3, exact=True)


def _basis(pixels: Pixels, use: Use, goal: Goal, codec: basis.Codec) -> bytes | None:
    """A KTX 2 file that is like enough; a part in the middle is tried before the whole."""
    height, width = pixels.shape[:2]
    if goal.basis is None or height % 4 or width % 4:
        return None
    top, left = (max(0, side // 8 * 4 - _TRIED // 2) for side in (height, width))
    part = np.ascontiguousarray(pixels[top : top + _TRIED, left : left + _TRIED])
    for tried in (part, pixels) if part.shape != pixels.shape else (pixels,):
        made = basis.encode(goal.basis, tried, codec, srgb=use.meaning == "color")
        if made is None or likeness(tried, basis.decode(made)) < goal.db:
            return None
    return made


def _written(pixels: Pixels, kind: str, **settings: Any) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, kind, **settings)
    return out.getvalue()


def _opened(data: bytes) -> Pixels:
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGBA"))


def likeness(one: Pixels, other: NDArray[np.uint8]) -> float:
    """PSNR in dB over those channels that the first picture has."""
    channels = one.shape[2]
    total = 0.0
    for row in range(0, one.shape[0], _ROWS):
        strip = one[row : row + _ROWS].astype(np.int32) - other[row : row + _ROWS, :, :channels]
        total += float(np.square(strip).sum(dtype=np.int64))
    error = total / one.size
    return 99.0 if error == 0 else 10.0 * math.log10(255.0**2 / error)


# ---- back into the document ----
def replace_images(document: Document, made: Mapping[int, bytes]) -> None:
    """Puts new pictures in the place of those that textures show; other sources of these textures go."""
    for image, data in made.items():
        document.images[image] = data
    for texture in document.items("textures"):
        source = shown(texture)
        if source is None or source not in made:
            continue
        for holder in list(sources(texture)):
            holder.pop("source")
        extensions = {k: v for k, v in (texture.pop("extensions", None) or {}).items() if k not in _EXTENSIONS.values()}
        name = _EXTENSIONS.get(mime_type(made[source]) or "")
        if name is None:
            texture["source"] = source
        else:
            extensions[name] = {"source": source}
        if extensions:
            texture["extensions"] = extensions

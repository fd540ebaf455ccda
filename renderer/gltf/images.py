"""Pictures → RGBA8, by a few threads. The size in a picture's header is charged before it is decoded.

Pillow decodes PNG, JPEG and WebP here; what a few bytes can bloat goes through `renderer/decoding/`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from renderer.decoding.guard import Decoder, Kind
from renderer.errors import FormatError, LimitError
from renderer.gltf import ktx2
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading
from renderer.limits import Budget
from renderer.scene import Image

#: What Pillow may decode in this process. Everything else it knows (EPS, for one, starts programs) stays closed to
#: files from strangers; of AVIF it reads the header only.
FORMATS = ("PNG", "JPEG", "WEBP")
_KINDS = "PNG, JPEG, WebP, AVIF and KTX 2"
_MOST_THREADS = 4
#: A progressive JPEG has about ten scans. Each may take as long as a whole picture, for a few bytes; so many are taken
#: of the largest picture, of smaller ones as many as take as long.
_MOST_SCANS = 16
_START_OF_SCAN = b"\xff\xda"


@dataclass(frozen=True, slots=True)
class _Opened:
    """A picture whose size is charged."""

    name: str
    pixels: Callable[[], NDArray[np.uint8]]


def read_images(reading: Reading, wanted: Sequence[int]) -> list[Image]:
    """The images at the indices `wanted` of the file, decoded."""
    opened = [_open(reading, reading.root.item("images", index)) for index in wanted]
    if not opened:
        return []
    threads = min(_MOST_THREADS, os.cpu_count() or 1, len(opened))
    with ThreadPoolExecutor(threads, thread_name_prefix="vitrine-image") as pool:
        return list(pool.map(lambda job: Image(job.name, job.pixels()), opened))


def _open(reading: Reading, item: Item) -> _Opened:
    """Read an image's bytes and the size in its header."""
    view = item.index("bufferView", "bufferViews")
    data = reading.buffers.fetch(item) if view is None else bytes(reading.buffers.view(view))
    name = item.name()
    place = f"{item.place} {name!r}" if name else item.place
    if data.startswith(ktx2.IDENTIFIER):
        size = ktx2.size(data, place)
        return _Opened(name, _guarded(reading, "ktx2", data, size, place))
    if data[4:8] == b"ftyp":
        with _open_picture(data, place, ("AVIF",)) as picture:
            size = picture.size
        return _Opened(name, _guarded(reading, "avif", data, size, place))
    return _Opened(name, partial(_decoded, open_charged(data, place, reading.budget), place))


def _guarded(
    reading: Reading, kind: Kind, data: bytes, size: tuple[int, int], place: str
) -> Callable[[], NDArray[np.uint8]]:
    _charge(size, place, reading.budget)
    return partial(_decode_guarded, reading.guard, kind, data, size, place)


def _decode_guarded(guard: Decoder, kind: Kind, data: bytes, size: tuple[int, int], place: str) -> NDArray[np.uint8]:
    width, height = size
    pixels = guard.decode(kind, data, width * height * 4, place).get("pixels")
    if pixels is None or pixels.shape != (height, width, 4) or pixels.dtype != np.uint8:
        raise FormatError(f"{place} says {width}×{height} pixels, its data hold something else")
    return pixels


def open_charged(data: bytes, place: str, budget: Budget) -> PIL.Image.Image:
    """A PNG, JPEG or WebP whose header has been read and whose decoded size is within the limits and charged."""
    picture = _open_picture(data, place, FORMATS)
    _charge(picture.size, place, budget)
    scans = data.count(_START_OF_SCAN) if picture.format == "JPEG" else 1
    if scans * picture.width * picture.height > _MOST_SCANS * budget.limits.image_pixels:
        raise LimitError(f"{place} has {scans:,} scans of {picture.width}×{picture.height} pixels, too many to decode")
    return picture


def _charge(size: tuple[int, int], place: str, budget: Budget) -> None:
    width, height = size
    if width * height > budget.limits.image_pixels:
        most = budget.limits.image_pixels
        raise LimitError(f"{place} has {width}×{height} pixels, at most {most:,} are allowed")
    budget.take("image_bytes", width * height * 4, place)


def _open_picture(data: bytes, place: str, formats: tuple[str, ...]) -> PIL.Image.Image:
    """Read a picture's header; FormatError when the format is unknown, LimitError when Pillow calls it a bomb."""
    try:
        return PIL.Image.open(io.BytesIO(data), formats=formats)
    except (
        PIL.Image.DecompressionBombError,
        PIL.Image.DecompressionBombWarning,
    ) as error:  # -W error raises the latter
        raise LimitError(f"{place} claims far more pixels than are allowed") from error
    except PIL.UnidentifiedImageError as error:
        raise FormatError(
            f"{place} is no picture this build can read ({len(data):,} bytes): {_KINDS} are supported"
        ) from error
    except Exception as error:  # Pillow's plug-ins let any kind of error out on broken headers
        raise FormatError(f"{place} has a broken header: {_line(error)}") from error


def decode(picture: PIL.Image.Image, name: str, place: str) -> Image:
    """Decode an opened picture and close it."""
    return Image(name, _decoded(picture, place))


def _decoded(picture: PIL.Image.Image, place: str) -> NDArray[np.uint8]:
    try:
        with picture:
            return _rgba(picture)
    except MemoryError as error:
        raise LimitError(f"{place} takes more memory to decode than is allowed") from error
    except Exception as error:  # as above: truncated and corrupt data comes out of Pillow in many types
        raise FormatError(f"{place} cannot be decoded: {_line(error)}") from error


def _rgba(picture: PIL.Image.Image) -> NDArray[np.uint8]:
    """uint8 [height, width, 4], contiguous."""
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip instead of scale
        grey = (np.asarray(picture, np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        pixels = np.repeat(grey[..., None], 4, axis=2)
        pixels[..., 3] = 255
        return pixels
    return np.asarray(picture.convert("RGBA"))


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:100] if text else type(error).__name__

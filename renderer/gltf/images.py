"""Pictures → RGBA8 through Pillow, by a few threads. The size in a picture's header is charged before it is decoded."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from renderer.errors import FormatError, LimitError
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading
from renderer.limits import Budget
from renderer.scene import Image

#: What Pillow may open: everything else it knows (EPS, for one, starts programs) stays closed to files from strangers.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")
_MOST_THREADS = 4


def read_images(reading: Reading, wanted: Sequence[int]) -> list[Image]:
    """The images at the indices `wanted` of the file, decoded."""
    opened = [_open(reading, reading.root.item("images", index)) for index in wanted]
    if not opened:
        return []
    threads = min(_MOST_THREADS, os.cpu_count() or 1, len(opened))
    with ThreadPoolExecutor(threads, thread_name_prefix="vitrine-image") as pool:
        return list(pool.map(lambda job: decode(*job), opened))


def _open(reading: Reading, item: Item) -> tuple[PIL.Image.Image, str, str]:
    """(picture whose header has been read, name, place); its decoded size is charged."""
    view = item.index("bufferView", "bufferViews")
    data = reading.buffers.fetch(item) if view is None else bytes(reading.buffers.view(view))
    name = item.name()
    place = f"{item.place} {name!r}" if name else item.place
    return open_charged(data, place, reading.budget), name, place


def open_charged(data: bytes, place: str, budget: Budget) -> PIL.Image.Image:
    """A picture whose header has been read and whose decoded size is within the limits and charged."""
    picture = _open_picture(data, place)
    width, height = picture.size
    if width * height > budget.limits.image_pixels:
        most = budget.limits.image_pixels
        raise LimitError(f"{place} has {width}×{height} pixels, at most {most:,} are allowed")
    budget.take("image_bytes", width * height * 4, place)
    return picture


def _open_picture(data: bytes, place: str) -> PIL.Image.Image:
    """Read a picture's header; FormatError when the format is unknown, LimitError when Pillow calls it a bomb."""
    try:
        return PIL.Image.open(io.BytesIO(data), formats=FORMATS)
    except (
        PIL.Image.DecompressionBombError,
        PIL.Image.DecompressionBombWarning,
    ) as error:  # -W error raises the latter
        raise LimitError(f"{place} claims far more pixels than are allowed") from error
    except PIL.UnidentifiedImageError as error:
        kinds = "PNG, JPEG, WebP and AVIF"
        raise FormatError(
            f"{place} is no picture this build can read ({len(data):,} bytes): {kinds} are supported"
        ) from error
    except Exception as error:  # Pillow's plug-ins let any kind of error out on broken headers
        raise FormatError(f"{place} has a broken header: {_line(error)}") from error


def decode(picture: PIL.Image.Image, name: str, place: str) -> Image:
    """Decode an opened picture and close it."""
    try:
        with picture:
            return Image(name, _rgba(picture))
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

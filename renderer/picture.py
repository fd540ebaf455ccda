"""Frames → image files. Encoding is Pillow's; names, quality and errors are ours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage

from renderer.errors import ViewError
from renderer.frame import Frame

#: Suffix → Pillow's format and its settings.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 6}),
    ".jpg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 90, "method": 4}),
}
FILMS = (".webp", ".gif")


def encode(frame: Frame, suffix: str) -> bytes:
    """An "rgba8" frame as a PNG, JPEG or WebP file. JPEG has no alpha: it is laid over white.

    Raises ViewError for another suffix.
    """
    if suffix.lower() not in KINDS:
        raise ViewError(f"pictures cannot be written as {suffix!r}; allowed: {', '.join(KINDS)}")
    kind, settings = KINDS[suffix.lower()]
    out = io.BytesIO()
    _image(frame, alpha=kind != "JPEG").save(out, kind, **settings)
    return out.getvalue()


def encode_film(frames: Sequence[Frame], suffix: str, frames_per_second: float) -> bytes:
    """Frames as one looping animated WebP or GIF."""
    if suffix.lower() not in FILMS:
        raise ViewError(f"films cannot be written as {suffix!r}; allowed: {', '.join(FILMS)}")
    first, *rest = [_image(f, alpha=True) for f in frames]
    out = io.BytesIO()
    kind = suffix.lower().removeprefix(".")
    first.save(
        out, kind, save_all=True, append_images=rest, duration=round(1000 / frames_per_second), loop=0, quality=88
    )
    return out.getvalue()


def write(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all. Raises ViewError that says why the place cannot be written."""
    scratch = path.with_name(path.name + ".part")
    try:
        scratch.write_bytes(data)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise ViewError(f"{path} cannot be written: {error.strerror or error}") from error


def _image(frame: Frame, *, alpha: bool) -> PillowImage.Image:
    image = PillowImage.fromarray(frame.pixels)
    if alpha and frame.pixels[..., 3].min() < 255:
        return image
    white = PillowImage.new("RGBA", image.size, "white")
    return PillowImage.alpha_composite(white, image).convert("RGB")

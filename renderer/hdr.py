"""Radiance `.hdr` pictures → linear radiance arrays. Decoding is OpenCV's; bounds and errors are ours."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError, LimitError, ViewError

MAX_PIXELS = 8192 * 4096
_MAX_HEADER = 65536
_RESOLUTION = re.compile(rb"\n[-+]Y (\d{1,9}) [-+]X (\d{1,9})\n")


def load_hdr(path: Path) -> NDArray[np.float32]:
    """float32 [H, W, 3], linear Rec. 709 radiance, top row first; W must be 2H.

    Raises ViewError when there is no such file, FormatError or LimitError when it is not a usable panorama.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ViewError(f"environment {path}: {error.strerror or error}") from error
    found = _RESOLUTION.search(data[:_MAX_HEADER])
    if not data.startswith(b"#?") or not found:
        raise FormatError(f"{path.name}: not a Radiance .hdr picture")
    height, width = int(found[1]), int(found[2])
    if width * height > MAX_PIXELS:
        raise LimitError(f"{path.name}: {width}x{height} pixels, at most {MAX_PIXELS} are allowed")
    if width != 2 * height:
        raise FormatError(f"{path.name}: {width}x{height} is not equirectangular, the width must be twice the height")
    pixels = _decode(data)
    if pixels is None or pixels.shape != (height, width, 3):
        raise FormatError(f"{path.name}: truncated or damaged picture data")
    return np.maximum(np.nan_to_num(pixels[..., ::-1], posinf=65000.0), 0.0)


def _decode(data: bytes) -> NDArray[np.float32] | None:
    import cv2  # heavy, and only needed for environments from files

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return None if pixels is None else np.asarray(pixels, np.float32)

"""Codec libraries that FFmpeg has brought into this process, for those who call them directly."""

from __future__ import annotations

import re
from pathlib import Path

import av  # noqa: F401  loads them

from streaming.errors import EncoderError

_MAPS = Path("/proc/self/maps")


def find(name: str, oldest: int) -> tuple[str, int]:
    """Path and number (of the ABI, as the file's name tells it) of "libx264", say. Raises EncoderError.

    oldest: number from which on a caller knows the library.
    """
    pattern = re.compile(rf"\S*/{re.escape(name)}[^/]*\.so\.(\d+)[.\d]*$", re.MULTILINE)
    for match in pattern.finditer(_MAPS.read_text(encoding="utf-8", errors="replace")):
        if int(match[1]) >= oldest:
            return match[0], int(match[1])
    raise EncoderError(f"FFmpeg here has no {name} of ABI {oldest} or newer as a shared library")

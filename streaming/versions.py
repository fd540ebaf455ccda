"""How our processes name what is shown of a release: its version, with `~preview` behind it for the small one."""

from __future__ import annotations

WHOLE, PREVIEW = "model", "preview"  # parts of a release, as stores call them
_MARK = "~"  # in no version of any store


def spell(version: str, part: str = WHOLE) -> str:
    """The name of that part of that version."""
    return version if part == WHOLE else f"{version}{_MARK}{part}"


def parse(name: str) -> tuple[str, str]:
    """Version and part of a name."""
    version, _, part = name.partition(_MARK)
    return version, part or WHOLE


def is_preview(name: str) -> bool:
    """Whether something better will take its place."""
    return parse(name)[1] == PREVIEW

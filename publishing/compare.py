"""How alike two model files look, in dB, from several views in the same light. Changes neither."""

from __future__ import annotations

from pathlib import Path

from publishing.facts import Difference, ViewDifference

__all__ = ["Difference", "ViewDifference", "compare"]


def compare(a: Path, b: Path) -> Difference:
    """Draws both files and compares them. Raises SceneError when one cannot be read, DeviceError without EGL."""
    raise NotImplementedError(f"{a} {b}")

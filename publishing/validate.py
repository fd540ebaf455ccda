"""Whether a file keeps glTF's rules: our own reader always, Khronos' gltf-validator where node has it."""

from __future__ import annotations

from pathlib import Path

from publishing.facts import Report

__all__ = ["Report", "validate"]


def validate(path: Path) -> Report:
    """Everything that is wrong with a model file; raises a SceneError only when there is no file."""
    raise NotImplementedError(str(path))

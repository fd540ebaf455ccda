"""The fuzzer's files through the sandbox, the way that a host's models go; scenes that come out are checked again."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

from renderer.decoding.sandbox import Sandbox
from renderer.errors import SceneError
from tests.fuzz.outcome import LIMITS, check

#: A reader that crashes or answers nonsense is a plain SceneError, which the fuzzer takes for a failure.
_LIMITS = replace(LIMITS, process_bytes=256 << 20, process_seconds=5.0)


def outcome(data: bytes) -> str:
    """ "scene" or the name of a SceneError."""
    path = Path(_folder().name) / "fuzz.glb"
    path.write_bytes(data)
    try:
        scene = _sandbox().load(path)
    except SceneError as error:
        return type(error).__name__ if type(error) is not SceneError else str(error)
    check(scene)
    return "scene"


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="vitrine-fuzz-")


@functools.cache
def _sandbox() -> Sandbox:
    """One for all files of a process; it ends with it."""
    return Sandbox(_LIMITS)

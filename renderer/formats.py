"""STL, OBJ, PLY, OFF, 3MF and DAE → Scene: which reader takes which file, and one kind of error for all."""

from __future__ import annotations

import numpy as np

from renderer.errors import FormatError, LimitError, SceneError
from renderer.foreign.build import build
from renderer.foreign.shape import Draft, Parts
from renderer.foreign.side_files import SideFiles
from renderer.gltf.buffers import Resolver
from renderer.gltf.item import clean
from renderer.limits import Budget
from renderer.scene import Scene

FOREIGN_SUFFIXES = (".stl", ".obj", ".ply", ".off", ".3mf", ".dae")


@np.errstate(all="ignore")  # as in `read_gltf`
def read_foreign(data: bytes, name: str, suffix: str, resolver: Resolver, budget: Budget) -> Scene:
    """A model in one of `FOREIGN_SUFFIXES` as a Scene. Raises a SceneError whose message does not name the file."""
    if len(data) > budget.limits.text_bytes:
        raise LimitError(f"{len(data):,} bytes, at most {budget.limits.text_bytes:,} are allowed in a {suffix} file")
    draft = Draft(budget)
    try:
        return build(name, suffix, _read(data, suffix, SideFiles(resolver, draft), draft), draft)
    except (SceneError, MemoryError):
        raise
    except ImportError as error:  # trimesh asks for a package that guesses encodings
        raise FormatError(f"not a readable {suffix} file: neither what its format says nor UTF-8 text") from error
    except Exception as error:  # on broken files trimesh lets out any kind of error, while parsing or later
        text = clean(" ".join(str(error).split()))[:120]
        raise FormatError(f"not a readable {suffix} file: {text or type(error).__name__}") from error


def _read(data: bytes, suffix: str, files: SideFiles, draft: Draft) -> Parts:
    if suffix == ".3mf":
        from renderer.foreign import threemf

        return threemf.read(data, draft)
    if suffix == ".off":
        from renderer.foreign import off

        return off.read(data, draft.budget.limits)
    from renderer.foreign import trimesh_reader

    return trimesh_reader.read(data, suffix, files, draft)

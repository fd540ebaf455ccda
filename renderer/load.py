"""One entrance for every model file: path → Scene. Dispatches by suffix, puts the file's name before every fault."""

from __future__ import annotations

from pathlib import Path

from renderer.errors import SceneError, UnsupportedError
from renderer.formats import FOREIGN_SUFFIXES, read_foreign
from renderer.gltf.buffers import FolderResolver, Resolver, read_file
from renderer.gltf.item import clean
from renderer.gltf.reader import read_gltf
from renderer.limits import DEFAULT_LIMITS, Budget, Limits
from renderer.scene import Scene

GLTF_SUFFIXES = (".glb", ".gltf")
#: Every suffix that `load_scene` takes, lower case.
SUFFIXES = (*GLTF_SUFFIXES, *FOREIGN_SUFFIXES)


def load_scene(path: Path, limits: Limits = DEFAULT_LIMITS, resolver: Resolver | None = None) -> Scene:
    """Read a model file.

    path: the model; its suffix says what it is. limits: bounds on size and memory, enforced before allocating.
    resolver: gives side files by name; None reads them from the model's own folder and never from outside it.
    Raises a SceneError whose message is one line, "<file name>: <what is wrong>".
    """
    try:
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            raise UnsupportedError(f"the file kind {suffix!r} is not supported, only {', '.join(SUFFIXES)} are")
        budget = Budget(limits)
        data = read_file(path, limits.file_bytes, "the file")
        budget.take("file_bytes", len(data), "the file")
        side_files = resolver or FolderResolver(path.parent)
        name = clean(path.stem)
        if suffix in GLTF_SUFFIXES:
            return read_gltf(data, name, side_files, budget)
        return read_foreign(data, name, suffix, side_files, budget)
    except SceneError as error:
        raise type(error)(f"{clean(path.name)}: {error}") from error

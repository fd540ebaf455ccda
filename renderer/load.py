"""One entrance for every model file: path → Scene. Dispatches by suffix, puts the file's name before every fault.

In this process: for commands and tests. Hosts read strangers' files through `renderer.decoding.sandbox`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from renderer.decoding.guard import Decoder
from renderer.errors import LimitError, SceneError, UnsupportedError
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
    with named(path.name):
        check_suffix(path.name)
        data = read_file(path, limits.file_bytes, "the file")
    return read_scene(data, path.name, resolver or FolderResolver(path.parent), limits)


def read_scene(
    data: bytes | memoryview, name: str, resolver: Resolver, limits: Limits, decoder: Decoder | None = None
) -> Scene:
    """As `load_scene`, of a file's bytes and name. decoder: see `read_gltf`."""
    with named(name):
        suffix, title = check_suffix(name), clean(PurePath(name).stem)
        budget = Budget(limits)
        budget.take("file_bytes", len(data), "the file")
        if suffix in GLTF_SUFFIXES:
            return read_gltf(data, title, resolver, budget, decoder)
        return read_foreign(bytes(data), title, suffix, resolver, budget)


def check_suffix(name: str) -> str:
    """A file name's suffix, lower case. UnsupportedError when no reader takes it."""
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UnsupportedError(f"the file kind {suffix!r} is not supported, only {', '.join(SUFFIXES)} are")
    return suffix


@contextmanager
def named(name: str) -> Iterator[None]:
    """Errors of the block get the file's name; running out of memory is one of them."""
    try:
        yield
    except SceneError as error:
        raise type(error)(f"{clean(name)}: {error}") from error
    except MemoryError as error:
        raise LimitError(f"{clean(name)}: takes more memory to read than is allowed") from error

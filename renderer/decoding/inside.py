"""The process in which `sandbox.py` has one stranger's model read: imports all it needs, gives everything up, reads.

It speaks lines of JSON with its parent over its standard input and output. First it says that it is ready. It gets a
request (the file's name, where its bytes are), may ask for side files by name, and says either that the scene is
written or what is wrong with the file. The model's bytes come in one shared memory, which it can only read; the scene
leaves in another.
"""

from __future__ import annotations

import codecs
import json
import mmap
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from renderer.decoding import codec
from renderer.decoding.confine import confine, depend_on
from renderer.decoding.inplace import InPlace
from renderer.decoding.notes import SIZE, Notes
from renderer.errors import FormatError, LimitError, SceneError, UnsupportedError
from renderer.gltf.item import clean, show
from renderer.limits import Limits
from renderer.load import read_scene
from renderer.scene import Scene

#: Errors that cross, by name.
ERRORS: dict[str, type[SceneError]] = {
    kind.__name__: kind for kind in (SceneError, FormatError, LimitError, UnsupportedError)
}
MOST_TEXT = 1000
#: No file system has longer names.
_MOST_NAME = 4096
#: Others go first: watching viewers before new models. Of ten shares of a processor this process gets one.
_NICE = 10
#: What is otherwise imported when a file of some kind comes.
_MODULES = (
    *("trimesh", "trimesh.exchange.load", "collada", "lxml.etree", "networkx", "xml.etree.ElementTree", "zipfile"),
    *("PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.WebPImagePlugin", "PIL.AvifImagePlugin", "mikktspace"),
    *("renderer.foreign.threemf", "renderer.foreign.off", "renderer.foreign.trimesh_reader", "renderer.pose"),
)
#: Of texts and of names in archives.
_ENCODINGS = ("ascii", "latin-1", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp437", "iso8859-15")


@dataclass(frozen=True, slots=True)
class Files:
    """Side files, asked of the parent. model: the memory in which it puts them."""

    model: memoryview

    def read(self, uri: str, limit: int) -> bytes:
        """See `renderer.gltf.buffers.Resolver`."""
        if len(uri) > _MOST_NAME:
            raise FormatError(f"the uri {show(uri)} is longer than any file's name")
        _say(ask=uri, limit=limit)
        answer = json.loads(sys.stdin.buffer.readline())
        if "error" in answer:
            raise ERRORS[answer["error"]](answer["text"])
        return bytes(self.model[answer["at"] : answer["at"] + answer["bytes"]])


def main() -> None:
    """Be ready, read one model, wait for the end. The last argument says what the parent has prepared."""
    given = json.loads(sys.argv[-1])
    depend_on(given["parent"])
    _stand_back()
    limits, result = Limits(**given["limits"]), given["result"]
    decoder = InPlace(limits, Notes(result))
    model = memoryview(mmap.mmap(given["model"], 0, access=mmap.ACCESS_READ))
    _import_all()
    lacks = confine()
    _say(lacks=lacks, mapped=decoder.address_space())
    request = json.loads(sys.stdin.buffer.readline() or b"{}")
    if request:
        _answer(request["name"], model[: request["bytes"]], Files(model), limits, decoder, result)
    sys.stdin.buffer.readline()  # until the parent ends it


def _answer(name: str, data: memoryview, files: Files, limits: Limits, decoder: InPlace, result: int) -> None:
    try:
        size = _write(read_scene(data, name, files, limits, decoder), result)
    except SceneError as error:
        _say(error=type(error).__name__, text=str(error)[:MOST_TEXT])
    except MemoryError:
        _say(error="LimitError", text=f"{clean(name)}: takes more memory to read than is allowed")
    except Exception as error:  # ours, in the end; but only this file is lost by it
        _say(error="SceneError", text=f"{clean(name)}: the reader fails on it: {_place(error)}"[:MOST_TEXT])
    else:
        _say(scene=size)


def _write(scene: Scene, result: int) -> int:
    """Write a scene behind the notes. Bytes of the file."""
    end = SIZE
    try:
        for offset, piece in codec.encode(scene):
            end = max(end, _write_at(result, SIZE + offset, piece))
    except OSError as error:
        raise LimitError(f"{scene.name}: holds more than the bytes that are allowed") from error
    return end


def _write_at(file: int, at: int, piece: memoryview) -> int:
    """Write all of a piece, of which the system takes 2 GB at once. Where it ends."""
    while piece:
        written = os.pwrite(file, piece, at)
        at, piece = at + written, piece[written:]
    return at


def _stand_back() -> None:
    """Let others go first to a processor, and let the system end this process before any other."""
    os.nice(_NICE)
    with suppress(OSError):  # a system without /proc
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _import_all() -> None:
    import PIL.Image

    PIL.Image.preinit()
    for name in _MODULES:
        with suppress(ImportError):  # who needs it says so
            import_module(name)
    for name in _ENCODINGS:
        codecs.lookup(name)


def _place(error: Exception) -> str:
    """Kind, text and line of an error; `traceback` would open the source."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    return clean(f"{type(error).__name__}: {' '.join(str(error).split())[:100]}{where}")


def _say(**message: Any) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()

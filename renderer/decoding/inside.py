"""One confined process: gives everything up, reads one stranger's model, and waits for its end. Imports nothing late.

It speaks lines of JSON with the process that wants the model. First it says that it is ready. It gets a request (the
file's name, how many bytes it has), may ask for side files by name, and says either that the scene is written or what
is wrong with the file. The model's bytes come in one shared memory, which it can only read; the scene leaves in
another.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from renderer.decoding import codec
from renderer.decoding.confine import confine, depend_on
from renderer.decoding.inplace import InPlace
from renderer.decoding.notes import SIZE, Notes
from renderer.decoding.worker import Decoder
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


class Files(NamedTuple):
    """Descriptors of one reading: where requests come from, where answers go, the model, and the scene."""

    requests: int
    answers: int
    model: int
    scene: int


class _Line:
    """Both directions of the conversation."""

    def __init__(self, files: Files) -> None:
        self._requests = os.fdopen(files.requests, "rb")
        self._answers = files.answers

    def say(self, **message: Any) -> None:
        """One line, which fits into the pipe."""
        os.write(self._answers, json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        """The next line; nothing after the last one."""
        return dict(json.loads(self._requests.readline() or b"{}"))


@dataclass(frozen=True, slots=True)
class _SideFiles:
    """Side files, asked of the parent. model: the memory in which it puts them."""

    line: _Line
    model: memoryview

    def read(self, uri: str, limit: int) -> bytes:
        """See `renderer.gltf.buffers.Resolver`."""
        if len(uri) > _MOST_NAME:
            raise FormatError(f"the uri {show(uri)} leads out of every folder: it is longer than any file's name")
        self.line.say(ask=uri, limit=limit)
        answer = self.line.hear()
        if "error" in answer:
            raise ERRORS[answer["error"]](answer["text"])
        return bytes(self.model[answer["at"] : answer["at"] + answer["bytes"]])


def serve(parent: int, files: Files, limits: Limits, decoders: Mapping[str, Decoder]) -> None:
    """Be confined and ready, read one model, wait for the end. parent: the process that has forked this one."""
    depend_on(parent)
    line = _Line(files)
    decoder = InPlace(limits, Notes(files.scene), decoders)
    model = memoryview(mmap.mmap(files.model, 0, access=mmap.ACCESS_READ))
    line.say(lacks=confine(), mapped=decoder.address_space())
    request = line.hear()
    if request:
        line.say(**_answer(request["name"], model[: request["bytes"]], _SideFiles(line, model), limits, decoder, files))
    line.hear()


def _answer(
    name: str, data: memoryview, side_files: _SideFiles, limits: Limits, decoder: InPlace, files: Files
) -> dict[str, Any]:
    try:
        return {"scene": _write(read_scene(data, name, side_files, limits, decoder), files.scene)}
    except SceneError as error:
        return {"error": type(error).__name__, "text": str(error)[:MOST_TEXT]}
    except MemoryError:
        return {"error": "LimitError", "text": f"{clean(name)}: takes more memory to read than is allowed"}
    except Exception as error:  # ours, in the end; but only this file is lost by it
        return {"error": "SceneError", "text": f"{clean(name)}: the reader fails on it: {_place(error)}"[:MOST_TEXT]}


def _write(scene: Scene, file: int) -> int:
    """Write a scene behind the notes. Bytes of the file."""
    end = SIZE
    try:
        for offset, piece in codec.encode(scene):
            end = max(end, _write_at(file, SIZE + offset, piece))
    except OSError as error:
        raise LimitError(f"{scene.name}: holds more than the bytes that are allowed") from error
    return end


def _write_at(file: int, at: int, piece: memoryview) -> int:
    """Write all of a piece, of which the system takes 2 GB at once. Where it ends."""
    while piece:
        written = os.pwrite(file, piece, at)
        at, piece = at + written, piece[written:]
    return at


def _place(error: Exception) -> str:
    """Kind, text and line of an error; `traceback` would open the source."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    return clean(f"{type(error).__name__}: {' '.join(str(error).split())[:100]}{where}")

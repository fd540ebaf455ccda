"""A child process that decodes for `guard.py`, one item after another. Imports nothing of the renderer.

Run as a script with the name of one decoder. It says that it is ready with an empty line; then, for each request (a
line of JSON, and the bytes to decode), it answers a line of JSON (`arrays`: name, dtype and shape of each, or `error`)
and the arrays' bytes. Before the first request it gives up files, sockets and core dumps; each request says how much
memory and time it has.
"""

from __future__ import annotations

import io
import json
import math
import resource
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Arrays: TypeAlias = dict[str, NDArray[Any]]
#: (bytes, names of the arrays that are wanted) → arrays by name.
Decoder: TypeAlias = Callable[[bytes, list[str]], Arrays]

_PAGE = resource.getpagesize()


def _draco() -> Decoder:
    """Attributes [points, components] by their unique id, and "faces", uint32 [triangles, 3]."""
    import DracoPy

    def decode(data: bytes, wanted: list[str]) -> Arrays:
        mesh = DracoPy.decode(data)
        arrays = {str(a["unique_id"]): np.asarray(a["data"]) for a in mesh.attributes}
        faces = getattr(mesh, "faces", None)
        if faces is None:
            raise ValueError("it holds points, triangles are needed")
        arrays["faces"] = np.asarray(faces)
        return {name: array for name, array in arrays.items() if name in wanted}

    return decode


def _ktx2() -> Decoder:
    """The largest level as "pixels", uint8 [height, width, 4]."""
    import opengl_basisu

    def decode(data: bytes, _wanted: list[str]) -> Arrays:
        return {"pixels": np.asarray(opengl_basisu.open(data).transcode("rgba8").data)}

    return decode


def _avif() -> Decoder:
    """The (first) picture as "pixels", uint8 [height, width, 4]."""
    from PIL.AvifImagePlugin import AvifImageFile  # `PIL.Image.open` would look for plug-ins, which are files

    def decode(data: bytes, _wanted: list[str]) -> Arrays:
        with AvifImageFile(io.BytesIO(data)) as picture:
            return {"pixels": np.asarray(picture.convert("RGBA"))}

    return decode


DECODERS: dict[str, Callable[[], Decoder]] = {"draco": _draco, "ktx2": _ktx2, "avif": _avif}


def _confine() -> None:
    """No file, no socket, nothing written to a disk: descriptors 0 to 2 are all there will ever be."""
    for kind, limit in ((resource.RLIMIT_NOFILE, 3), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (limit, limit))


def _address_space() -> int:
    """Bytes that are mapped now: interpreter and libraries, most of them never touched."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[0]) * _PAGE


def _bound(memory: int, seconds: float) -> None:
    """Limits for the next request: bytes of address space, and seconds of processor time from now on, rounded up."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    processor = math.ceil(usage.ru_utime + usage.ru_stime + seconds)
    for kind, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, processor)):
        _, most = resource.getrlimit(kind)  # a container's own limit stays
        resource.setrlimit(kind, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _answer(decode: Decoder, data: bytes, wanted: list[str]) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    try:
        arrays = {name: np.ascontiguousarray(array) for name, array in decode(data, wanted).items()}
    except MemoryError:
        return {"error": "", "memory": True}, []
    except Exception as error:  # whatever a decoder says about broken bytes
        return {"error": " ".join(str(error).split())[:100] or type(error).__name__}, []
    heads = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
    return {"arrays": heads}, list(arrays.values())


def main() -> None:
    """Serve requests until the parent closes the pipe."""
    decode = DECODERS[sys.argv[1]]()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    start = _address_space()
    _confine()
    answers.write(b"\n")
    answers.flush()
    while line := requests.readline():
        request = json.loads(line)
        _bound(start + request["memory"], request["seconds"])
        head, arrays = _answer(decode, requests.read(request["bytes"]), request["wanted"])
        answers.write(json.dumps(head).encode() + b"\n")
        for array in arrays:
            answers.write(array.data.cast("B") if array.size else b"")
        answers.flush()


if __name__ == "__main__":
    main()

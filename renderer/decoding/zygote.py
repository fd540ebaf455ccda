"""The process that forks confined ones: imports all that any model needs, once, so that a fork costs milliseconds.

It reads no model and answers two requests of its parent, over one socket: to fork a process that gets four descriptors,
and to say how a forked process has ended. Its forks share its memory until they write to it. It ends with its parent.
"""

from __future__ import annotations

import codecs
import gc
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any

from renderer.decoding import inside
from renderer.decoding.confine import depend_on
from renderer.decoding.worker import DECODERS, Decoder
from renderer.limits import Limits

#: Others go first: watching viewers before new models. Beside one that wants a processor whole, these get a quarter.
_NICE = 5
#: What is otherwise imported when a file of some kind comes, which a confined process no longer can.
_MODULES = (
    *("trimesh", "trimesh.exchange.load", "collada", "lxml.etree", "networkx", "xml.etree.ElementTree", "zipfile"),
    *("PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.WebPImagePlugin", "PIL.AvifImagePlugin", "meshopt"),
    *("renderer.foreign.threemf", "renderer.foreign.off", "renderer.foreign.trimesh_reader", "renderer.pose"),
)
#: Of texts and of names in archives.
_ENCODINGS = ("ascii", "latin-1", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp437", "iso8859-15")
_MOST_REQUEST = 1 << 16


def main() -> None:
    """Import, say so, and serve until the parent closes the socket. The last argument says what it has prepared."""
    given = json.loads(sys.argv[-1])
    depend_on(given["parent"])
    _stand_back()
    decoders = _import_all()
    gc.freeze()  # else the collector writes to every page, and forks share none
    with Connection(given["socket"]) as socket:
        socket.send_bytes(b"{}")
        with suppress(EOFError, ConnectionError):
            while True:
                _serve(socket, json.loads(socket.recv_bytes(_MOST_REQUEST)), decoders)


def _serve(socket: Connection, request: dict[str, Any], decoders: Mapping[str, Decoder]) -> None:
    if "reap" in request:
        _, status, used = os.wait4(request["reap"], 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "peak": used.ru_maxrss << 10}
        socket.send_bytes(json.dumps(answer).encode())
        return
    files = inside.Files(*[recv_handle(socket) for _ in inside.Files._fields])
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        try:
            socket.close()
            inside.serve(parent, files, Limits(**request["limits"]), decoders)
        finally:
            os._exit(1)
    for file in files:
        os.close(file)
    socket.send_bytes(json.dumps({"pid": pid}).encode())


def _stand_back() -> None:
    """Let others go first to a processor, and let the system end this process and its forks before any other."""
    os.nice(_NICE)
    with suppress(OSError):  # a system without /proc
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _import_all() -> dict[str, Decoder]:
    import PIL.Image

    PIL.Image.preinit()
    for name in _MODULES:
        with suppress(ImportError):  # who needs it says so
            import_module(name)
    for name in _ENCODINGS:
        codecs.lookup(name)
    return {kind: make() for kind, make in DECODERS.items()}

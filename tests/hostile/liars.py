"""A zygote whose forks read no model but do what a decoder that was taken over might; the file's name says what."""

from __future__ import annotations

import ctypes
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from renderer.decoding import inside, zygote
from renderer.decoding.inplace import InPlace
from renderer.errors import FormatError
from renderer.limits import Limits
from renderer.scene import Scene

#: For `starter._CODE`.
CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from tests.hostile.liars import main; main()"
_NOTHING = Scene("nothing", (), (), ())


class Life:
    """Everything that a confined process has: data, side files, its decoders."""

    def __init__(self, side_files: Any, decoder: InPlace) -> None:
        self.side_files, self.say, self.decoder = side_files, side_files.line.say, decoder
        self.answers, self.scene = side_files.line._answers, decoder._notes._file

    def crash(self) -> None:
        ctypes.string_at(0)

    def crash_in_an_item(self) -> None:
        with self.decoder._notes.doing("images[3] 'cup'"):
            ctypes.string_at(0)

    def abort(self) -> None:
        os.abort()

    def leave(self) -> None:
        os._exit(0)

    def hang(self) -> None:
        time.sleep(600)

    def spin(self) -> None:
        while True:
            pass

    def spin_in_an_item(self) -> None:
        with self.decoder._notes.doing("images[4]"):
            self.spin()

    def grow(self) -> None:
        kept = []
        while True:
            kept.append(bytearray(b"x") * (1 << 20))

    def fault(self) -> None:
        raise KeyError("nothing")

    def two_lines(self) -> None:
        raise FormatError("one\ntwo\x1b[2J")

    def unknown_error(self) -> None:
        self.say(error="SystemExit", text="away")

    def unknown_message(self) -> None:
        self.say(hello=1)

    def no_object(self) -> None:
        os.write(self.answers, b"[1, 2]\n")

    def no_json(self) -> None:
        os.write(self.answers, random.Random(1).randbytes(1000) + b"\n")

    def deep_json(self) -> None:
        os.write(self.answers, b"[" * 60_000 + b"\n")

    def endless_line(self) -> None:
        while True:
            os.write(self.answers, b"x" * 4096)

    def ask_without_listening(self) -> None:
        while True:
            self.say(ask="side.bin", limit=1)

    def ask_outside(self) -> None:
        text = []
        for uri in ("../secret.txt", "/etc/passwd", "link"):
            try:
                text.append(repr(self.side_files.read(uri, 1 << 20)))
            except FormatError:
                text.append("refused")
        raise FormatError(" ".join(text))

    def ask_for_more(self) -> None:
        self.side_files.read("side.bin", -5)

    def scene_of_nothing(self) -> None:
        self.say(scene=0)

    def scene_of_petabytes(self) -> None:
        self.say(scene=10**15)

    def scene_of_noise(self) -> None:
        os.pwrite(self.scene, random.Random(2).randbytes(1 << 20), 0)
        self.say(scene=1 << 20)

    def fill(self) -> None:
        at = 0
        try:
            while True:
                at += os.pwrite(self.scene, bytes(1 << 20), at)
        except OSError:
            self.say(scene=at)

    def escape(self) -> None:
        """Try what a confined process cannot; the error says what worked."""
        tries: dict[str, Callable[[], object]] = {
            "open": lambda: open("/etc/passwd"),  # noqa: SIM115
            "write": lambda: open("/tmp/vitrine-escaped", "w"),  # noqa: SIM115
            "stat": lambda: os.stat("/etc/passwd"),
            "list": lambda: os.listdir("/"),
            "delete": lambda: os.unlink("/tmp/vitrine-escaped"),
            "socket": socket.socket,
            "fork": os.fork,
            "program": lambda: subprocess.run(["/bin/true"], check=True),
            "replace": lambda: os.execv("/bin/true", ["true"]),
            "signal": lambda: os.kill(os.getppid(), 0),
            "pipe": os.pipe,
            "memory": lambda: os.memfd_create("x"),
            "raise": lambda: os.nice(-5),
            "trace": lambda: _call("ptrace", 16, os.getppid(), 0, 0),
            "peek": lambda: _call("process_vm_readv", os.getppid(), None, 0, None, 0, 0),
        }
        raise FormatError("escaped by: " + " ".join(name for name, attempt in tries.items() if _works(attempt)))


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _read_scene(data: memoryview, name: str, side_files: Any, limits: Limits, decoder: InPlace) -> Scene:
    getattr(Life(side_files, decoder), Path(name).stem)()
    time.sleep(600)
    return _NOTHING


def main() -> None:
    """As the real one, but for what the forks do."""
    inside.read_scene = _read_scene  # type: ignore[assignment]
    zygote.main()
    sys.exit()

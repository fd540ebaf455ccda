"""Owns helper processes that answer one JSON line with one: both ends of the pipe. Knows no measurement."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any

from benchmarks.errors import BenchError

_PATIENCE = 10.0  # seconds a process has to end by itself once nothing more is asked


class Companion:
    """A process that is started by the first question and again after it died. Use as a context manager.

    Raises BenchError when the process ends instead of answering. One question at a time.
    """

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self._name, self._command = name, tuple(command)
        self._process: subprocess.Popen[str] | None = None

    def ask(self, question: Any) -> Any:
        """The answer to anything that JSON can say."""
        process = self._process or self._start()
        stdin, stdout = _pipes(process)
        try:
            stdin.write(json.dumps(question) + "\n")
            stdin.flush()
            answer = stdout.readline()
        except (OSError, ValueError):
            answer = ""
        if not answer:
            self.close()
            raise BenchError(f"{self._name}: its process ended with status {process.returncode}")
        try:
            return json.loads(answer)
        except ValueError:
            self.close()
            raise BenchError(f"{self._name}: its process answered {answer[:100]!r}") from None

    @property
    def pid(self) -> int:
        """Of the process; it is started if need be."""
        return (self._process or self._start()).pid

    def kill(self) -> None:
        """End it at once; a question that is waiting fails. May be called from another thread."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Let it end by itself, or end it."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_PATIENCE)
        except (subprocess.TimeoutExpired, OSError, ValueError):
            process.kill()
            process.wait()

    def __enter__(self) -> Companion:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[str]:
        # a session of its own: Ctrl-C is for the measurement, which then ends its companions
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
        return self._process


def serve(opening: AbstractContextManager[Callable[[Any], Any]]) -> None:
    """The process's own end: one answer a line until the input ends. What libraries print goes nowhere.

    opening: gives what answers; entered when the pipe is safe from libraries that announce themselves.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    with out, opening as answer:
        for line in sys.stdin:
            out.write(json.dumps(answer(json.loads(line))) + "\n")
            out.flush()


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise BenchError("a helper process was started without pipes")
    return process.stdin, process.stdout

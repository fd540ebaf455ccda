"""The zygote from its parent's side: starts it, has it fork confined processes and say how they ended. Nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any, NamedTuple

from renderer.errors import DeviceError
from renderer.limits import Limits

_START_SECONDS = 60.0
_ANSWER_SECONDS = 60.0
_MOST_ANSWER = 1 << 10
#: Nothing of the parent's environment, where secrets are, and one thread for sums.
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "4"}
_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from renderer.decoding.zygote import main; main()"


class Ended(NamedTuple):
    """code: a process's exit code, or minus a signal's number. peak: the most memory it has had, bytes."""

    code: int
    peak: int


class Starter:
    """One zygote; threads may share it. It ends with the thread that makes it, or by `close`.

    Raises DeviceError when it cannot be started.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = Pipe()
        try:
            self._process = _start(theirs)
        except OSError as error:
            self._socket.close()
            raise DeviceError(f"no process for reading models can be started: {error.strerror}") from error
        finally:
            theirs.close()
        try:
            self._hear(_START_SECONDS)
        except DeviceError:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._socket.closed and self._process.poll() is None

    def fork(self, files: Sequence[int], limits: Limits) -> int:
        """The pid of a new process that reads one model. files: see `inside.Files`. Raises DeviceError."""
        with self._lock:
            self._say({"limits": asdict(limits)}, files)
            return int(self._hear(_ANSWER_SECONDS)["pid"])

    def reap(self, pid: int) -> Ended:
        """What became of a process that has been killed. Raises DeviceError."""
        with self._lock:
            self._say({"reap": pid})
            answer = self._hear(_ANSWER_SECONDS)
            return Ended(int(answer["code"]), int(answer["peak"]))

    def close(self) -> None:
        """End it, and with it every process that it has forked."""
        self._process.kill()  # who waits for its answer waits no longer
        with self._lock:  # else they could go on reading from a number that means another file by then
            self._process.wait()
            self._socket.close()

    def _say(self, message: dict[str, object], files: Sequence[int] = ()) -> None:
        try:
            self._socket.send_bytes(json.dumps(message).encode())
            for file in files:
                send_handle(self._socket, file, self._process.pid)
        except OSError as error:
            raise _ended() from error

    def _hear(self, seconds: float) -> dict[str, Any]:
        try:
            if not self._socket.poll(seconds):
                self._process.kill()  # what it says from now on would answer another question
                raise _ended()
            return dict(json.loads(self._socket.recv_bytes(_MOST_ANSWER)))
        except (EOFError, OSError) as error:
            raise _ended() from error


def _ended() -> DeviceError:
    return DeviceError("the process that starts readers of models has ended, or does not start")


def _start(socket: Connection) -> subprocess.Popen[bytes]:
    given = {"parent": os.getpid(), "socket": socket.fileno()}
    ours = Path(__file__).resolve().parents[2]  # an editable installation is found by a hook, which is not there
    paths = [str(ours), *(entry or str(Path.cwd()) for entry in sys.path)]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CODE, json.dumps(paths), json.dumps(given)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(socket.fileno(),),
        env=_ENVIRONMENT,
        cwd="/",
    )

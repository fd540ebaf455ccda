"""Owns the emulated link: two network namespaces with one process between them that delays and loses packets.

`python -m benchmarks.link SEED` is that process: two TUN devices, one `Pipe` each way. It needs no module of the kernel
but `tun`, and everything it made goes with it. Commands come as lines of JSON and are answered likewise.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from contextlib import suppress
from typing import Any

from benchmarks import namespaces
from benchmarks.companion import Companion
from benchmarks.conditions import Conditions, Moment, Schedule, conditions_from
from benchmarks.errors import BenchError
from benchmarks.namespaces import Namespace
from benchmarks.shaping import Pipe

SERVER, VIEWER = "198.51.100.1", "198.51.100.2"  # of a range for documentation
_PREFIX = 24
_PACKET = 2048  # bytes, more than the device's MTU
_AT_ONCE = 64  # packets read from one side before the other has its turn
_EAGER = -10  # nice: a link that waits for the processor behind what it measures would delay by that too
_DEFAULT_SEED = 20
CLEAR: Schedule = (Moment(0.0, Conditions()),)  # nothing is done to packets


class Link:
    """Use as a context manager. server, viewer: the two ends. Conditions may change while packets fly."""

    def __init__(self, schedule: Schedule = CLEAR, seed: int = _DEFAULT_SEED) -> None:
        self._schedule, self._seed = schedule, seed
        self._process = Companion("emulated link", [sys.executable, "-m", "benchmarks.link", str(seed)])
        self.server = self.viewer = Namespace("", "")

    def __enter__(self) -> Link:
        namespaces.demand()
        told = self._process.ask({"do": "open"})
        if "error" in told:
            self._process.close()
            raise BenchError(f"emulated link: {told['error']}")
        server, viewer = (f"/proc/{told['pid']}/fd/{told[side]}" for side in ("server", "viewer"))
        self.server, self.viewer = Namespace(server, SERVER), Namespace(viewer, VIEWER)
        self.change(self._schedule[0].conditions)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.close()

    def change(self, conditions: Conditions) -> None:
        """Other conditions from now on; what is left of a schedule is forgotten."""
        self.play((Moment(0.0, conditions),))

    def play(self, schedule: Schedule | None = None) -> float:
        """Begin a schedule, its own one by default, anew; `time.monotonic()` of its start."""
        moments = [[moment.at, moment.conditions.to_json()] for moment in schedule or self._schedule]
        return float(self._process.ask({"do": "play", "moments": moments})["start"])

    def tally(self) -> dict[str, Any]:
        """Packets, bytes and losses each way so far, and how late the link itself was (mean and most, seconds)."""
        told: dict[str, Any] = self._process.ask({"do": "tally"})
        return told


class _Emulator:
    """The process: moves packets between two TUN devices until its input ends."""

    def __init__(self, seed: int) -> None:
        calm = Conditions()
        self._up, self._down = Pipe(calm.up, seed), Pipe(calm.down, seed + 1)
        self._moments: list[tuple[float, Conditions]] = []  # when, what; soonest first
        self._late, self._latest, self._moved = 0.0, 0.0, 0
        origin = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._ends = {}
        self._tuns = []
        for side, address in (("server", SERVER), ("viewer", VIEWER)):
            self._ends[side] = namespaces.new_namespace()
            self._tuns.append(namespaces.open_tun("link0", address, _PREFIX))
        with Namespace(f"/proc/self/fd/{origin}", "").entered():
            os.close(origin)

    def run(self) -> None:
        """Until the input ends."""
        server, viewer = self._tuns
        commands = sys.stdin.fileno()
        ways = ((server, viewer, self._down), (viewer, server, self._up))
        while True:
            readable, _, _ = select.select([server, viewer, commands], [], [], self._patience())
            now = time.monotonic()
            self._follow(now)
            for source, target, pipe in ways:
                if source in readable:
                    _fill(pipe, source)
                for due, packet in pipe.pop(time.monotonic()):
                    with suppress(BlockingIOError, OSError):  # the far end is gone or full: a packet like any other
                        os.write(target, packet)
                    self._count(time.monotonic() - due)
            if commands in readable:
                line = sys.stdin.readline()
                if not line:
                    return
                _say(self._answer(json.loads(line)))

    def _patience(self) -> float | None:
        dues = [due for due in (self._up.due(), self._down.due()) if due is not None]
        dues += [at for at, _ in self._moments[:1]]
        return max(min(dues) - time.monotonic(), 0.0) if dues else None

    def _follow(self, now: float) -> None:
        while self._moments and self._moments[0][0] <= now:
            at, conditions = self._moments.pop(0)
            self._up.change(conditions.up, max(at, now))
            self._down.change(conditions.down, max(at, now))

    def _count(self, late: float) -> None:
        self._late += late
        self._latest = max(self._latest, late)
        self._moved += 1

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        match command["do"]:
            case "open":
                return {"pid": os.getpid(), **self._ends}
            case "play":
                start = time.monotonic()
                self._moments = [(start + at, conditions_from(data)) for at, data in command["moments"]]
                self._follow(start)
                return {"start": start}
            case _:
                late = {"mean": self._late / max(self._moved, 1), "max": self._latest}
                return {"up": self._up.tally.to_json(), "down": self._down.tally.to_json(), "late": late}


def _fill(pipe: Pipe, source: int) -> None:
    for _ in range(_AT_ONCE):
        try:
            packet = os.read(source, _PACKET)
        except BlockingIOError:
            return
        pipe.push(packet, time.monotonic())


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Move packets until the input ends."""
    with suppress(PermissionError):
        os.nice(_EAGER)
    try:
        emulator = _Emulator(int(sys.argv[1]))
    except BenchError as error:
        sys.stdin.readline()
        _say({"error": str(error)})
        return
    emulator.run()


if __name__ == "__main__":
    main()

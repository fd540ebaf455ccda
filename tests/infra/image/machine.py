"""One boot of an image under systemd-nspawn, in the instance's network; ended for certain when the block is left."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.infra.image.network import INSIDE

_POWEROFF = signal.SIGRTMIN + 4  # what systemd as process 1 takes for `poweroff`

#: What nspawn of Debian 12 refuses although no kernel of an instance does: the walls of processes that read models.
_OF_READERS = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"


class PointError(Exception):
    """Something that had to hold does not."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A booted image. leader: the pid of its process 1, seen from here."""

    process: subprocess.Popen[bytes]
    leader: int

    def run(self, *command: str, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
        """A command inside, as root."""
        enter = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False, timeout=seconds)

    def show(self, unit: str, what: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", unit, f"--property={what}", "--value").stdout.strip()

    def journal(self, unit: str = "") -> str:
        """Its last lines."""
        given = [f"--unit={unit}"] if unit else []
        return self.run("journalctl", "--no-pager", "--lines=40", "--output=cat", *given).stdout

    def poweroff(self, seconds: float) -> float:
        """How long it takes to end by itself, seconds."""
        begun = time.monotonic()
        subprocess.run(["kill", f"-{_POWEROFF:d}", str(self.leader)], check=True)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise PointError(f"it is not off after {seconds:g} s") from None
        if code != 0:
            raise PointError(f"the container ended with {code}")
        return time.monotonic() - begun


def until(holds: Callable[[], bool], seconds: float, what: str) -> float:
    """How long it took until something held, seconds. PointError when it does not in time."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > seconds:
            raise PointError(f"{what}: not within {seconds:g} s")
        time.sleep(0.3)
    return time.monotonic() - begun


@contextmanager
def booted(folder: Path, console: Path) -> Iterator[Machine]:
    """Boot the image; its console goes to a file."""
    command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no"]
    command += [f"--system-call-filter={_OF_READERS}"]
    command += [f"--network-namespace-path=/run/netns/{INSIDE}", "--capability=CAP_NET_ADMIN", "--resolv-conf=off"]
    with console.open("ab") as log:
        process = subprocess.Popen(
            ["nice", "-n", "5", *command, "-D", str(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield Machine(process, _leader(process))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _leader(process: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: process.poll() is not None or bool(children.read_text().split()), 10, "the container's first process")
    if process.poll() is not None:
        raise PointError(f"systemd-nspawn ended with {process.returncode}")
    return int(children.read_text().split()[0])

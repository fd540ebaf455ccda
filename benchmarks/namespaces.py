"""Owns network namespaces and TUN devices, as far as the emulated link needs them. Needs root and iproute2.

A namespace lives as long as a process or an open file holds it: nothing is named, so nothing is left behind.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.errors import BenchError, UsageError

_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_OWN = "/proc/thread-self/ns/net"
_TUN = "/dev/net/tun"


@dataclass(frozen=True, slots=True)
class Namespace:
    """One end of a link. path: a file that stands for the namespace; address: IPv4, of this end."""

    path: str
    address: str

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The same command, run inside."""
        return ["nsenter", f"--net={self.path}", *arguments]

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is inside while the block runs: sockets and processes that it makes belong there."""
        before, there = os.open(_OWN, os.O_RDONLY), os.open(self.path, os.O_RDONLY)
        try:
            _call("setns", there, _CLONE_NEWNET)
            try:
                yield
            finally:
                _call("setns", before, _CLONE_NEWNET)
        finally:
            os.close(there)
            os.close(before)


def missing() -> str | None:
    """What this machine lacks for an emulated link, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not os.path.exists(_TUN):
        return f"no {_TUN}"
    lacking = [name for name in ("ip", "nsenter") if shutil.which(name) is None]
    if lacking:
        return f"no {' and no '.join(lacking)} on PATH: apt-get install iproute2 util-linux"
    done = subprocess.run(["nsenter", f"--net={_OWN}", "true"], capture_output=True, check=False)
    return None if done.returncode == 0 else "this container may not enter network namespaces"


def demand() -> None:
    """UsageError that says what is missing."""
    reason = missing()
    if reason is not None:
        raise UsageError(f"no emulated network here: {reason}")


def new_namespace() -> int:
    """Move the calling thread into a new namespace with its loopback up; a file descriptor that holds it."""
    _call("unshare", _CLONE_NEWNET)
    _ip("link", "set", "lo", "up")
    return os.open(_OWN, os.O_RDONLY)


def open_tun(name: str, address: str, prefix: int) -> int:
    """A TUN device in the calling thread's namespace, up, with the default route; the non-blocking descriptor."""
    descriptor = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    _ip("link", "set", name, "addrgenmode", "none")
    _ip("address", "add", f"{address}/{prefix}", "dev", name)
    _ip("link", "set", name, "up")
    _ip("route", "add", "default", "dev", name)
    return descriptor


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise BenchError(f"{name}: {os.strerror(number)}")

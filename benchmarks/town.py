"""Small internets in network namespaces: a street, houses on it, routers between. Touches no other network.

A namespace is held by an open file of this process and vanishes with it: nothing is named, so nothing is left behind.
All addresses are of the ranges for documentation.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks import namespaces
from benchmarks.errors import BenchError


@dataclass(frozen=True, slots=True)
class House:
    """A namespace."""

    space: namespaces.Namespace

    @property
    def path(self) -> str:
        """A file that stands for it."""
        return self.space.path

    def run(self, command: str, given: str = "") -> str:
        """What a command inside says. Raises BenchError when it fails."""
        argv = self.space.command(command.split())
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode:
            raise BenchError(f"{command}: {done.stderr.strip()}")
        return done.stdout

    def rules(self, text: str) -> None:
        """nftables, as a file."""
        self.run("nft -f -", text)

    def route(self) -> None:
        """Make it a router."""
        self.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")


class Town:
    """Namespaces on one street. Use as a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._cables = 0

    def __enter__(self) -> Town:
        self.street = self.pave()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def build(self) -> House:
        """A namespace with its loopback up and nothing else."""
        opened: list[int] = []
        thread = threading.Thread(target=lambda: opened.append(namespaces.new_namespace()))  # entering moves a thread
        thread.start()
        thread.join()
        (descriptor,) = opened
        self._stack.callback(os.close, descriptor)
        house = House(namespaces.Namespace(f"/proc/{os.getpid()}/fd/{descriptor}", ""))
        # Addresses are usable at once: nobody else has them.
        house.run("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0")
        return house

    def pave(self) -> House:
        """Another street: houses on it reach each other."""
        street = self.build()
        street.run("ip link add street type bridge")
        street.run("ip link set street up")
        return street

    def connect(self, house: House, device: str, *addresses: str, street: House | None = None) -> None:
        """A cable from the street, or another one, to a house, whose end gets these addresses."""
        self._cables += 1
        near, street = f"house{self._cables}", street or self.street
        street.run(f"ip link add {near} type veth peer name {device} netns {house.path}")
        street.run(f"ip link set {near} master street up")
        _configure(house, device, addresses)

    def extend(self, router: House, house: House, near: str, inside: list[str], outside: list[str]) -> None:
        """A cable from a router (device `near`, addresses `inside`) to a house behind it (eth0, `outside`)."""
        router.run(f"ip link add {near} type veth peer name eth0 netns {house.path}")
        _configure(router, near, inside)
        _configure(house, "eth0", outside)
        for gateway in inside:
            version = "-6" if ":" in gateway else "-4"
            house.run(f"ip {version} route add default via {gateway.partition('/')[0]}")


def _configure(house: House, device: str, addresses: list[str] | tuple[str, ...]) -> None:
    house.run(f"ip link set {device} up")
    for address in addresses:
        house.run(f"ip address add {address} dev {device}")


@contextmanager
def town() -> Iterator[Town]:
    """An empty street."""
    with Town() as made:
        yield made

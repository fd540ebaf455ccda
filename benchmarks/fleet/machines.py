"""Owns the servers of a group: one starts for each instance that the group launches, and ends with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from benchmarks.companion import Companion
from benchmarks.errors import BenchError
from benchmarks.fleet.cloud import Cloud
from benchmarks.fleet.hosts import Fleet, Host
from benchmarks.fleet.places import Region
from fleet.fakes.autoscaling import State

LOOK_SECONDS = 0.1
_RUNNING = (State.PENDING, State.PENDING_WAIT, State.IN_SERVICE, State.TERMINATING_WAIT)


@dataclass(eq=False)
class Machines:
    """Use as a context manager. balancer: told which hosts are in service."""

    cloud: Cloud
    region: Region
    fleet: Fleet
    balancer: Companion
    hosts: dict[str, Host] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)  # killed by us: the group does not know yet
    _targets: list[str] = field(default_factory=list)
    _count: int = 0

    def __enter__(self) -> Machines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for host in self.hosts.values():
            host.kill()

    def step(self) -> None:
        """Do what the group's changes ask for."""
        states = self.cloud.group(lambda group: {each.id: each.state for each in group.members.values()})
        for name, state in states.items():
            if state in _RUNNING and name not in self.hosts:
                self._launch(name)
            elif state is State.TERMINATED and name in self.hosts:
                self.hosts.pop(name).kill()  # the machine is gone
        serving = [name for name, state in states.items() if state is State.IN_SERVICE and name in self.hosts]
        targets = [self.hosts[name].address for name in serving]
        if targets != self._targets:
            self._targets = targets
            self.balancer.ask({"targets": targets})

    def _launch(self, name: str) -> None:
        site = self.region.site(self._count)
        self._count += 1
        self.cloud.attach(name, site)
        self.hosts[name] = Host(self.fleet, name, site)

    def healthy(self) -> Sequence[str]:
        """Names of the hosts that the balancer sends to."""
        told = self.balancer.ask({})["healthy"]
        return [name for name, host in self.hosts.items() if host.address in told and name not in self.dead]

    def kill(self, name: str) -> None:
        """kill -9 of everything on it."""
        self.dead.add(name)
        self.hosts[name].kill()

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Go on until this holds. Raises BenchError."""
        deadline = time.monotonic() + seconds
        while True:
            self.step()
            if condition():
                return
            if time.monotonic() > deadline:
                raise BenchError(f"{what}: not within {seconds:.0f} s")
            time.sleep(LOOK_SECONDS)

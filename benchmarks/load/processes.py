"""Owns which process of a server is which: CPU seconds by role, and cores by role. Reads the process table only."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psutil

from benchmarks import machine

_ROLE = re.compile(r"(render|network|gateway)(-\d+)?")


def role_of(command: Sequence[str]) -> str:
    """ "render", "network", "gateway" or "main" by a process' command line; several of one role count together."""
    for word in command:
        match = _ROLE.fullmatch(word)
        if match is not None:
            return match[1]
    return "main"


def seconds_by_role(pid: int) -> dict[str, float]:
    """CPU seconds so far of a server's processes, added up by role."""
    found: dict[str, float] = {}
    for process in machine.tree(pid):
        try:
            times, role = process.cpu_times(), role_of(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        found[role] = found.get(role, 0.0) + times.user + times.system
    return found


def percent_by_role(before: dict[str, float], after: dict[str, float], seconds: float) -> dict[str, float]:
    """% of one core by role between two looks."""
    return {role: round(100 * (after[role] - before.get(role, 0.0)) / seconds, 1) for role in after}


def pin(pid: int, clients: Sequence[int]) -> dict[str, list[int]]:
    """Give the network processes the first core alone and everything else the others; which roles got which.

    With one core there is nothing to give: an empty answer.
    """
    cores = sorted(psutil.Process().cpu_affinity() or [])
    if len(cores) < 2:
        return {}
    given: dict[str, list[int]] = {"client": cores[1:]}
    for process in machine.tree(pid):
        role = role_of(process.cmdline())
        given[role] = cores[:1] if role == "network" else cores[1:]
        _give(process, given[role])
    for client in clients:
        _give(psutil.Process(client), cores[1:])
    return given


def _give(process: psutil.Process, cores: list[int]) -> None:
    """To every thread there is; later ones inherit it."""
    for thread in process.threads():
        psutil.Process(thread.id).cpu_affinity(cores)

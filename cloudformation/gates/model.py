"""What a gate is handed and what it gives back. Runs no tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

UNREADABLE = "unreadable"  # the rule of a finding that says: this template could not even be read


class GateError(Exception):
    """A gate that could not judge: a tool that is missing, that broke, or that came without its rules. Never a pass."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What one gate holds against one resource. resource: a logical id, or `Section/Name`, or "" for the file."""

    gate: str
    rule: str
    stack: str
    resource: str
    message: str = ""
    line: int = 0

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What an exception has to name, all of it."""
        return (self.gate, self.rule, self.stack, self.resource)

    def __str__(self) -> str:
        place = f"{self.stack}.{self.resource}" if self.resource else self.stack
        line = f" (line {self.line})" if self.line else ""
        return f"{self.gate}: {self.rule}: {place}{line}: {' '.join(self.message.split())}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a gate did. rules: how many it had; files: how many it read."""

    gate: str
    files: int
    rules: int
    findings: tuple[Finding, ...]
    seconds: float = 0.0


Gate = Callable[[Sequence[Path]], Outcome]

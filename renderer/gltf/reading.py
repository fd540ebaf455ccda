"""What one reading of one file carries from step to step: its JSON, its bytes, its budget, its warnings. No parsing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from renderer.decoding.guard import Decoder
from renderer.extensions.declaration import DerivedTexture
from renderer.gltf.accessors import Accessors, Array
from renderer.gltf.buffers import Buffers
from renderer.gltf.item import Item
from renderer.limits import Budget

_MOST_WARNINGS = 50


class Warnings:
    """Lines for `Scene.warnings`: each once, at most 50, then one that says there were more."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._more = False

    def add(self, line: str) -> None:
        """Keep one line, unless it is known already or there are too many."""
        if line in self._lines:
            return
        if len(self._lines) < _MOST_WARNINGS:
            self._lines[line] = None
        else:
            self._more = True

    def lines(self) -> tuple[str, ...]:
        """Everything kept, in order."""
        return (*self._lines, "and more warnings") if self._more else tuple(self._lines)


@dataclass(frozen=True, slots=True)
class Reading:
    """One file on its way to a Scene; handed to every step and to the hooks of every extension.

    guard: decodes what may do harm. extensions: those that the file says it uses.
    geometry: what was decoded of compressed buffer views, by view and the arrays wanted of it.
    derived: textures that are made of others when the pictures are there → their index, after the file's own.
    """

    root: Item
    budget: Budget
    buffers: Buffers
    accessors: Accessors
    warnings: Warnings
    guard: Decoder
    extensions: frozenset[str]
    geometry: dict[tuple[int, tuple[str, ...]], Mapping[str, Array]] = field(default_factory=dict)
    derived: dict[DerivedTexture, int] = field(default_factory=dict)

    def derive(self, derived: DerivedTexture) -> int:
        """The index of a derived texture, the same one for equal ones."""
        return self.derived.setdefault(derived, self.root.count("textures") + len(self.derived))

    def warn(self, line: str) -> None:
        """Add one line to the scene's warnings."""
        self.warnings.add(line)

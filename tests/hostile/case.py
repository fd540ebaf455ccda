"""One hostile model: the files it consists of, and what may become of it. Made by code, so that nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.glb import Glb

REFUSED = frozenset({"FormatError", "LimitError", "UnsupportedError"})
#: What is odd but does no harm may be shown as well.
ANY = REFUSED | {"scene"}
#: Stands in a file outside the model's folder; it must never come out anywhere.
SECRET = "TOPSECRET"


@dataclass(frozen=True, slots=True)
class Case:
    """files: name → content, the first one is the model. links: name → what it points to, as a symbolic link."""

    name: str
    files: Mapping[str, bytes]
    allowed: frozenset[str] = REFUSED
    links: Mapping[str, str] = field(default_factory=dict)

    def lay(self, folder: Path) -> Path:
        """Write it into a folder of its own, with a secret beside that. The model's path."""
        home = folder / self.name / "model"
        home.mkdir(parents=True)
        (folder / self.name / "secret.txt").write_text(SECRET)
        for name, target in self.links.items():
            (home / name).symlink_to(target)
        for name, data in self.files.items():
            (home / name).write_bytes(data)
        return home / next(iter(self.files))


def glb(name: str, made: Glb, allowed: frozenset[str] = REFUSED) -> Case:
    """A case of one GLB."""
    return Case(name, {f"{name}.glb": made.data()}, allowed)

"""A store whose network is the test: it counts, waits for a gate, fails on demand. And a gateway's parts around it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assets.errors import NotFoundError, StoreError
from assets.store import Asset, Progress
from streaming.ipc import Answer


@dataclass(eq=False)
class FakeStore:
    """Models of one version after the other; `asked` has every fetch. gates: fetches of that part wait for it."""

    folder: Path
    releases: dict[str, list[Asset]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    gates: dict[str, threading.Event] = field(default_factory=dict)
    error: StoreError | None = None  # of the next calls
    at_hand: bool = False  # no progress is told, as by a cache that has the file
    closed: bool = False
    changed: set[str] = field(default_factory=set)

    @property
    def stale(self) -> str | None:
        return None

    def publish(self, model: str, version: str, *parts: str, content: str = "ok") -> Asset:
        asset = Asset(model, model.title(), version, 100, parts=frozenset({"model", *parts}))
        self.releases.setdefault(model, []).append(asset)
        self.changed.add(model)
        for part in asset.parts:
            (self.folder / f"{model}-{version}-{part}.glb").write_text(content if part == "model" else "ok")
        return asset

    def list(self) -> Sequence[Asset]:
        self._may_fail()
        return [releases[-1] for _, releases in sorted(self.releases.items())]

    def stat(self, model: str, version: str | None = None) -> Asset:
        self._may_fail()
        for asset in reversed(self.releases.get(model, [])):
            if version in (None, asset.version):
                return asset
        raise NotFoundError(f"no model {model!r} of version {version}")

    def fetch(
        self, model: str, *, version: str | None = None, part: str = "model", progress: Progress | None = None
    ) -> Path:
        asset = self.stat(model, version)
        self.asked.append((model, asset.version, part))
        if progress is not None and not self.at_hand:
            progress(10, asset.bytes)
        if part in self.gates:
            self.gates[part].wait(10)
        self._may_fail()
        if progress is not None and not self.at_hand:
            progress(asset.bytes, asset.bytes)
        return self.folder / f"{model}-{asset.version}-{part}.glb"

    def warm(self, models: Sequence[str]) -> None:
        pass

    def refresh(self) -> set[str]:
        self._may_fail()
        changed, self.changed = self.changed, set()
        return changed

    def close(self) -> None:
        self.closed = True

    def _may_fail(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass(eq=False)
class FakeRender:
    """A render process that notes what it is asked to load; errors are raised instead, one a load, oldest first."""

    loads: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    async def prepare(self, method: str, **params: object) -> Answer:
        assert method == "load"
        if self.errors:
            raise self.errors.pop(0)
        self.loads.append(f"{params['model']} {params['version']}")
        return Answer({})

    async def request(self, method: str, **params: object) -> Answer:
        assert method == "loaded"
        return Answer(f"{params['model']} {params['version']}" in self.loads)

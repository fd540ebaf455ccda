"""Owns the reading of a suite: `config.json`, its scenarios, where their files are. Draws nothing, scores nothing.

A suite that cannot be read at all is a UsageError. A scenario at fault is named with its reason, and the others stay.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import UsageError

MAX_SIDE = 8192  # pixels
MAX_SCENARIOS = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # it becomes a file's name
_KEYS = frozenset(
    (
        *("name", "model", "environment", "orbit", "target", "verticalFoV", "dimensions", "skybox", "scoreBackground"),
        *("variant", "animation", "shadows", "cyclesTrust", "set", "features", "notes"),
    )
)


class Fault(ValueError):
    """What is wrong with one scenario; the message is one line."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One picture to make, in the suite's conventions.

    environment: a Radiance .hdr, None = darkness. orbit: theta, phi in degrees, radius in metres. target: metres. fov:
    vertical, degrees. skybox: whether the environment is drawn behind. score_background: whether it is scored, too.
    animation: index and time in seconds, None = as the file stands. trust: what the path tracer models otherwise than
    glTF, or "full".
    """

    name: str
    model: Path
    environment: Path | None
    orbit: tuple[float, float, float]
    target: tuple[float, float, float]
    fov: float
    width: int
    height: int
    skybox: bool = False
    score_background: bool = False
    variant: str | None = None
    animation: tuple[int, float] | None = None
    shadows: bool = False
    trust: str = "full"


@dataclass(frozen=True, slots=True)
class Suite:
    """Scenarios in the file's order. faults: name → what is wrong with it. notes: what was ignored."""

    root: Path
    scenarios: tuple[Scenario, ...]
    faults: Mapping[str, str]
    notes: tuple[str, ...]

    def reference(self, scenario: str, picture: str) -> Path:
        """Where a stored picture of a scenario would be; picture: e.g. "cycles.png"."""
        return self.root / "references" / scenario / picture


def read_suite(root: Path, only: tuple[str, ...] = ()) -> Suite:
    """Read `root`/config.json. only: names of scenarios, empty = all. Raises UsageError."""
    entries = _entries(root / "config.json")
    names = [_name(entry, index) for index, entry in enumerate(entries)]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise UsageError(f"{root}: two scenarios are called {twice[0]!r}")
    unknown = [name for name in only if name not in names]
    if unknown:
        raise UsageError(f"{root}: no scenario {unknown[0]!r}; there are: {', '.join(names)}")
    scenarios, faults = [], {}
    for name, entry in zip(names, entries, strict=True):
        if only and name not in only:
            continue
        try:
            scenarios.append(_scenario(root, name, entry))
        except Fault as fault:
            faults[name] = str(fault)
    return Suite(root, tuple(scenarios), faults, _notes(entries))


def _entries(path: Path) -> list[Mapping[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a readable suite: {error}") from error
    entries = document.get("scenarios") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{path}: no list of scenarios in it")
    if not 1 <= len(entries) <= MAX_SCENARIOS:
        raise UsageError(f"{path}: {len(entries)} scenarios; from 1 to {MAX_SCENARIOS} are allowed")
    return entries


def _name(entry: Mapping[str, Any], index: int) -> str:
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"scenario {index}: the name {name!r} cannot be a file's (letters, digits, '.', '_', '-')")
    return name


def _notes(entries: list[Mapping[str, Any]]) -> tuple[str, ...]:
    unknown = Counter(key for entry in entries for key in entry.keys() - _KEYS)
    return tuple(f"unknown key {key!r} ignored in {times} scenarios" for key, times in sorted(unknown.items()))


def _scenario(root: Path, name: str, entry: Mapping[str, Any]) -> Scenario:
    environment = entry.get("environment")
    animation = entry.get("animation")
    return Scenario(
        name=name,
        model=_file(root, entry, "model"),
        environment=None if environment is None else _file(root, entry, "environment"),
        orbit=_triple(entry, "orbit", ("theta", "phi", "radius")),
        target=_triple(entry, "target", ("x", "y", "z")),
        fov=_number(entry, "verticalFoV", 0.1, 179.0),
        width=_whole(_object(entry, "dimensions"), "width", 1, MAX_SIDE),
        height=_whole(_object(entry, "dimensions"), "height", 1, MAX_SIDE),
        skybox=_flag(entry, "skybox"),
        score_background=_flag(entry, "scoreBackground"),
        variant=_text(entry, "variant"),
        animation=None if animation is None else _animation(_object(entry, "animation")),
        shadows=_flag(entry, "shadows"),
        trust=_text(entry, "cyclesTrust") or "full",
    )


def _animation(entry: Mapping[str, Any]) -> tuple[int, float]:
    return _whole(entry, "index", 0, 1_000_000), _number(entry, "time", 0.0, 1e6)


def _file(root: Path, entry: Mapping[str, Any], key: str) -> Path:
    text = _text(entry, key)
    if not text:
        raise Fault(f"{key} is missing")
    path = root / text
    if not path.is_file():
        raise Fault(f"{key} {text}: no such file")
    return path


def _object(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key)
    if not isinstance(value, dict):
        raise Fault(f"{key} is {value!r}, an object was expected")
    return value


def _triple(entry: Mapping[str, Any], key: str, parts: tuple[str, str, str]) -> tuple[float, float, float]:
    value = _object(entry, key)
    first, second, third = (_number(value, part, -1e9, 1e9) for part in parts)
    return first, second, third


def _number(entry: Mapping[str, Any], key: str, low: float, high: float) -> float:
    value: Any = entry.get(key)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # NaN is in no range
        raise Fault(f"{key} is {value!r}, a number from {low:g} to {high:g} was expected")
    return float(value)


def _whole(entry: Mapping[str, Any], key: str, low: int, high: int) -> int:
    value = _number(entry, key, low, high)
    if value != int(value):
        raise Fault(f"{key} is {value!r}, a whole number was expected")
    return int(value)


def _flag(entry: Mapping[str, Any], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise Fault(f"{key} is {value!r}, true or false was expected")
    return value


def _text(entry: Mapping[str, Any], key: str) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise Fault(f"{key} is {value!r}, a text was expected")
    return value

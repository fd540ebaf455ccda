"""Owns how a network is described: the text of `--network`, what it means in each direction, and when it changes.

    loss=2%,delay=40ms,rate=2mbit,queue=300ms
    rate=4mbit,delay=20ms;8s:rate=1mbit;18s:rate=4mbit
    down.rate=2mbit,up.rate=500kbit

Settings are separated by commas and hold for both directions unless they begin with `up.` (to the server) or `down.`.
After a semicolon come changes, each with its time from the start; what a change does not name stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.errors import UsageError

DEFAULT_QUEUE = 0.3  # seconds of the rate that may wait, where a rate but no queue is given
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_BITS = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
_BYTES = {"b": 1, "kb": 1000, "mb": 1_000_000}
_VALUE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-z%]+)")
_KEYS = ("delay", "jitter", "loss", "rate", "queue")
_LONGEST = 60.0  # seconds of delay or queue
_LEAST_RATE = 8e3  # bits per second: a packet may take 1.5 s, no longer


@dataclass(frozen=True, slots=True)
class Way:
    """One direction. delay: seconds, one way; jitter: seconds that are added at random, order kept; loss: 0 to 1, at
    random; rate: bits per second, 0 = unlimited; queue: what may wait for the rate, in seconds of it, or in bytes.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rate: float = 0.0
    queue: float = DEFAULT_QUEUE
    queue_bytes: int = 0

    @property
    def room(self) -> float:
        """Bytes that may wait for the rate; the rest is dropped at the tail."""
        return float(self.queue_bytes) if self.queue_bytes else self.rate * self.queue / 8


@dataclass(frozen=True, slots=True)
class Conditions:
    """Both directions, as the viewer sees them."""

    up: Way = Way()
    down: Way = Way()

    def to_json(self) -> dict[str, Any]:
        """What `conditions_from` reads."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Moment:
    """From `at` seconds after the start on, these conditions hold."""

    at: float
    conditions: Conditions


Schedule = tuple[Moment, ...]  # the first at 0, times rise


def conditions_from(data: Mapping[str, Mapping[str, Any]]) -> Conditions:
    """What `to_json` wrote."""
    return Conditions(Way(**data["up"]), Way(**data["down"]))


def parse(text: str) -> Schedule:
    """Read the text of `--network`. UsageError names the part that is wrong and what is allowed."""
    moments: list[Moment] = []
    conditions = Conditions()
    for part in text.lower().replace(" ", "").split(";"):
        at, _, settings = part.rpartition(":")
        time = _time(at) if at else 0.0
        if moments and (not at or time <= moments[-1].at):
            raise UsageError(f"--network: {part!r} needs a time after {moments[-1].at:g}s, as in 8s:rate=1mbit")
        if not moments and time:
            raise UsageError(f"--network: the first part, {part!r}, holds from the start and has no time")
        for setting in settings.split(","):
            conditions = _set(conditions, setting)
        moments.append(Moment(time, conditions))
    return tuple(moments)


def _set(conditions: Conditions, setting: str) -> Conditions:
    key, equals, value = setting.partition("=")
    side, dot, name = key.rpartition(".")
    if not equals or name not in _KEYS or (dot and side not in ("up", "down")):
        raise UsageError(f"--network: {setting!r} is none of {', '.join(_KEYS)}, up.… or down.… with =value")
    changed = {name: _read(name, value)}
    if name == "queue":
        changed = _queue(value)
    sides = (side,) if dot else ("up", "down")
    return replace(conditions, **{each: replace(getattr(conditions, each), **changed) for each in sides})


def _read(name: str, value: str) -> Any:
    if name == "loss":
        number, _ = _number(name, value, {"%": 0.01})
        if number > 1:
            raise UsageError(f"--network: loss={value} is more than 100%")
        return number
    if name == "rate":
        if value == "none":
            return 0.0
        number, _ = _number(name, value, _BITS)
        if number < _LEAST_RATE:
            raise UsageError(f"--network: rate={value} is less than 8kbit")
        return number
    return 0.0 if name == "queue" else _time(value, name)


def _queue(value: str) -> dict[str, Any]:
    number, unit = _number("queue", value, _SECONDS | _BYTES)
    if unit in _BYTES:
        return {"queue_bytes": round(number)}
    return {"queue": min(number, _LONGEST), "queue_bytes": 0}


def _time(value: str, name: str = "time") -> float:
    number, _ = _number(name, value, _SECONDS)
    if number > _LONGEST and name != "time":
        raise UsageError(f"--network: {name}={value} is more than {_LONGEST:g}s")
    return number


def _number(name: str, value: str, units: Mapping[str, float]) -> tuple[float, str]:
    match = _VALUE.fullmatch(value)
    if match is None or match[2] not in units:
        raise UsageError(f"--network: {name}={value!r} must be a number with one of the units {', '.join(units)}")
    return float(match[1]) * units[match[2]], match[2]

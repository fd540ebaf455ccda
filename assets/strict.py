"""JSON from outside, read strictly: every value is asked for its type and bounds, a wrong one is named by its place."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from assets.errors import CorruptError

_SHOWN = 60  # characters of a wrong value in a message


class Value:
    """One value and its place (`file: models.chair.title`). Methods raise CorruptError when it is of another kind."""

    __slots__ = ("_above", "_name", "raw")

    def __init__(self, raw: object, name: str | int, above: Value | None = None) -> None:
        self.raw = raw
        self._name, self._above = name, above

    @property
    def place(self) -> str:
        """Where it stands; put together only when something is wrong, since a manifest has a million values."""
        if self._above is None:
            return f"{self._name}:"
        if isinstance(self._name, int):
            return f"{self._above.place}[{self._name}]"
        shown = self._name if len(self._name) <= _SHOWN else self._name[:_SHOWN] + "…"
        return f"{self._above.place}{' ' if self._above.is_root else '.'}{shown}"

    @property
    def is_root(self) -> bool:
        """Whether it is the document itself."""
        return self._above is None

    def wrong(self, allowed: str) -> CorruptError:
        """The error that this value deserves, for the caller to raise."""
        shown = repr(self.raw)
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
        return CorruptError(f"{self.place}: {shown}; it must be {allowed}")

    def member(self, name: str) -> Value:
        """A member that must be there."""
        found = self._object().get(name, _ABSENT)
        if found is _ABSENT:
            raise CorruptError(f"{self.place}: no member {name!r}")
        return Value(found, name, self)

    def optional(self, name: str) -> Value | None:
        """A member, or None when it is absent or null."""
        found = self._object().get(name)
        return None if found is None else Value(found, name, self)

    def members(self, most: int) -> list[tuple[str, Value]]:
        """All members, at most so many."""
        found = self._object()
        if len(found) > most:
            raise CorruptError(f"{self.place}: {len(found)} members; at most {most} are allowed")
        return [(name, Value(value, name, self)) for name, value in found.items()]

    def items(self, most: int) -> list[Value]:
        """An array's items, at most so many."""
        if not isinstance(self.raw, list):
            raise self.wrong("an array")
        if len(self.raw) > most:
            raise CorruptError(f"{self.place}: {len(self.raw)} items; at most {most} are allowed")
        return [Value(item, number, self) for number, item in enumerate(self.raw)]

    def every(self, name: str, most: int) -> list[Value]:
        """The items of a member; none when it is absent."""
        found = self.optional(name)
        return [] if found is None else found.items(most)

    def text(self, most: int, pattern: re.Pattern[str] | None = None) -> str:
        """A string of at most so many characters, all of it as the pattern says."""
        if not isinstance(self.raw, str):
            raise self.wrong("a string")
        if len(self.raw) > most:
            raise self.wrong(f"of at most {most} characters")
        if not self.raw.isascii() and any(0xD800 <= ord(letter) < 0xE000 for letter in self.raw):
            raise self.wrong("Unicode text; it has half a surrogate pair")
        if pattern is not None and pattern.fullmatch(self.raw) is None:
            raise self.wrong(f"as {pattern.pattern} says")
        return self.raw

    def count(self, most: int) -> int:
        """A whole number from 0."""
        if not isinstance(self.raw, int) or isinstance(self.raw, bool) or not 0 <= self.raw <= most:
            raise self.wrong(f"a whole number from 0 to {most}")
        return self.raw

    def number(self, most: int) -> float:
        """A finite number from 0; a whole one stays an int."""
        if not isinstance(self.raw, int | float) or isinstance(self.raw, bool) or not 0 <= self.raw <= most:
            raise self.wrong(f"a number from 0 to {most}")
        return self.raw

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.raw, bool):
            raise self.wrong("true or false")
        return self.raw

    def _object(self) -> dict[str, object]:
        if not isinstance(self.raw, dict):
            raise self.wrong("an object")
        return self.raw


_ABSENT = object()


def parse(name: str, data: bytes) -> Value:
    """The document `name`. Raises CorruptError when it is not JSON in UTF-8, or says the same member twice."""
    try:
        raw = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"{name}: not JSON: {str(error)[:200]}") from error
    return Value(raw, name)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"member {name[:_SHOWN]!r} twice in one object")
        found[name] = value
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:_SHOWN]} is too large")
    return value

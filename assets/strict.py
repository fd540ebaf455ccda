"""JSON from outside, read strictly: every value is asked for its type and bounds, a wrong one is named by its place."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import NoReturn

from assets.errors import CorruptError

_SHOWN = 60  # characters of a wrong value in a message


@dataclass(frozen=True, slots=True)
class Value:
    """One value and its place (`file: models.chair.title`). Methods raise CorruptError when it is of another kind."""

    raw: object
    place: str

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
        return self._below(name, found)

    def optional(self, name: str) -> Value | None:
        """A member, or None when it is absent or null."""
        found = self._object().get(name)
        return None if found is None else self._below(name, found)

    def members(self, most: int) -> list[tuple[str, Value]]:
        """All members, at most so many."""
        found = self._object()
        if len(found) > most:
            raise CorruptError(f"{self.place}: {len(found)} members; at most {most} are allowed")
        return [(name, self._below(name, value)) for name, value in found.items()]

    def items(self, most: int) -> list[Value]:
        """An array's items, at most so many."""
        if not isinstance(self.raw, list):
            raise self.wrong("an array")
        if len(self.raw) > most:
            raise CorruptError(f"{self.place}: {len(self.raw)} items; at most {most} are allowed")
        return [Value(item, f"{self.place}[{number}]") for number, item in enumerate(self.raw)]

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
        if any(0xD800 <= ord(letter) < 0xE000 for letter in self.raw):
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

    def _below(self, name: str, found: object) -> Value:
        shown = name if len(name) <= _SHOWN else name[:_SHOWN] + "…"
        separator = " " if self.place.endswith(":") else "."
        return Value(found, f"{self.place}{separator}{shown}")


_ABSENT = object()


def parse(name: str, data: bytes) -> Value:
    """The document `name`. Raises CorruptError when it is not JSON in UTF-8, or says the same member twice."""
    try:
        raw = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"{name}: not JSON: {str(error)[:200]}") from error
    return Value(raw, f"{name}:")


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

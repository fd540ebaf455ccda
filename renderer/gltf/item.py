"""One JSON object of a glTF file with typed, checked reads. The only place where raw JSON values are touched.

Every read states what is allowed and raises a FormatError that names the place, the value and what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from renderer.errors import FormatError

#: Largest finite float32: every number of a scene ends in one.
LARGEST = 3.4028234e38
_NAME_LENGTH = 200


def show(value: object) -> str:
    """A value for a one-line message: `repr`, at most 60 characters."""
    text = (
        ascii(value)
        if not isinstance(value, Mapping | list)
        else f"a JSON {'object' if isinstance(value, Mapping) else 'array'}"
    )
    return text if len(text) <= 60 else text[:57] + "..."


class Item:
    """A JSON object at a known place of the file.

    values: the object. place: e.g. ``meshes[0].primitives[1]``, for messages. root: the file's outermost item.
    """

    __slots__ = ("_root", "place", "values")

    def __init__(self, values: object, place: str = "", root: Item | None = None) -> None:
        if not isinstance(values, dict):
            raise FormatError(f"{place or 'the JSON text'} is {show(values)}, a JSON object is needed")
        self.values: dict[str, Any] = values
        self.place = place
        self._root = root

    @property
    def root(self) -> Item:
        """The file's outermost object."""
        return self if self._root is None else self._root

    def at(self, key: str) -> str:
        """The name of `key` of this item, for messages."""
        return f"{self.place}.{key}" if self.place else key

    def has(self, key: str) -> bool:
        """Whether `key` is given at all (a JSON null counts as not given)."""
        return self.values.get(key) is not None

    def fail(self, key: str, allowed: str) -> FormatError:
        """The error for a value that is not what is allowed."""
        if not self.has(key):
            return FormatError(f"{self.at(key)} is missing, {allowed} is needed")
        return FormatError(f"{self.at(key)} is {show(self.values[key])}, {allowed} is needed")

    def integer(self, key: str, default: int | None = None, minimum: int = 0, maximum: int | None = None) -> int:
        """A whole number in [minimum, maximum]; missing without a default is an error."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        allowed = f"a whole number from {minimum}" + ("" if maximum is None else f" to {maximum}")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fail(key, allowed)
        if value < minimum or (maximum is not None and value > maximum):
            raise self.fail(key, allowed)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number that fits a float32; missing without a default is an error."""
        value: Any = self.values.get(key)
        if value is None and default is not None:
            return default
        if not _is_number(value):
            raise self.fail(key, "a finite number")
        return float(value)

    def numbers(self, key: str, count: int, default: Sequence[float] | None = None) -> tuple[float, ...]:
        """Exactly `count` finite numbers; missing without a default is an error."""
        value = self.values.get(key)
        if value is None and default is not None:
            return tuple(default)
        if not isinstance(value, list) or len(value) != count or not all(map(_is_number, value)):
            raise FormatError(f"{self.at(key)} is {_show_list(value)}, {count} finite numbers are needed")
        return tuple(float(v) for v in value)

    def boolean(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def string(self, key: str, default: str | None = None) -> str:
        """A string; missing without a default is an error."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.fail(key, "a string")
        return value

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of the `allowed` strings."""
        value = self.string(key, default)
        if value not in allowed:
            raise self.fail(key, "one of " + ", ".join(allowed))
        return value

    def name(self) -> str:
        """The item's name: printable, at most 200 characters, empty when it has none."""
        value = self.values.get("name")
        return clean(value) if isinstance(value, str) else ""

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of strings, empty when missing."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.fail(key, "an array of strings")
        return tuple(map(clean, value))

    def child(self, key: str) -> Item:
        """The object under `key`; an empty one when missing."""
        value = self.values.get(key)
        return Item({} if value is None else value, self.at(key), self.root)

    def optional(self, key: str) -> Item | None:
        """The object under `key`, or None when missing."""
        return self.child(key) if self.has(key) else None

    def items(self, key: str) -> list[Item]:
        """The objects of the array under `key`, empty when missing."""
        return [Item(v, f"{self.at(key)}[{i}]", self.root) for i, v in enumerate(self._array(key))]

    def item(self, key: str, index: int) -> Item:
        """Object `index` (known to be valid) of the array under `key`."""
        return Item(self._array(key)[index], f"{self.at(key)}[{index}]", self.root)

    def count(self, key: str) -> int:
        """Length of the array under `key`, 0 when missing."""
        return len(self._array(key))

    def index(self, key: str, target: str, required: bool = False) -> int | None:
        """An index into the root's array `target`, or None when missing and not required."""
        if not self.has(key) and not required:
            return None
        return self.index_below(key, self.root.count(target), target)

    def index_below(self, key: str, count: int, target: str) -> int:
        """An index below `count`, the number of `target` there are."""
        value = self.integer(key)
        if value >= count:
            raise FormatError(f"{self.at(key)} is {show(value)}, but there are only {count} {target}")
        return value

    def indices(self, key: str, target: str) -> list[int]:
        """A list of indices into the root's array `target`, empty when missing."""
        count = self.root.count(target)
        values = self._array(key)
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
                raise FormatError(f"{self.at(key)} holds {show(value)}, indices below {count} ({target}) are allowed")
        return values

    def integers(self, key: str) -> list[int]:
        """A list of whole numbers ≥ 0, empty when missing."""
        values = self._array(key)
        if not all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in values):
            raise FormatError(f"{self.at(key)} is {_show_list(values)}, whole numbers from 0 are needed")
        return values

    def extension(self, name: str) -> Item | None:
        """The object of an extension of this item, or None."""
        extensions = self.optional("extensions")
        return None if extensions is None else extensions.optional(name)

    def _array(self, key: str) -> list[Any]:
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.fail(key, "a JSON array")
        return value


def clean(text: str) -> str:
    """Printable text of at most 200 characters: no control characters, no lone surrogates."""
    text = text[:_NAME_LENGTH].encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in text)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -LARGEST <= value <= LARGEST and math.isfinite(value)


def _show_list(value: object) -> str:
    if not isinstance(value, list):
        return show(value)
    return "[" + ", ".join(show(v) for v in value[:4]) + (f", … {len(value)} values]" if len(value) > 4 else "]")

"""Scenes ↔ bytes that another process has made: by the types that `renderer.scene` declares, and by nothing else.

The bytes: a header, the arrays one after another, then a tree in JSON. The tree has one JSON object for each dataclass,
without the fields that have their defaults; what stands where is known from the declared types, so that it names no
class. An array is an index into a table of (shape, offset). Nothing is executed, guessed or converted: whatever is not
of its declared type, is not finite or lies outside is a ValueError.
"""

from __future__ import annotations

import functools
import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import IntEnum
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from renderer.scene import Scene

Array: TypeAlias = NDArray[Any]

_MAGIC = b"vitrine1"
#: Magic, offset and length of the tree.
_HEADER = struct.Struct("<8sQQ")
#: Arrays begin at multiples of this, a cache line.
_ALIGNMENT = 64
_MOST_DIMENSIONS = 4
_MOST_INTEGER = 1 << 53


@dataclass(slots=True)
class Packing:
    """Arrays on their way out: each once, however often the scene uses it. end: where the next one may begin."""

    table: list[tuple[tuple[int, ...], int]] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    end: int = _HEADER.size
    _known: dict[int, int] = field(default_factory=dict)

    def add(self, array: Array) -> int:
        """The index of an array of the scene (which keeps it alive, so that its id is its own)."""
        if id(array) not in self._known:
            offset = -(-self.end // _ALIGNMENT) * _ALIGNMENT
            self._known[id(array)] = len(self.table)
            self.table.append((array.shape, offset))
            self.arrays.append(array)
            self.end = offset + array.nbytes
        return self._known[id(array)]


@dataclass(slots=True)
class Unpacking:
    """Arrays on their way in, as views of `data`, uint8 [bytes]: each made once."""

    data: NDArray[np.uint8]
    table: list[Any]
    _made: dict[tuple[int, str], Array] = field(default_factory=dict)

    def array(self, index: object, dtype: np.dtype[Any]) -> Array:
        """Array `index` of the table, whose elements are `dtype`."""
        if type(index) is not int or not 0 <= index < len(self.table):
            raise ValueError("no such array")
        key = (index, dtype.str)
        if key not in self._made:
            shape, offset = self.table[index]
            self._made[key] = self._make(shape, offset, dtype)
        return self._made[key]

    def _make(self, shape: Any, offset: Any, dtype: np.dtype[Any]) -> Array:
        if not isinstance(shape, list) or len(shape) > _MOST_DIMENSIONS or not all(map(_is_size, (*shape, offset))):
            raise ValueError("an array without a shape")
        size = math.prod(shape) * dtype.itemsize
        if offset % _ALIGNMENT or offset + size > len(self.data):
            raise ValueError("an array outside of the data")
        return self.data[offset : offset + size].view(dtype).reshape(shape)


class Coder(NamedTuple):
    """How values of one type become JSON, and again what they were."""

    pack: Callable[[Any, Packing], Any]
    unpack: Callable[[Any, Unpacking], Any]


def encode(scene: Scene) -> Iterator[tuple[int, memoryview]]:
    """(offset, bytes) of each piece of the scene, to be written in any order. The last one is the header."""
    packing = Packing()
    tree = _coder(Scene).pack(scene, packing)
    text = json.dumps({"scene": tree, "arrays": packing.table}, allow_nan=False, separators=(",", ":")).encode()
    for (_, offset), array in zip(packing.table, packing.arrays, strict=True):
        if array.size:
            yield offset, np.ascontiguousarray(array).data.cast("B")
    yield packing.end, memoryview(text)
    yield 0, memoryview(_HEADER.pack(_MAGIC, packing.end, len(text)))


def decode(data: NDArray[np.uint8], most_tree: int) -> Scene:
    """The scene in `data`, uint8 [bytes], its arrays views of it. most_tree: bytes that its tree may have.

    Raises ValueError. That an index is within its list is not checked here but in `promises.py`.
    """
    if len(data) < _HEADER.size:
        raise ValueError("no header")
    magic, offset, length = _HEADER.unpack(data[: _HEADER.size].tobytes())
    if magic != _MAGIC or length > most_tree or offset + length > len(data):
        raise ValueError("a wrong header")
    try:
        tree = json.loads(data[offset : offset + length].tobytes(), parse_constant=_refuse)
        if not isinstance(tree, dict) or not isinstance(tree["arrays"], list):
            raise ValueError("a tree without arrays")
        scene = _coder(Scene).unpack(tree["scene"], Unpacking(data, tree["arrays"]))
    except (TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__} in the tree") from error
    if not isinstance(scene, Scene):
        raise ValueError("no scene")
    return scene


# ---------------------------------------------------------------------------------------------- by declared type


@functools.cache
def _coder(hint: Any) -> Coder:
    """The coder of a declared type; TypeError for a kind of declaration that `renderer.scene` does not have."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return _scalar(hint)
    if origin in (Union, UnionType):
        return _optional(_coder(*(a for a in arguments if a is not NoneType)))
    if origin is Literal:
        return _literal(frozenset(arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return _sequence(arguments[0])
    if origin is tuple:
        return _row(arguments)
    if origin is not None and issubclass(origin, np.ndarray):
        return _array(np.dtype(get_args(arguments[1])[0]))
    if origin is frozenset:
        return _converted(_sequence(arguments[0]), frozenset)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(*arguments)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return _converted(_scalar(int), hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint)
    raise TypeError(f"no way to send {hint}")


#: What a value of each scalar type must be besides of it.
_SCALARS: dict[type, Callable[[Any], bool]] = {
    bool: lambda value: isinstance(value, bool),
    int: lambda value: -_MOST_INTEGER <= value <= _MOST_INTEGER,
    float: math.isfinite,
    str: str.isprintable,
}


def _scalar(kind: type) -> Coder:
    sound = _SCALARS[kind]

    def unpack(value: Any, _: Unpacking) -> Any:
        if type(value) is not kind or not sound(value):
            raise ValueError(f"no {kind.__name__}")
        return value

    return Coder(lambda value, _: kind(value), unpack)


def _optional(coder: Coder) -> Coder:
    pack, unpack = coder
    return Coder(
        lambda value, packing: None if value is None else pack(value, packing),
        lambda value, unpacking: None if value is None else unpack(value, unpacking),
    )


def _literal(allowed: frozenset[str]) -> Coder:
    def unpack(value: Any, _: Unpacking) -> Any:
        if type(value) is not str or value not in allowed:
            raise ValueError("not one of those allowed")
        return value

    return Coder(lambda value, _: value, unpack)


def _sequence(hint: Any) -> Coder:
    """tuple[T, ...]"""
    pack, unpack = _coder(hint)
    return Coder(
        lambda values, packing: [pack(value, packing) for value in values],
        lambda values, unpacking: tuple([unpack(value, unpacking) for value in _list(values)]),
    )


def _row(hints: tuple[Any, ...]) -> Coder:
    """tuple[A, B, C]"""
    coders = [_coder(hint) for hint in hints]

    def pack(values: Any, packing: Packing) -> Any:
        return [coder.pack(value, packing) for coder, value in zip(coders, values, strict=True)]

    def unpack(values: Any, unpacking: Unpacking) -> Any:
        return tuple([coder.unpack(value, unpacking) for coder, value in zip(coders, _list(values), strict=True)])

    return Coder(pack, unpack)


def _mapping(key: Any, value: Any) -> Coder:
    pack, unpack = _sequence(tuple[key, value])
    return Coder(
        lambda values, packing: pack(values.items(), packing),
        lambda values, unpacking: dict(unpack(values, unpacking)),
    )


def _converted(coder: Coder, kind: Callable[[Any], Any]) -> Coder:
    return Coder(coder.pack, lambda value, unpacking: kind(coder.unpack(value, unpacking)))


def _array(dtype: np.dtype[Any]) -> Coder:
    def pack(value: Any, packing: Packing) -> Any:
        if value.dtype != dtype:
            raise TypeError(f"an array of {value.dtype} where {dtype} is declared")
        return packing.add(value)

    return Coder(pack, lambda value, unpacking: unpacking.array(value, dtype))


def _record(kind: type) -> Coder:
    hints = get_type_hints(kind)
    coders = {f.name: _coder(hints[f.name]) for f in fields(kind)}
    defaults = {f.name: f.default for f in fields(kind)}
    required = {name for name in coders if defaults[name] is MISSING}
    required -= {f.name for f in fields(kind) if f.default_factory is not MISSING}

    def pack(value: Any, packing: Packing) -> Any:
        packed = {}
        for name, coder in coders.items():
            given = getattr(value, name)
            if given is not defaults[name]:
                packed[name] = coder.pack(given, packing)
        return packed

    def unpack(packed: Any, unpacking: Unpacking) -> Any:
        if not isinstance(packed, dict) or not packed.keys() >= required:
            raise ValueError(f"no {kind.__name__}")
        return kind(**{name: coders[name].unpack(value, unpacking) for name, value in packed.items()})

    return Coder(pack, unpack)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("no list")
    return value


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST_INTEGER


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} in the tree")

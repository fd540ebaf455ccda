"""From honest models to hostile ones: every function takes a random generator, so that a number names a file."""

from __future__ import annotations

import copy
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.unit.glb import Glb

#: What stands where a value was.
NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 3, 7, -1, 255, 65535, 65536, 2**31, 2**32 - 1, 2**53, 10**30, -(10**30), 10**400),
    *(0.5, -0.5, 1e-320, 1e30, -1e38, 1e308, 5120, 5121, 5122, 5123, 5125, 5126, 4, 5, 6),
    *("", "0", "VEC2", "VEC3", "VEC4", "SCALAR", "MAT4", "BLEND", "data:,", "data:;base64,AAAA", "../x", "x.bin"),
    *("\ud800", "a\n", "ATTRIBUTES", "TRIANGLES", "OCTAHEDRAL", "EXPONENTIAL", "CUBICSPLINE", "weights", "pointer"),
    *([], {}, [0], [[]], [{}], {"a": 1}, [0] * 16, [1e38] * 3, [0, 0], [1, 1, 1], [2**31], [0] * 5000),
)
#: What stands where four bytes of a length, a count or a number were.
WORDS = tuple(
    struct.pack("<I", value & 0xFFFFFFFF)
    for value in (
        0,
        1,
        2,
        3,
        255,
        256,
        65535,
        65536,
        1 << 24,
        1 << 28,
        (1 << 31) - 1,
        1 << 31,
        -1,
        0x7F800000,
        0x7FC00000,
    )
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield value, key
        yield from places(child)


def copied(glb: Glb) -> Glb:
    """A copy that may be changed; its buffers say how long they are."""
    made = Glb()
    made.json = copy.deepcopy(glb.json)
    made.json.setdefault("buffers", [{"byteLength": len(glb.binary)}])
    made.binary = bytearray(glb.binary)
    return made


def change_document(rng: random.Random, glb: Glb, others: Sequence[Glb]) -> bytes:
    """One to three values replaced, removed, exchanged, or taken from another model."""
    made = copied(glb)
    for _ in range(rng.randint(1, 3)):
        found = list(places(made.json))
        if not found:
            break
        container, key = rng.choice(found)
        action = rng.randrange(6)
        if action == 0:
            del container[key]
        elif action <= 2:
            source, source_key = rng.choice(found if action == 1 else list(places(rng.choice(others).json)))
            container[key] = copy.deepcopy(source[source_key])
        else:
            container[key] = copy.deepcopy(rng.choice(NASTY))
    return made.data()


def change_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes flipped, a run overwritten, removed or doubled, a word set, or the tail cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        if not changed:
            break
        reach = rng.choice((min(len(changed), 120), len(changed)))  # half of it where headers are
        at, length = rng.randrange(reach), rng.randint(1, 8)
        action = rng.randrange(7)
        if action == 0:
            changed[at : at + length] = rng.randbytes(length)
        elif action == 1:
            del changed[at : at + length]
        elif action == 2:
            changed[at:at] = changed[at : at + length]
        elif action == 3:
            changed[at] ^= 1 << rng.randrange(8)
        elif action == 4:
            changed[at] = rng.choice((0, 1, 127, 128, 255))
        elif action == 5:
            changed[at : at + 4] = rng.choice(WORDS)
        elif rng.random() < 0.2:
            del changed[max(at, 1) :]
    return bytes(changed)


def change_payload(rng: random.Random, glb: Glb, others: Sequence[Glb]) -> bytes:
    """One payload (a buffer view, compressed or not) changed inside a container that stays honest."""
    return _with_payload(rng, glb, lambda data: change_bytes(rng, data))


def splice_payload(rng: random.Random, glb: Glb, others: Sequence[Glb]) -> bytes:
    """A payload of another model, or its first half and the second half of this one's, in the place of one."""

    def foreign(data: bytes) -> bytes:
        other = rng.choice(others)
        taken = payload(other, rng.choice(views(other))) if views(other) else b""
        cut = rng.randrange(len(taken) + 1)
        return taken if rng.random() < 0.5 else taken[:cut] + data[cut:]

    return _with_payload(rng, glb, foreign)


def change_file(rng: random.Random, glb: Glb, others: Sequence[Glb]) -> bytes:
    """Bytes anywhere in the file, be it a GLB or a `.gltf`."""
    return change_bytes(rng, glb.data() if rng.random() < 0.9 else glb.gltf())


def change_container(rng: random.Random, glb: Glb, others: Sequence[Glb]) -> bytes:
    """Lengths and kinds of GLB header and chunks set to others; a chunk doubled, or one of another model added."""
    data = bytearray(glb.data())
    action = rng.randrange(4)
    if action == 0:
        at = rng.choice((0, 4, 8, 12, 16))
        data[at : at + 4] = rng.choice((*WORDS, b"BIN\0", b"JSON", struct.pack("<I", len(data) + rng.randint(-9, 9))))
    elif action == 1:
        (length,) = struct.unpack_from("<I", data, 12)
        data[20 + length : 24 + length] = rng.choice(WORDS)
    else:
        data += data[12:] if action == 2 else rng.choice(others).data()[12:]
        struct.pack_into("<I", data, 8, len(data))
    return bytes(data)


#: (how often, mutation); payloads most, for nothing but their decoders sees them.
MUTATIONS: tuple[tuple[int, Callable[[random.Random, Glb, Sequence[Glb]], bytes]], ...] = (
    (8, change_payload),
    (6, change_document),
    (3, splice_payload),
    (2, change_file),
    (1, change_container),
)


def mutate(rng: random.Random, glb: Glb, others: Sequence[Glb]) -> bytes:
    """One hostile file."""
    weights, functions = zip(*MUTATIONS, strict=True)
    (function,) = rng.choices(functions, weights)
    return bytes(function(rng, glb, others))


def views(glb: Glb) -> list[dict[str, Any]]:
    """JSON objects that name a run of the binary chunk: buffer views, or their meshopt extensions."""
    found = []
    for view in glb.json.get("bufferViews", ()):
        compressed = [v for v in view.get("extensions", {}).values() if "byteLength" in v]
        found += compressed or [view]
    return [v for v in found if v.get("buffer", 0) == 0]


def payload(glb: Glb, view: dict[str, Any]) -> bytes:
    """The bytes that such an object names."""
    start = view.get("byteOffset", 0)
    return bytes(glb.binary[start : start + view["byteLength"]])


def _with_payload(rng: random.Random, glb: Glb, change: Callable[[bytes], bytes]) -> bytes:
    made = copied(glb)
    found = views(made)
    if not found:
        return made.data()
    # A model's smallest parts are its most delicate ones, so each counts the same however large it is.
    view = rng.choice(found)
    data = change(payload(made, view))
    made.binary += b"\0" * (-len(made.binary) % 4)
    view["byteOffset"], view["byteLength"] = len(made.binary), max(len(data), 1)
    made.binary += data or b"\0"
    made.json["buffers"][0]["byteLength"] = len(made.binary)
    return made.data()

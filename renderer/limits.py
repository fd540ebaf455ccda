"""How large a model may be, and the budget that is charged before every allocation. Knows no file format.

Memory bound of one load, whatever the bytes claim: 3 × `file_bytes` (files, and texts once more) + twice `array_bytes`
(arrays, and temporaries of one at a time) + `image_bytes` (decoded pictures) + 12 × `image_pixels` for each of four
decoder threads + some 30 × `json_bytes` or `text_bytes` (Python objects made of text). A decoding process beside it
(`renderer/decoding/`; at most four at work) holds `decoder_bytes` + its input + 8 × its output as the file declares it.
A host has all of that in a confined process, whose address space `process_bytes` bounds (docs/security.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from renderer.errors import LimitError

Kind: TypeAlias = Literal["file_bytes", "array_bytes", "image_bytes", "vertices", "indices"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one model; going over one is a `LimitError`.

    file_bytes: model, side files and data URIs together. json_bytes: JSON text but for the insides of its strings.
    json_depth: nesting of its brackets. array_bytes: decoded accessors and derived arrays together.
    image_bytes: all decoded pictures, as RGBA8. image_pixels: of one picture, by its header.
    vertices, indices: sums over all primitives. nodes: of the file. node_depth: generations of them.
    items: materials, textures, primitives, channels and the like together.
    text_bytes: a file of a text or zipped format (OBJ, OFF, 3MF …), unpacked.
    decoder_bytes: what a decoding process may take beyond what its item needs. decoder_seconds: of processor time, for
    one item, and once more for each 16 MiB of it; six times that for all items of a model.
    process_bytes, process_seconds: what a confined process (`renderer/decoding/sandbox.py`) may map beyond what it
    begins with, and the processor time it may take, once more for each 64 MiB of the file.
    """

    file_bytes: int = 512 << 20
    json_bytes: int = 32 << 20
    json_depth: int = 100
    array_bytes: int = 2 << 30
    image_bytes: int = 1 << 30
    image_pixels: int = 8192 * 8192
    vertices: int = 30_000_000
    indices: int = 90_000_000
    nodes: int = 200_000
    node_depth: int = 2000
    items: int = 300_000
    text_bytes: int = 128 << 20
    decoder_bytes: int = 512 << 20
    decoder_seconds: float = 5.0
    process_bytes: int = 4 << 30
    process_seconds: float = 30.0


DEFAULT_LIMITS = Limits()


class Budget:
    """What one load has used of its limits. Charge first, allocate afterwards."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._used: dict[Kind, int] = {}

    def take(self, kind: Kind, amount: int, what: str) -> None:
        """Charge `amount` of `kind` for `what`; LimitError when the sum would pass the limit."""
        allowed: int = getattr(self.limits, kind)
        total = self._used.get(kind, 0) + amount
        if total > allowed:
            unit = kind.replace("_", " ")
            needs = f"{_count(amount)} {unit}, {_count(total)} in all"
            raise LimitError(f"{what} needs {needs}; at most {allowed:,} are allowed")
        self._used[kind] = total

    def used(self, kind: Kind) -> int:
        """How much of `kind` has been charged so far."""
        return self._used.get(kind, 0)


def _count(number: int) -> str:
    """A number for a message; a file may claim one of hundreds of digits."""
    return f"{number:,}" if number < 10**15 else "more than 10^15"

"""How much a graph of parts that are made of parts multiplies to, counted without making any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from renderer.errors import FormatError


def multiplied(parts: Mapping[str, Sequence[str]], start: str, size: Callable[[str], int]) -> int:
    """`size` of `start` and of all that it is made of, each as often as it is used.

    Raises FormatError when a part is made of itself.
    """
    sums: dict[str, int] = {}
    open_: set[str] = set()
    stack = [start]
    while stack:
        current = stack[-1]
        waiting = [p for p in parts.get(current, ()) if p not in sums]
        if current not in sums and waiting:
            if open_.intersection(waiting) or current in waiting:
                raise FormatError(f"object {ascii(current.rpartition('#')[2])[:20]} is a component of itself")
            open_.add(current)
            stack.append(waiting[0])
            continue
        sums[current] = size(current) + sum(sums[p] for p in parts.get(current, ()))
        open_.discard(current)
        stack.pop()
    return sums[start]

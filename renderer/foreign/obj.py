"""Wavefront OBJ: faces that count backwards, made to count from the beginning.

A negative index means "so many before here"; trimesh takes it as so many before the end of the file.
"""

from __future__ import annotations

import re

_BACKWARDS = re.compile(rb"^[ \t]*f[ \t][^\n]*-\d", re.MULTILINE)
#: More vertices than any file may have.
_NOWHERE = 10**9
_KINDS = {b"v": 0, b"vt": 1, b"vn": 2}


def absolute(data: bytes) -> bytes:
    """The file with positive indices alone; as it is when it has no others. What is before the first leads nowhere."""
    if _BACKWARDS.search(data) is None:
        return data
    counts = [0, 0, 0]
    lines = data.replace(b"\r\n", b"\n").replace(b"\\\n", b" ").split(b"\n")
    for i, line in enumerate(lines):
        words = line.split()
        if not words:
            continue
        if words[0] in _KINDS:
            counts[_KINDS[words[0]]] += 1
        elif words[0] == b"f" and b"-" in line:
            lines[i] = b"f " + b" ".join(_corner(word, counts) for word in words[1:])
    return b"\n".join(lines)


def _corner(word: bytes, counts: list[int]) -> bytes:
    """One corner: vertex, texture coordinate, normal."""
    parts = word.split(b"/")
    for kind, part in enumerate(parts[:3]):
        if part[:1] == b"-" and part[1:].isdigit() and len(part) < 12:
            index = counts[kind] + 1 + int(part)
            parts[kind] = b"%d" % (index if index > 0 else _NOWHERE)
    return b"/".join(parts)

"""OFF and its kin: COFF's colours, NOFF's normals, STOFF's texture coordinates, colours of faces. Text only.

Geomview's object file format. trimesh reads positions and faces of it alone.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError, LimitError
from renderer.foreign.shape import Parts, Place, Shape, linear
from renderer.limits import Limits
from renderer.scene import Floats

_COMMENT = re.compile(r"#[^\n]*")
_HEADER = re.compile(r"\s*(ST)?(C)?(N)?(4)?(n)?(?:OFF|off)\b([^\n]*)")
#: Corners of one face.
_MOST_CORNERS = 100_000


def read(data: bytes, limits: Limits) -> Parts:
    """A file as one shape. Raises FormatError with the line's number within the data."""
    text = _COMMENT.sub("", data.decode("utf-8", "replace"))
    header = _HEADER.match(text)
    if header is None:
        raise FormatError("not an OFF file: it does not begin with OFF, COFF, NOFF or STOFF")
    textured, coloured, directed, four, dimensions, rest = header.groups()
    if four or dimensions or "BINARY" in rest.upper():
        raise FormatError("only three-dimensional OFF files in text are supported")
    lines = [line.split() for line in (rest + text[header.end() :]).splitlines() if line.strip()]
    vertices, faces = _counts(lines, limits)
    if len(lines) < 1 + vertices + faces:
        raise FormatError(f"says {vertices:,} vertices and {faces:,} faces, but has {len(lines) - 1:,} lines for them")
    rows = lines[1 : 1 + vertices]
    given = 3 + (3 if directed else 0)
    table = _numbers([row[:given] for row in rows], given, "vertex")
    extra = 2 if textured else 0
    colors = _colours([row[given : len(row) - extra] for row in rows]) if coloured else None
    uv = _numbers([row[len(row) - extra :] for row in rows], 2, "texture coordinate") if textured else None
    triangles, owner, loose = _triangles(lines[1 + vertices : 1 + vertices + faces], vertices)
    face_colors = _colours(loose)
    shape = Shape(
        table[:, :3],
        triangles,
        normals=table[:, 3:6] if directed else None,
        uv=None if uv is None else (uv * (1.0, -1.0) + (0.0, 1.0)).astype(np.float32),
        colors=colors,
        face_colors=face_colors[owner] if face_colors is not None and colors is None else None,
    )
    meshes = [("OFF", [shape] if len(triangles) else [])]
    return Parts(meshes, [Place("OFF", 0, np.eye(4))])


def _counts(lines: list[list[str]], limits: Limits) -> tuple[int, int]:
    words = lines[0][:3] if lines else []
    if len(words) < 2 or not all(word.isdecimal() and len(word) < 12 for word in words[:2]):
        raise FormatError("has no numbers of vertices and faces")
    vertices, faces = int(words[0]), int(words[1])
    if vertices > limits.vertices or faces > limits.indices:
        raise LimitError(f"says {vertices:,} vertices and {faces:,} faces; allowed: {limits.vertices:,}")
    return vertices, faces


def _numbers(rows: list[list[str]], columns: int, what: str) -> NDArray[np.float64]:
    """float64 [N, columns]."""
    short = next((i for i, row in enumerate(rows) if len(row) != columns), None)
    if short is not None:
        raise FormatError(f"{what} {short:,} has {len(rows[short])} numbers instead of {columns}")
    try:
        return np.array(rows, np.float64).reshape(-1, columns)
    except ValueError as error:
        raise FormatError(f"a {what} holds something that is no number") from error


def _triangles(rows: list[list[str]], vertices: int) -> tuple[NDArray[np.int64], NDArray[np.int64], list[list[str]]]:
    """(triangles [T, 3] as fans, the face [T] each is of, what follows each face's corners)."""
    corners: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        count = int(row[0]) if row[0].isdecimal() and len(row[0]) < 7 else -1
        if not 0 <= count <= _MOST_CORNERS or len(row) <= count:
            raise FormatError(f"face {i:,} is not a number of corners and the corners")
        corners.setdefault(count, []).append(i)
    fans, owners = [np.zeros((0, 3), np.int64)], [np.zeros(0, np.int64)]
    for count, faces in corners.items():
        table = _indices([rows[i][1 : 1 + count] for i in faces], faces, vertices)
        for corner in range(2, count):
            fans.append(table[:, (0, corner - 1, corner)])
            owners.append(np.array(faces, np.int64))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(fans)[order], owner[order], [row[1 + int(row[0]) :] for row in rows]


def _indices(rows: list[list[str]], faces: list[int], vertices: int) -> NDArray[np.int64]:
    """int64 [F, corners] of faces with as many corners each."""
    try:
        table = np.array(rows, np.int64).reshape(len(rows), -1)
    except (ValueError, OverflowError) as error:
        raise FormatError("a face holds something that is no number of a vertex") from error
    wrong = np.flatnonzero((table < 0).any(axis=1) | (table >= vertices).any(axis=1))
    if len(wrong):
        named = faces[wrong[0]]
        raise FormatError(f"face {named:,} names a vertex of {table[wrong[0]].tolist()}, there are {vertices:,}")
    return table


def _colours(rows: list[list[str]]) -> Floats | None:
    """Linear [N, 4] of rows with three or four numbers: whole ones are bytes, others shares. None when no row has any.

    Rows without (or with an index into a colour map, which nobody ships) are light grey.
    """
    given = [len(row) in (3, 4) for row in rows]
    if not any(given):
        return None
    whole = all(word.isdecimal() for row, good in zip(rows, given, strict=True) if good for word in row)
    full = "255" if whole else "1"
    grey = ["204"] * 3 if whole else ["0.8"] * 3
    padded = [[*row, full][:4] if good else [*grey, full] for row, good in zip(rows, given, strict=True)]
    values = _numbers(padded, 4, "colour")
    return linear(values / (255.0 if whole else 1.0))

"""What the head of a file far away tells, and how little of it is read for that."""

from __future__ import annotations

import json

import pytest

from assets.catalog import describe_by, references
from tests.assets.test_local import glb


class Far:
    """A file elsewhere, which counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.asked = data, list[tuple[int, int]]()

    def read(self, start: int, length: int) -> bytes:
        self.asked.append((start, length))
        return self.data[start : start + length]


def titled(padding: int) -> bytes:
    return glb({"asset": {"version": "2.0", "extras": {"title": "Oak armchair", "padding": "x" * padding}}})


@pytest.mark.parametrize(("padding", "requests"), [(0, 1), (100_000, 2), (2_000_000, 1)])
def test_a_glb_is_read_as_far_as_its_json_goes(padding: int, requests: int) -> None:
    far = Far(titled(padding) + bytes(10_000_000))
    title, variants = describe_by(far.read, "BrassLamp.glb", len(far.data), 1 << 20)
    assert title == ("Oak armchair" if padding < 1 << 20 else "Brass lamp")
    assert variants == ()
    assert len(far.asked) == requests
    assert sum(length for _, length in far.asked) < 200_000


def test_a_large_gltf_and_other_kinds_are_not_read() -> None:
    far = Far(b"{}" * 1000)
    for name in ("lamp.gltf", "lamp.stl"):
        assert describe_by(far.read, name, len(far.data), 100) == ("Lamp", ())
    assert not far.asked


def test_references_are_relative_paths() -> None:
    uris = ["a.bin", "b%20c.png", "a.bin", "data:;base64,AA", "https://x/y", "/etc/passwd", "../up.png", "", 7, None]
    document = {"buffers": [{"uri": uris[0]}], "images": [{"uri": uri} for uri in uris], "x": [1, "2", [3]], "y": {}}
    assert references(json.dumps(document).encode()) == ("a.bin", "b c.png", "../up.png", "")


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"images": {"uri": "a"}}'])
def test_what_is_no_gltf_refers_to_nothing(data: bytes) -> None:
    assert references(data) == ()

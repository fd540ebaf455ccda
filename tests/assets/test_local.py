"""A folder becomes a store: safe names, fresh listings, no way out of the folder."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest

from assets.catalog import describe, prettify
from assets.errors import NotFoundError, StoreError
from assets.local import LocalStore
from assets.store import open_store


def glb(document: object) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<5I", 0x46546C67, 2, 20 + len(text), len(text), 0x4E4F534A) + text


def test_lists_every_kind_by_safe_unique_ids(tmp_path: Path) -> None:
    for name in (
        "Red Chair (v2).glb",
        "a/b/shoe.obj",
        "a/shoe.stl",
        "lamp.PLY",
        "deep/scene.gltf",
        "readme.txt",
        ".hid.glb",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    listed = LocalStore(tmp_path).list()
    assert sorted(asset.id for asset in listed) == ["Red-Chair-v2", "deep", "lamp", "shoe", "shoe-2"]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", asset.id) for asset in listed)


def test_titles_and_variants_come_from_the_head_of_the_file(tmp_path: Path) -> None:
    document = {
        "asset": {"version": "2.0", "extras": {"title": "Oak armchair"}},
        "extensions": {"KHR_materials_variants": {"variants": [{"name": "oak"}, {"name": "walnut"}]}},
    }
    (tmp_path / "chair.glb").write_bytes(glb(document))
    (tmp_path / "chair2.gltf").write_text(json.dumps(document))
    for asset in LocalStore(tmp_path).list():
        assert (asset.title, asset.variants) == ("Oak armchair", ("oak", "walnut"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"glTF",
        struct.pack("<5I", 0x46546C67, 2, 20, 2**31, 0x4E4F534A),
        glb([1, 2]),
        glb({"asset": 7, "extensions": {"KHR_materials_variants": {"variants": [1, {"name": 2}]}}}),
        struct.pack("<5I", 0x46546C67, 2, 28, 8, 0x4E4F534A) + b"\xff" * 8,
        struct.pack("<5I", 0x46546C67, 2, 99, 9000, 0x4E4F534A) + b"[" * 9000,
    ],
)
def test_a_broken_file_is_listed_by_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "BrassLamp_v2.glb"
    path.write_bytes(content)
    assert describe(path) == ("Brass lamp v2", ())


def test_new_changed_and_removed_files_are_noticed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert list(store.list()) == []
    path = tmp_path / "vase.glb"
    path.write_bytes(b"one")
    before = store.stat("vase")
    path.write_bytes(b"longer")
    after = store.stat("vase")
    assert before.version != after.version
    assert store.fetch("vase") == path
    path.unlink()
    with pytest.raises(NotFoundError):
        store.stat("vase")


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "secret", tmp_path / "models"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.glb").write_bytes(b"x")
    (inside / "link.glb").symlink_to(outside / "secret.glb")
    (inside / "folder").symlink_to(outside)
    (inside / "own.glb").write_bytes(b"x")
    (inside / "alias.glb").symlink_to(inside / "own.glb")
    assert sorted(asset.id for asset in LocalStore(inside).list()) == ["alias", "own"]


@pytest.mark.parametrize("model", ["../secret", "/etc/passwd", "", "a/b", "x" * 500, "\0"])
def test_a_hostile_id_is_not_found(tmp_path: Path, model: str) -> None:
    with pytest.raises(NotFoundError):
        LocalStore(tmp_path).fetch(model)


def test_open_store(tmp_path: Path) -> None:
    assert isinstance(open_store(str(tmp_path)), LocalStore)
    assert isinstance(open_store(tmp_path.as_uri()), LocalStore)
    with pytest.raises(StoreError, match="no such folder"):
        open_store(str(tmp_path / "missing"))
    for url in ("s3://bucket/prefix", "https://cdn.example/models"):
        with pytest.raises(StoreError, match="needs a folder for copies"):
            open_store(url)


def test_prettify() -> None:
    assert [prettify(stem) for stem in ("AntiqueCamera", "USB-c_cable", "x")] == ["Antique camera", "USB c cable", "X"]

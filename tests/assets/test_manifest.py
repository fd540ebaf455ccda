"""The manifest: what is written is read again, what is wrong is refused with its place, releases come and go."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from assets import manifest
from assets.errors import CorruptError, NotFoundError
from assets.manifest import MAX_RELEASES, Manifest
from tests.assets.releases import published, release

PICTURES = {"poster": b"poster", "thumbnail/0": b"small", "spin/0": b"front", "spin/1": b"back"}
EVERYTHING = {**PICTURES, "preview": b"coarse", "client": b"for browsers", "usdz": b"for phones"}


def document(change: Callable[[Any], None]) -> bytes:
    """A good manifest of one model, changed."""
    made, _ = release("chair", b"bytes", parts=EVERYTHING, side={"textures/oak.png": b"oak"}, variants=("oak",))
    loaded = json.loads(Manifest().with_release("chair", made).dump())
    change(loaded)
    return json.dumps(loaded).encode()


def test_what_is_written_is_read_again() -> None:
    made, _ = release("chair", b"bytes", parts=EVERYTHING, side={"a/b.png": b"oak"}, variants=("oak", "früh"))
    secret, _ = release("safe", b"drawing", secret=True, parts=PICTURES)
    whole = Manifest().with_release("chair", made).with_release("safe", secret)
    again = Manifest.parse(whole.dump())
    assert again == whole
    assert again.dump() == whole.dump()
    assert Manifest.parse(Manifest().dump()) == Manifest()


def test_parts_have_names() -> None:
    made, files = release("chair", b"bytes", parts=EVERYTHING, side={"oak.png": b"oak"})
    parts = made.parts()
    assert set(parts) == {*EVERYTHING, "model"}
    assert files[parts["spin/1"].key] == b"back"
    assert {one.key for one in made.files()} == set(files)


def test_unknown_members_are_ignored_and_absent_ones_have_defaults() -> None:
    def change(whole: Any) -> None:
        whole["later"] = {"x": [1]}
        first = whole["models"]["chair"]["releases"][0]
        first["later"] = True
        for name in ("side", "variants", "triangles", "preview", "client", "usdz", "poster", "thumbnails", "limits"):
            first.pop(name)

    read = Manifest.parse(document(change)).entry("chair").release()
    assert (read.side, read.variants, read.triangles, read.preview, dict(read.limits)) == ((), (), None, None, {})


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("format",), "vitrine-manifest/2", "format: 'vitrine-manifest/2'; it must be 'vitrine-manifest/1'"),
        (("updated",), "yesterday", "updated: 'yesterday'"),
        (("models",), [], "models: []; it must be an object"),
        (("models", "chair", "current"), "0" * 16, "models.chair.current: '0000000000000000'; it must be one of"),
        (("models", "chair", "current"), 7, "models.chair.current: 7; it must be a string"),
        (("models", "chair", "releases"), {}, "models.chair.releases: {}; it must be an array"),
        (("models", "chair", "releases"), [{}] * 11, "models.chair.releases: 11 items; at most 10"),
    ],
)
def test_a_wrong_value_is_named_by_its_place(place: tuple[str, ...], value: object, told: str) -> None:
    def change(whole: Any) -> None:
        for name in place[:-1]:
            whole = whole[name]
        whole[place[-1]] = value

    with pytest.raises(CorruptError) as caught:
        Manifest.parse(document(change))
    assert f"vitrine.json: {told}" in str(caught.value)


@pytest.mark.parametrize(
    ("member", "value", "told"),
    [
        ("version", "xyz", "version: 'xyz'; it must be as"),
        ("title", "x" * 201, "title"),
        ("title", "\ud800", "surrogate"),
        ("secret", 1, "secret: 1; it must be true or false"),
        ("secret", None, "secret: None"),
        ("triangles", -1, "triangles: -1; it must be a whole number"),
        ("triangles", True, "triangles: True"),
        ("triangles", 1.5, "triangles: 1.5"),
        ("triangles", 2**60, "triangles"),
        ("variants", ["oak", 2], "variants[1]: 2; it must be a string"),
        ("variants", ["x"] * 1001, "variants: 1001 items; at most 1000"),
        ("limits", {"bytes": "many"}, "limits.bytes: 'many'; it must be a number"),
        ("limits", {str(n): n for n in range(33)}, "limits: 33 members; at most 32"),
        ("published", "2026-13-01", "published"),
        ("poster", "poster.webp", "poster: 'poster.webp'; it must be an object"),
        ("spin", [None], "spin[0]: None; it must be an object"),
    ],
)
def test_a_wrong_member_of_a_release_is_named(member: str, value: object, told: str) -> None:
    def change(whole: Any) -> None:
        whole["models"]["chair"]["releases"][0][member] = value

    with pytest.raises(CorruptError) as caught:
        Manifest.parse(document(change))
    assert f"models.chair.releases[0].{told.split(':', maxsplit=1)[0]}" in str(caught.value) or told in str(
        caught.value
    )


@pytest.mark.parametrize(
    "key",
    [
        "/models/chair/v/model.glb",
        "models/chair/{version}/../../other/model.glb",
        "models/chair/{version}/./model.glb",
        "models/chair/{version}//model.glb",
        "models/chair/{version}/",
        "models/chair/{version}/mod\\el.glb",
        "models/chair/{version}/é.glb",
        "models/chair/0000000000000000/model.glb",
        "models/table/{version}/model.glb",
        "private/chair/{version}/model.glb",
        "model.glb",
        "",
        "models/chair/{version}/" + "x" * 500,
    ],
)
@pytest.mark.parametrize("member", ["model", "poster"])
def test_only_files_below_the_releases_own_folder_are_reachable(key: str, member: str) -> None:
    def change(whole: Any) -> None:
        first = whole["models"]["chair"]["releases"][0]
        first[member]["key"] = key.replace("{version}", first["version"])

    with pytest.raises(CorruptError, match=rf"releases\[0\]\.{member}\.key"):
        Manifest.parse(document(change))


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a/b", "..", "x" * 101, "a b", "é"])
def test_ids_are_safe_in_paths(name: str) -> None:
    def change(whole: Any) -> None:
        whole["models"][name] = whole["models"].pop("chair")

    with pytest.raises(CorruptError, match="must be an id"):
        Manifest.parse(document(change))


@pytest.mark.parametrize("member", ["client", "usdz", "model", "preview"])
def test_a_secret_release_has_no_geometry_in_public(member: str) -> None:
    made, _ = release("safe", b"drawing", secret=True, parts=PICTURES)
    loaded = json.loads(Manifest().with_release("safe", made).dump())
    first = loaded["models"]["safe"]["releases"][0]
    if member == "model":
        first["model"]["key"] = first["model"]["key"].replace("private/", "models/")
    elif member == "preview":
        first["preview"] = {**first["model"], "key": f"models/safe/{made.version}/preview.glb"}
    else:
        first[member] = {**first["model"], "key": f"private/safe/{made.version}/x"}
    with pytest.raises(CorruptError):
        Manifest.parse(json.dumps(loaded).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"format":"vitrine-manifest/1","format":"vitrine-manifest/1"}',
        b'{"format":"vitrine-manifest/1","updated":NaN,"models":{}}',
        b'{"format":"vitrine-manifest/1","updated":1e999,"models":{}}',
        b"[" * 100_000,
        b"1" * 5000,
        b'{"format":"vitrine-manifest/1"}',
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptError, match=r"vitrine\.json"):
        Manifest.parse(data)


def test_an_enormous_one_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "MAX_BYTES", 10)
    with pytest.raises(CorruptError, match="at most 10"):
        Manifest.parse(Manifest().dump())


def test_every_cut_manifest_is_refused() -> None:
    data = published(chair=b"1", table=b"2")[0].dump().rstrip()
    for end in range(len(data)):
        with pytest.raises(CorruptError):
            Manifest.parse(data[:end])


def test_releases_come_and_the_oldest_go() -> None:
    whole = Manifest()
    made = [release("chair", str(number).encode())[0] for number in range(MAX_RELEASES + 3)]
    for one in made:
        whole = whole.with_release("chair", one)
    entry = whole.entry("chair")
    assert [one.version for one in entry.releases] == [one.version for one in made[3:]]
    assert entry.release() == made[-1]
    again = whole.with_release("chair", made[5])
    assert again.entry("chair").release() == made[5]
    assert len(again.entry("chair").releases) == MAX_RELEASES
    assert Manifest.parse(again.dump()) == again
    assert again.updated > Manifest().updated


def test_rolling_back() -> None:
    made = [release("chair", str(number).encode())[0] for number in range(3)]
    whole = Manifest()
    for one in made:
        whole = whole.with_release("chair", one)
    back = whole.rolled_back("chair")
    assert back.entry("chair").release() == made[1]
    assert back.rolled_back("chair", made[2].version).entry("chair").release() == made[2]
    oldest = back.rolled_back("chair")
    with pytest.raises(NotFoundError, match="nothing older"):
        oldest.rolled_back("chair")
    with pytest.raises(NotFoundError, match="no version 'ffff'"):
        whole.rolled_back("chair", "ffff")
    with pytest.raises(NotFoundError, match="no model 'table'"):
        whole.rolled_back("table")


def test_taking_a_model_out() -> None:
    whole, _ = published(chair=b"1", table=b"2")
    assert set(whole.without("chair").models) == {"table"}
    assert set(whole.models) == {"chair", "table"}
    with pytest.raises(NotFoundError):
        whole.without("lamp")


def test_a_spoilt_manifest_is_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(7)
    good = document(lambda whole: None)
    refused = []
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(data))
            piece = chance.choice((b"", b"null", b"-1", b"[", b"}", b'"', b"1e99", b"\x00", b"\xf0", b"true", b"{}"))
            data[at : at + chance.randrange(4)] = piece
        try:
            Manifest.parse(bytes(data))
        except CorruptError as error:
            refused.append(str(error))
    assert len(refused) > 2000
    assert all(message.startswith("vitrine.json:") for message in refused)

"""Remote stores: what a manifest or a list of files shows, fetched once for all, and what stays when a store fails."""

from __future__ import annotations

import json
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from assets.cache import Cache
from assets.errors import CorruptError, NotFoundError, StoreError, UnavailableError
from assets.local import LocalStore
from assets.manifest import NAME, Manifest
from assets.remote import RemoteStore
from assets.store import LOOK_AGAIN, Store, StoreOptions, open_store
from assets.watch import Watch
from tests.assets.memory import MemorySource, etag
from tests.assets.releases import published, release
from tests.assets.test_local import glb

DOWN = UnavailableError("the network is away")
EVERYTHING = {
    "preview": b"coarse",
    "client": b"for browsers",
    "usdz": b"for phones",
    "poster": b"poster",
    "thumbnail/0": b"small",
    "spin/0": b"front",
    "spin/1": b"back",
}


@dataclass
class Shop:
    """A remote store over memory, with a clock that stands still."""

    folder: Path
    source: MemorySource
    now: float = 1000.0
    most: int = 1 << 30

    def __post_init__(self) -> None:
        self.store = self.open()

    def open(self) -> RemoteStore:
        """As a host does that has just started."""
        watch = Watch(self.source, "memory", self.folder / "kept.json", clock=lambda: self.now)
        return RemoteStore(self.source, watch, Cache(self.folder / "cache", self.most, 0.0))

    def publish(self, manifest: Manifest, files: dict[str, bytes]) -> None:
        self.source.files |= files
        self.source.files[NAME] = manifest.dump()

    def later(self) -> set[str]:
        """What is new after a while."""
        self.now += LOOK_AGAIN
        return self.store.refresh()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path, MemorySource({}))
    made.publish(*published(chair=b"a chair", table=b"a table"))
    return made


def test_what_a_manifest_says_is_listed(shop: Shop) -> None:
    assert [asset.id for asset in shop.store.list()] == ["chair", "table"]
    asset = shop.store.stat("chair")
    assert (asset.title, asset.bytes, asset.triangles, asset.parts) == ("The chair", 7, 12, {"model"})
    assert asset.files["model"].sha256 == asset.sha256
    with pytest.raises(NotFoundError, match="no model 'lamp'"):
        shop.store.stat("lamp")


def test_every_part_can_be_fetched(shop: Shop) -> None:
    made, files = release("lamp", b"a lamp", parts=EVERYTHING, side={"textures/oak.png": b"oak"})
    shop.publish(Manifest().with_release("lamp", made), files)
    assert shop.store.stat("lamp").parts == {*EVERYTHING, "model"}
    for part, content in EVERYTHING.items():
        assert shop.store.fetch("lamp", part=part).read_bytes() == content
    path = shop.store.fetch("lamp")
    assert path.read_bytes() == b"a lamp"
    assert path.suffix == ".glb"
    assert (path.parent / "textures/oak.png").read_bytes() == b"oak"
    for part in ("spin/2", "thumbnail", "../model", ""):
        with pytest.raises(NotFoundError, match="there are client, model"):
            shop.store.fetch("lamp", part=part)


def test_fifty_viewers_of_a_cold_model_share_one_download(shop: Shop) -> None:
    all_wait, heard = threading.Event(), [list[tuple[int, int]]() for _ in range(50)]
    shop.source.before = lambda key: None if all_wait.wait(30) else pytest.fail("nobody came")
    barrier = threading.Barrier(50, action=lambda: threading.Timer(0.1, all_wait.set).start())

    def viewer(number: int) -> bytes:
        barrier.wait(30)
        return shop.store.fetch("chair", progress=lambda *both: heard[number].append(both)).read_bytes()

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(viewer, range(50))) == {b"a chair"}
    key = shop.store.stat("chair").files["model"].key
    assert shop.source.asked["open", key] == 1
    assert any(one[-1] == (7, 7) for one in heard if one)


def test_the_manifest_is_asked_for_once_in_20_seconds_however_many_ask(shop: Shop) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: (shop.store.list(), shop.store.refresh()), range(50)))
    assert shop.source.asked["read", NAME] == 1
    shop.now += LOOK_AGAIN - 1
    assert shop.store.refresh() == set()
    assert shop.source.asked["read", NAME] == 1
    assert shop.later() == set()
    assert shop.source.asked["read", NAME] == 2


def test_a_new_version_goes_live_and_the_old_one_can_still_be_had(shop: Shop) -> None:
    assert shop.store.refresh() == {"chair", "table"}
    old = shop.store.stat("chair").version
    made, files = release("chair", b"a better chair")
    shop.publish(Manifest.parse(shop.source.files[NAME]).with_release("chair", made).without("table"), files)
    assert shop.store.stat("chair").version == old
    assert shop.later() == {"chair", "table"}
    assert shop.later() == set()
    assert shop.store.stat("chair").version == made.version
    assert shop.store.fetch("chair").read_bytes() == b"a better chair"
    assert shop.store.fetch("chair", version=old).read_bytes() == b"a chair"
    assert shop.store.stat("chair", old).bytes == 7
    with pytest.raises(NotFoundError, match="no version"):
        shop.store.fetch("chair", version="0" * 16)
    shop.publish(Manifest.parse(shop.source.files[NAME]).rolled_back("chair"), {})
    assert shop.later() == {"chair"}
    assert shop.store.stat("chair").version == old


def test_what_is_not_known_yet_is_looked_for(shop: Shop) -> None:
    shop.store.list()
    made, files = release("lamp", b"a lamp")
    shop.publish(Manifest().with_release("lamp", made), files)
    with pytest.raises(NotFoundError):
        shop.store.stat("lamp")
    shop.now += LOOK_AGAIN
    assert shop.store.fetch("lamp").read_bytes() == b"a lamp"
    shop.now += LOOK_AGAIN
    asked = shop.source.asked["read", NAME]
    for _ in range(5):
        with pytest.raises(NotFoundError):
            shop.store.stat("nothing")
    assert shop.source.asked["read", NAME] == asked + 1


@pytest.mark.parametrize("broken", ["down", "cut", "gone", "other"])
def test_the_last_good_manifest_stays_and_is_said_to_be_stale(shop: Shop, broken: str) -> None:
    shop.store.refresh()
    assert shop.store.stale is None
    good = shop.source.files[NAME]
    if broken == "down":
        shop.source.failing = DOWN
    elif broken == "gone":
        del shop.source.files[NAME]
    else:
        shop.source.files[NAME] = good[: len(good) // 2] if broken == "cut" else b'{"format":"vitrine-manifest/9"}'
    for _ in range(3):
        assert shop.later() == set()
        assert {"down": "away", "cut": "not JSON", "gone": "is gone", "other": "/9"}[broken] in (shop.store.stale or "")
    assert [asset.id for asset in shop.store.list()] == ["chair", "table"]
    shop.source.failing = None
    shop.source.files[NAME] = good
    assert shop.later() == set()
    assert shop.store.stale is None


def test_a_host_starts_while_its_store_cannot_be_reached(shop: Shop) -> None:
    shop.store.fetch("chair")
    shop.source.failing = DOWN
    again = shop.open()
    assert [asset.id for asset in again.list()] == ["chair", "table"]
    assert again.stale == "the network is away"
    assert again.fetch("chair").read_bytes() == b"a chair"
    with pytest.raises(UnavailableError):
        again.fetch("table")


def test_a_store_that_was_never_reached_is_not_besieged(tmp_path: Path) -> None:
    source = MemorySource({})
    source.failing = DOWN
    shop = Shop(tmp_path, source)

    def ask(_: int) -> None:
        with pytest.raises(UnavailableError, match="away"):
            shop.store.list()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(40)))
    assert source.asked["read", NAME] == 1
    source.failing = None
    shop.publish(*published(chair=b"a chair"))
    shop.now += 3
    assert [asset.id for asset in shop.store.list()] == ["chair"]


def test_wrong_bytes_are_an_error_and_never_kept(shop: Shop) -> None:
    key = shop.store.stat("chair").files["model"].key
    for wrong in (b"a chaiR", b"a chair, longer", b""):
        shop.source.files[key] = wrong
        with pytest.raises(CorruptError, match=key):
            shop.store.fetch("chair")
    shop.source.files[key] = b"a chair"
    assert shop.store.fetch("chair").read_bytes() == b"a chair"


def test_a_file_that_is_listed_but_missing_may_come_later(shop: Shop) -> None:
    key = shop.store.stat("chair").files["model"].key
    content = shop.source.files.pop(key)
    with pytest.raises(UnavailableError, match="not there, or not yet"):
        shop.store.fetch("chair")
    shop.source.files[key] = content
    assert shop.store.fetch("chair").read_bytes() == content


def test_the_hottest_are_warmed_as_far_as_they_fit(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.most = 3 * 8192
    store = shop.open()
    shop.publish(*published(a=b"1", b=b"2", c=b"3", d=b"4"))
    with caplog.at_level(logging.WARNING):
        store.warm(["c", "a", "c", "missing", "b", "d"])
    warmed = {model for model in "abcd" if shop.source.asked["open", store.stat(model).files["model"].key]}
    assert warmed == {"a", "b", "c"}
    assert "no model 'missing'" in caplog.text
    assert "d and what follows would not fit" in caplog.text


def test_the_preview_of_what_is_warmed_comes_along(shop: Shop) -> None:
    made, files = release("lamp", b"a lamp", parts={"preview": b"coarse"})
    shop.publish(Manifest().with_release("lamp", made), files)
    shop.store.warm(["lamp"])
    shop.source.failing = DOWN
    assert shop.store.fetch("lamp", part="preview").read_bytes() == b"coarse"
    assert shop.store.fetch("lamp").read_bytes() == b"a lamp"


CHAIR = glb(
    {
        "asset": {"version": "2.0", "extras": {"title": "Oak armchair"}},
        "extensions": {"KHR_materials_variants": {"variants": [{"name": "oak"}, {"name": "walnut"}]}},
    }
)


def test_a_bucket_without_a_manifest_is_listed_by_its_model_files(tmp_path: Path) -> None:
    files = {"a/chair.glb": CHAIR, "shoe.stl": b"solid", "notes.txt": b"-", ".trash/x.glb": b"", "b/scene.glb": b"no"}
    shop = Shop(tmp_path, MemorySource(files))
    listed = {asset.id: asset for asset in shop.store.list()}
    assert sorted(listed) == ["b", "chair", "shoe"]
    chair = listed["chair"]
    assert (chair.title, chair.variants, chair.bytes) == ("Oak armchair", ("oak", "walnut"), len(CHAIR))
    assert chair.version == etag(CHAIR).strip('"')
    assert shop.store.fetch("chair").read_bytes() == CHAIR
    asked = shop.source.asked["open", "a/chair.glb"]
    assert shop.later() == {"b", "chair", "shoe"}
    assert shop.later() == set()
    assert shop.source.asked["open", "a/chair.glb"] == asked  # its title is known for this ETag
    with pytest.raises(NotFoundError, match="there are model"):
        shop.store.fetch("chair", part="poster")


def test_an_overwritten_file_is_another_version(tmp_path: Path) -> None:
    shop = Shop(tmp_path, MemorySource({"chair.glb": CHAIR}))
    shop.store.refresh()
    old = shop.store.stat("chair")
    shop.source.files["chair.glb"] = other = CHAIR + b"    "
    shop.now += 3
    assert shop.store.fetch("chair").read_bytes() == other
    assert shop.store.stat("chair").version != old.version
    assert shop.store.refresh() == {"chair"}
    with pytest.raises(NotFoundError, match="is gone"):
        shop.store.fetch("chair", version=old.version)


def test_a_gltf_takes_along_only_what_is_below_its_own_folder(tmp_path: Path) -> None:
    uris = [
        "scene.bin",
        "textures/oak%20wood.png",
        "../secret.png",
        "/etc/passwd",
        "https://x/y.png",
        "data:,x",
        "lost",
    ]
    document = json.dumps({"asset": {"version": "2.0"}, "images": [{"uri": uri} for uri in uris]}).encode()
    files = {"chair/scene.gltf": document, "chair/scene.bin": b"bin", "chair/textures/oak wood.png": b"oak"}
    shop = Shop(tmp_path, MemorySource({**files, "secret.png": b"secret", "chair/unused.png": b"-"}))
    path = shop.store.fetch("chair")
    below = {one.relative_to(path.parent).as_posix(): one.read_bytes() for one in path.parent.rglob("*.*")}
    assert below == {"scene.gltf": document, "scene.bin": b"bin", "textures/oak wood.png": b"oak"}


def test_a_cdn_without_a_manifest_says_so(tmp_path: Path) -> None:
    shop = Shop(tmp_path, MemorySource({"chair.glb": CHAIR}, listable=False))
    with pytest.raises(StoreError, match=r"memory: no vitrine\.json there"):
        shop.store.list()


def test_hostile_names_do_no_harm(tmp_path: Path) -> None:
    names = [
        "a/../../x.glb",
        "/abs.glb",
        "a//b.glb",
        "a\\b.glb",
        "x/.glb",
        "\x00.glb",
        "é ü.glb",
        "-.glb",
        "a.glb/b.glb",
    ]
    shop = Shop(tmp_path, MemorySource(dict.fromkeys(names, CHAIR)))
    for asset in shop.store.list():
        try:
            path = shop.store.fetch(asset.id)
        except StoreError:
            continue
        assert path.resolve().is_relative_to(tmp_path / "cache")
        assert path.read_bytes() == CHAIR


def test_closing_closes_the_source(shop: Shop) -> None:
    shop.store.close()
    assert shop.source.closed


# -- a published folder -----------------------------------------------------------------------------------------------


def publish_into(folder: Path, manifest: Manifest, files: dict[str, bytes]) -> None:
    for key, content in {**files, NAME: manifest.dump()}.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_a_published_folder_needs_no_copies(tmp_path: Path) -> None:
    (tmp_path / "loose.glb").write_bytes(CHAIR)
    store: Store = LocalStore(tmp_path)
    assert [asset.id for asset in store.list()] == ["loose"]
    made, files = release("lamp", b"a lamp", parts=EVERYTHING, side={"oak.png": b"oak"})
    publish_into(tmp_path, Manifest().with_release("lamp", made), files)
    assert [asset.id for asset in store.list()] == ["lamp"]
    assert store.stat("lamp").parts == {*EVERYTHING, "model"}
    path = store.fetch("lamp", version=made.version)
    assert path == tmp_path.resolve() / made.model.key
    assert path.with_name("oak.png").read_bytes() == b"oak"
    assert store.fetch("lamp", part="spin/1").read_bytes() == b"back"
    assert store.stale is None
    assert store.refresh() == {"lamp"}


def test_a_published_folder_is_verified(tmp_path: Path) -> None:
    made, files = release("lamp", b"a lamp")
    publish_into(tmp_path, Manifest().with_release("lamp", made), files)
    store = open_store(str(tmp_path), StoreOptions())
    path = store.fetch("lamp")
    for second, wrong in enumerate((b"a lamP", b"a lamp!", b"")):
        path.write_bytes(wrong)
        os.utime(path, (second, second))  # clocks of file systems are coarse
        with pytest.raises(CorruptError, match="not what was published"):
            store.fetch("lamp")
    path.unlink()
    with pytest.raises(CorruptError, match="is not there"):
        store.fetch("lamp")
    outside = tmp_path.parent / "outside.glb"
    outside.write_bytes(b"a lamp")
    path.symlink_to(outside)
    with pytest.raises(CorruptError, match="link out"):
        store.fetch("lamp")
    path.unlink()
    path.write_bytes(b"a lamp")
    assert store.fetch("lamp").read_bytes() == b"a lamp"

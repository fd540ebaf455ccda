"""Releases into a store: all or nothing, nobody's work lost, nothing done twice, nothing secret left behind."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assets.directory import Directory
from assets.errors import ConflictError, NotFoundError, StoreError, UnavailableError
from assets.manifest import NAME, Manifest
from assets.publish import FOREVER, ORPHANED_AFTER, Bundle, Publisher, identifier, stage
from assets.source import Depot, open_depot
from tests.assets.conftest import Shop

Make = Callable[..., Bundle]


@pytest.fixture(params=["directory", "s3"])
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Depot]:
    """A folder, and a bucket of the emulator."""
    if request.param == "directory":
        made = open_depot(str(tmp_path / "store"), create=True)
    else:
        shop: Shop = request.getfixturevalue("shop")
        made = open_depot(shop.url, shop.options())
    yield made
    made.close()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Bundles of small files: `make("chair", b"bytes of the model", poster=b"…", secret=True)`."""
    count = iter(range(1000))

    def bundle(model_id: str, model: bytes, *, poster: bytes = b"poster", **more: object) -> Bundle:
        folder = tmp_path / f"bundle-{next(count)}"
        folder.mkdir()
        (folder / "a model.GLB").write_bytes(model)
        (folder / "p.webp").write_bytes(poster)
        (folder / "s.webp").write_bytes(b"frame of " + model)
        given = {"title": model_id.title(), "poster": folder / "p.webp", "spin": (folder / "s.webp",), **more}
        return Bundle(model_id, model=folder / "a model.GLB", **given)  # type: ignore[arg-type]

    return bundle


def keys(depot: Depot) -> set[str]:
    return {head.key for head in depot.list() if head.key != NAME}


def raw_manifest(depot: Depot) -> bytes:
    found = depot.read(NAME, 1 << 20)
    assert found is not None
    return found[0]


class Failing:
    """A depot whose n-th write fails."""

    def __init__(self, inner: Depot, writes: int) -> None:
        self._inner, self._left = inner, writes

    def __getattr__(self, name: str) -> object:
        found = getattr(self._inner, name)
        return self._counted(found) if name in ("put", "replace") else found

    def _counted(self, write: Callable[..., object]) -> Callable[..., object]:
        def write_or_fail(*given: object) -> object:
            self._left -= 1
            if self._left < 0:
                raise UnavailableError("the cable is out")
            return write(*given)

        return write_or_fail


def test_a_release_is_shown_with_its_files(depot: Depot, make: Make) -> None:
    done = Publisher(depot, now=lambda: 1_700_000_000.0).publish(make("chair", b"v1", source="ab" * 32))
    version = hashlib.sha256(b"v1").hexdigest()[:16]
    entry = Manifest.parse(raw_manifest(depot)).entry("chair")
    assert entry.current == version == done.release.version
    assert (done.changed, done.uploaded) == (True, len(b"v1" + b"poster" + b"frame of v1"))
    assert entry.release().published == "2023-11-14T22:13:20+00:00"
    assert entry.release().model.key == f"models/chair/{version}/model.glb"
    for file in entry.release().files():
        assert b"".join(_content(depot, file.key)) != b""
        assert hashlib.sha256(b"".join(_content(depot, file.key))).hexdigest() == file.sha256


def _content(depot: Depot, key: str) -> list[bytes]:
    with depot.open(key) as pieces:
        return list(pieces)


def test_files_are_served_as_what_they_are_and_for_ever(shop: Shop, make: Make) -> None:
    depot = open_depot(shop.url, shop.options())
    release = Publisher(depot).publish(make("chair", b"v1")).release
    depot.close()
    assert release.poster is not None
    for file, kind in ((release.model, "model/gltf-binary"), (release.poster, "image/webp")):
        head = shop.client.head_object(Bucket=shop.name, Key=f"live/{file.key}")
        assert (head["ContentType"], head["CacheControl"]) == (kind, FOREVER)
    assert shop.client.head_object(Bucket=shop.name, Key=f"live/{NAME}")["CacheControl"] == "no-cache"


def test_the_same_bytes_again_change_nothing(depot: Depot, make: Make) -> None:
    publisher = Publisher(depot)
    publisher.publish(make("chair", b"v1"))
    before = raw_manifest(depot), keys(depot)
    again = publisher.publish(make("chair", b"v1"))
    assert (again.changed, again.uploaded) == (False, 0)
    assert (raw_manifest(depot), keys(depot)) == before


def test_another_picture_of_the_same_model_gets_another_key(depot: Depot, make: Make) -> None:
    publisher = Publisher(depot)
    first = publisher.publish(make("chair", b"v1", poster=b"one")).release
    second = publisher.publish(make("chair", b"v1", poster=b"another")).release
    assert first.version == second.version
    assert first.poster is not None
    assert second.poster is not None
    assert first.poster.key != second.poster.key
    assert b"".join(_content(depot, first.poster.key)) == b"one"
    assert len(publisher.manifest().entry("chair").releases) == 1


@pytest.mark.parametrize("writes", range(4))
def test_a_failure_at_any_write_leaves_what_was_shown(depot: Depot, make: Make, writes: int) -> None:
    Publisher(depot).publish(make("chair", b"v1"))
    before = raw_manifest(depot)
    with pytest.raises(UnavailableError, match="cable"):
        Publisher(Failing(depot, writes)).publish(make("chair", b"v2", poster=b"new"))  # type: ignore[arg-type]
    assert raw_manifest(depot) == before
    assert Publisher(depot).publish(make("chair", b"v2", poster=b"new")).changed


def test_a_guard_that_objects_leaves_what_was_shown(depot: Depot, make: Make) -> None:
    def object_to_it() -> None:
        raise ConflictError("a newer upload is there")

    Publisher(depot).publish(make("chair", b"v1"))
    before = raw_manifest(depot)
    with pytest.raises(ConflictError, match="newer"):
        Publisher(depot).publish(make("chair", b"v2"), guard=object_to_it)
    assert raw_manifest(depot) == before


def test_rolling_back_and_forth(depot: Depot, make: Make) -> None:
    publisher = Publisher(depot)
    first, second = (publisher.publish(make("chair", content)).release.version for content in (b"v1", b"v2"))
    assert publisher.roll_back("chair").version == first
    assert publisher.roll_back("chair", second).version == second
    with pytest.raises(NotFoundError):
        publisher.roll_back("chair", "0" * 16)
    with pytest.raises(NotFoundError):
        publisher.roll_back("table")


def test_only_so_many_releases_are_kept(depot: Depot, make: Make) -> None:
    publisher = Publisher(depot, keep=2)
    versions = [publisher.publish(make("chair", b"v%d" % number)).release.version for number in range(4)]
    assert [one.version for one in publisher.manifest().entry("chair").releases] == versions[-2:]
    for wrong in (1, 11):
        with pytest.raises(StoreError, match="2 to 10"):
            Publisher(depot, keep=wrong)


def test_a_source_is_known_again(depot: Depot, make: Make) -> None:
    publisher = Publisher(depot)
    publisher.publish(make("chair", b"v1", source="aa" * 32))
    publisher.publish(make("chair", b"v2", source="bb" * 32))
    known = publisher.known("chair", "aa" * 32)
    assert known is not None
    assert publisher.register("chair", known).changed
    assert publisher.manifest().entry("chair").current == known.version
    assert publisher.known("chair", "cc" * 32) is None
    assert publisher.known("table", "aa" * 32) is None


def test_nothing_public_is_left_of_a_model_that_became_secret(depot: Depot, make: Make, tmp_path: Path) -> None:
    publisher = Publisher(depot)
    publisher.publish(make("chair", b"v1", client=_file(tmp_path, "c.glb"), usdz=_file(tmp_path, "a.usdz")))
    publisher.publish(make("chairs", b"other"))  # the same letters, another model
    publisher.publish(make("chair", b"v2", secret=True))
    folders = {key.rsplit("/", 2)[0] if "spin" not in key else key.rsplit("/", 3)[0] for key in keys(depot)}
    assert folders == {"private/chair", "models/chairs"}
    assert [one.secret for one in publisher.manifest().entry("chair").releases] == [True]
    with pytest.raises(StoreError, match="secret"):
        publisher.publish(make("chair", b"v3", secret=True, client=_file(tmp_path, "d.glb")))


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(name.encode())
    return path


def test_pruning_takes_what_is_old_and_named_by_nobody(depot: Depot, make: Make, tmp_path: Path) -> None:
    publisher = Publisher(depot)
    publisher.publish(make("chair", b"v1"))
    named = keys(depot)
    with pytest.raises(UnavailableError):
        Publisher(Failing(depot, 2)).publish(make("chair", b"v2", poster=b"new"))  # type: ignore[arg-type]
    orphans = keys(depot) - named
    assert len(orphans) == 2
    assert publisher.prune() == []  # not a day old
    late = Publisher(depot, now=lambda: time.time() + ORPHANED_AFTER + 60)
    assert {head.key for head in late.prune(dry_run=True)} == orphans
    assert keys(depot) == named | orphans
    assert {head.key for head in late.prune()} == orphans
    assert keys(depot) == named


def test_pruning_touches_only_what_was_published(tmp_path: Path, make: Make) -> None:
    depot = Directory(tmp_path / "store", create=True)
    (depot.folder / "notes.txt").write_text("mine")
    (depot.folder / "lamp.glb").write_text("not published")
    late = Publisher(depot, now=lambda: time.time() + 10 * ORPHANED_AFTER)
    late.publish(make("chair", b"v1"))
    assert late.prune() == []
    late.remove("chair")
    assert {head.key.split("/")[0] for head in late.prune()} == {"models"}
    assert keys(depot) == {"notes.txt", "lamp.glb"}


def test_an_orphan_about_to_be_pruned_is_uploaded_again(tmp_path: Path, make: Make) -> None:
    depot = Directory(tmp_path / "store", create=True)
    bundle = make("chair", b"v1")
    release, paths = stage(bundle)
    for file in release.files():
        depot.put(file.key, paths[file.key], file, "", "")
        os.utime(depot.folder / file.key, (0, 0))
    assert Publisher(depot).publish(bundle).uploaded == sum(file.bytes for file in release.files())
    assert Publisher(depot, now=lambda: time.time() + 60).prune() == []


def test_a_file_that_lies_there_wrong_is_replaced(depot: Depot, make: Make, tmp_path: Path) -> None:
    bundle = make("chair", b"v1")
    release, _ = stage(bundle)
    depot.replace(release.model.key, b"xx", None)  # as long, other bytes
    Publisher(depot).publish(bundle)
    assert b"".join(_content(depot, release.model.key)) == b"v1"


def test_side_files_decide_the_version_too(make: Make, tmp_path: Path) -> None:
    versions = set()
    for number in range(2):
        side = tmp_path / f"side-{number}.mtl"
        side.write_text(f"newmtl {number}")
        release, paths = stage(make("chair", b"v1", side={"sub/chair.mtl": side}))
        versions.add(release.version)
        assert release.side[0].key == f"models/chair/{release.version}/sub/chair.mtl"
        assert paths[release.side[0].key] == side
    assert len(versions) == 2


@pytest.mark.parametrize("wrong", ["", ".hidden", "a/b", "../x", "ä", "x" * 101, "-a"])
def test_ids_that_no_key_takes_are_refused(make: Make, wrong: str) -> None:
    with pytest.raises(StoreError, match="id"):
        stage(make(wrong, b"v1"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Brass Lamp (2)", "Brass-Lamp-2"), ("…", "model"), ("-.a", "a"), ("x" * 120, "x" * 100), ("Täfel", "T-fel")],
)
def test_names_become_ids(name: str, expected: str) -> None:
    assert identifier(name) == expected


PUBLISHER = """
import sys
from pathlib import Path
from assets.publish import Bundle, Publisher
from assets.source import SourceOptions, open_depot
url, endpoint, name, folder = sys.argv[1:]
options = SourceOptions(endpoint=endpoint or None, region="eu-central-1")
publisher = Publisher(open_depot(url, options, create=True))
for number in range(6):
    path = Path(folder) / f"{name}-{number}.glb"
    path.write_text(path.name)
    publisher.publish(Bundle(f"{name}-{number}", "t", path))
    publisher.publish(Bundle("shared", "t", path))
"""


@pytest.mark.parametrize("kind", ["directory", "s3"])
def test_publishers_at_once_lose_nothing(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """Three processes register at once, each its own models and one that is everybody's."""
    url, endpoint = str(tmp_path / "store"), ""
    if kind == "s3":
        shop: Shop = request.getfixturevalue("shop")
        url, endpoint = shop.url, shop.endpoint
    names = ("ann", "bob", "cem")
    command = [sys.executable, "-c", PUBLISHER, url, endpoint]
    running = [subprocess.Popen([*command, name, str(tmp_path)], cwd=Path(__file__).parents[2]) for name in names]
    assert [one.wait(timeout=100) for one in running] == [0, 0, 0]
    depot = open_depot(url, shop.options()) if kind == "s3" else open_depot(url)
    manifest = Publisher(depot).manifest()
    depot.close()
    assert set(manifest.models) == {"shared", *(f"{name}-{number}" for name in names for number in range(6))}
    shared = manifest.entry("shared")
    assert len(shared.releases) == 10  # of 18, the newest
    assert shared.current == shared.releases[-1].version


KILLED = """
import os, signal, sys
from pathlib import Path
from assets import directory
from assets.publish import Bundle, Publisher
from assets.source import open_depot
store, model, poster, at = sys.argv[1:]
real, left = directory._take_place, int(at)
def killed(*given):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*given)
directory._take_place = killed
Publisher(open_depot(store)).publish(Bundle("chair", "t", Path(model), poster=Path(poster)))
"""


@pytest.mark.parametrize("at", range(3))
def test_a_publisher_killed_at_any_file_leaves_what_was_shown(tmp_path: Path, make: Make, at: int) -> None:
    """Its files are on the disk by then, but have not taken their names."""
    depot = Directory(tmp_path / "store", create=True)
    publisher = Publisher(depot)
    publisher.publish(make("chair", b"v1"))
    before = raw_manifest(depot)
    bundle = make("chair", b"v2", poster=b"another")
    command = [sys.executable, "-c", KILLED, str(depot.folder), str(bundle.model), str(bundle.poster), str(at)]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode == -signal.SIGKILL
    assert raw_manifest(depot) == before
    assert publisher.publish(bundle).changed
    assert Publisher(depot, now=lambda: time.time() + 2 * ORPHANED_AFTER).prune() == []
    release = publisher.manifest().entry("chair").release()
    for file in release.files():
        assert hashlib.sha256(b"".join(_content(depot, file.key))).hexdigest() == file.sha256

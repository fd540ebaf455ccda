"""One behaviour, be it a folder, a bucket or a CDN in front: published to, watched, fetched, rolled back."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from assets.errors import NotFoundError
from assets.publish import Bundle, Publisher
from assets.source import SourceOptions, open_depot
from assets.store import Store, StoreOptions, open_store
from tests.assets.conftest import Shop


@dataclass
class Place:
    """Where is published to, and where hosts look."""

    publisher: Publisher
    store: Store
    folder: Path

    def publish(self, model: str, content: bytes, *, secret: bool = False) -> str:
        """A new release with a poster and a preview; its version."""
        files = {"model": content, "poster": b"poster of " + content, "preview": b"preview of " + content}
        paths = {}
        for name, data in files.items():
            paths[name] = self.folder / f"{name}.glb"
            paths[name].write_bytes(data)
        bundle = Bundle(model, model.title(), **paths, secret=secret)
        return self.publisher.publish(bundle).release.version


@pytest.fixture(params=["folder", "bucket", "cdn"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each kind, and a host that looks as often as it is asked to."""
    options = SourceOptions()
    if request.param == "folder":
        home = address = str(tmp_path / "store")
        Path(home).mkdir()
    else:
        shop: Shop = request.getfixturevalue("shop")
        options, home = shop.options(), shop.url
        address = request.getfixturevalue("cdn")(shop.origin) if request.param == "cdn" else home
    work = tmp_path / "work"
    work.mkdir()
    with (
        closing(open_depot(home, options)) as depot,
        closing(open_store(address, StoreOptions(tmp_path / "cache", 1 << 30, options, refresh_seconds=0.0))) as store,
    ):
        yield Place(Publisher(depot), store, work)


def test_a_published_model_is_shown_and_fetched(place: Place) -> None:
    version = place.publish("chair", b"a chair")
    assert place.store.refresh() == {"chair"}
    asset = place.store.stat("chair")
    assert (asset.version, asset.bytes, asset.parts) == (version, 7, {"model", "poster", "preview"})
    assert place.store.fetch("chair", version=version).read_bytes() == b"a chair"
    assert place.store.fetch("chair", part="preview").read_bytes() == b"preview of a chair"
    assert place.store.fetch("chair", part="poster").read_bytes() == b"poster of a chair"
    assert place.store.stale is None


def test_a_new_version_goes_live_and_can_be_rolled_back(place: Place) -> None:
    old = place.publish("chair", b"a chair")
    assert place.store.refresh() == {"chair"}
    new = place.publish("chair", b"a better chair")
    assert place.store.refresh() == {"chair"}
    assert place.store.refresh() == set()
    assert place.store.fetch("chair").read_bytes() == b"a better chair"
    assert place.store.fetch("chair", version=old).read_bytes() == b"a chair"
    place.publisher.roll_back("chair")
    assert place.store.refresh() == {"chair"}
    assert place.store.stat("chair").version == old
    assert place.store.stat("chair", new).bytes == 14
    place.publisher.remove("chair")
    assert place.store.refresh() == {"chair"}
    with pytest.raises(NotFoundError):
        place.store.stat("chair")


def test_fifty_viewers_at_once(place: Place) -> None:
    content = bytes(range(256)) * 40_000  # 10 MB: two ranges
    place.publish("sofa", content)
    place.store.refresh()
    with ThreadPoolExecutor(50) as pool:
        paths = list(pool.map(lambda _: place.store.fetch("sofa"), range(50)))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == content


def test_many_models_are_warmed(place: Place) -> None:
    models = [f"model-{number}" for number in range(6)]
    for model in models:
        place.publish(model, model.encode())
    place.store.refresh()
    place.store.warm(models)
    heard: list[tuple[int, int]] = []
    for model in models:
        path = place.store.fetch(model, progress=lambda *both: heard.append(both))
        assert path.read_bytes() == model.encode()
    assert not heard  # they were at hand


def test_a_secret_model_is_had_by_hosts(place: Place) -> None:
    place.publish("safe", b"a drawing", secret=True)
    place.store.refresh()
    asset = place.store.stat("safe")
    assert asset.secret
    assert all(file.key.startswith("private/") for file in asset.files.values())
    assert place.store.fetch("safe").read_bytes() == b"a drawing"


CHILD = """
import os, signal, sys
from pathlib import Path
from assets.source import SourceOptions
from assets.store import StoreOptions, open_store
url, endpoint, cache, die = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
store = open_store(url, StoreOptions(cache, 1 << 30, SourceOptions(endpoint=endpoint, region="eu-central-1")))
heard = []
def progress(done, total):
    heard.append(done)
    if die and done >= die:
        os.kill(os.getpid(), signal.SIGKILL)
path = store.fetch("sofa", progress=progress)
print(heard[0], path)
"""


def test_a_host_that_is_killed_goes_on_where_it_was(shop: Shop, tmp_path: Path) -> None:
    content = bytes(range(256)) * 80_000  # 20 MB
    model = tmp_path / "sofa.glb"
    model.write_bytes(content)
    with closing(open_depot(shop.url, shop.options())) as depot:
        Publisher(depot).publish(Bundle("sofa", "Sofa", model))

    def host(die: int) -> subprocess.CompletedProcess[str]:
        arguments = [shop.url, shop.endpoint, str(tmp_path / "cache"), str(die)]
        root = Path(__file__).resolve().parents[2]
        command = [sys.executable, "-c", CHILD, *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=110, check=False)

    for die in (6_000_000, 14_000_000):
        assert host(die).returncode == -signal.SIGKILL
    last = host(0)
    assert last.returncode == 0, last.stderr
    begun, path = last.stdout.split()
    assert int(begun) >= 14_000_000
    assert Path(path).read_bytes() == content

"""Downloads from a real bucket and a real CDN, with harm done between: the right bytes later, or one clear error."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assets import transfer
from assets.directory import Directory
from assets.errors import CorruptError, ForbiddenError, FullError, NotFoundError, StoreError, UnavailableError
from assets.journal import Journal
from assets.source import CHUNK, Source, open_source
from assets.transfer import discard, download
from tests.assets import faults
from tests.assets.conftest import Shop
from tests.assets.faults import Fault, FaultProxy

ROOT = Path(__file__).resolve().parents[2]
KEY = "models/chair/0123456789abcdef/chair.glb"
PART, NOTE = 256 << 10, 64 << 10
DATA = random.Random(5).randbytes(6 * PART + 12_345)
SHA256 = hashlib.sha256(DATA).hexdigest()
HEALED: dict[str, list[Fault]] = {
    "slow": [faults.slow(0.001)],
    "cut before the first byte": [faults.cut(0)],
    "cut in the middle": [faults.cut(100_000)],
    "cut again and again": [faults.cut(n) for n in (10, 70_000, 20, 200_000, 30)],
    "stall": [faults.stall(50_000)],
    "503": [faults.status(503)] * 2,
    "429": [faults.status(429)],
    "500, then cut": [faults.status(500), faults.cut(1000)],
    "wrong bytes": [faults.wrong_bytes],
    "shorter than asked": [faults.shorter],
    "longer than asked": [faults.longer],
    "another range": [faults.other_range],
    "416": [faults.status(416)],
    "412": [faults.status(412)],
    "stale etag": [faults.other_etag],
}
# What a CDN that verifies nothing keeps, and repeats for as long as it does.
KEPT = {
    "wrong bytes": "sha256 .* was published",
    "shorter than asked": f"bytes {len(DATA)} was published, the store has {len(DATA) // 2}",
    "longer than asked": f"bytes {len(DATA)} was published, the store has {len(DATA) + 4}",
    "another range": "other bytes than those",
}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch, hurried: None) -> None:
    monkeypatch.setattr(transfer, "PART", PART)
    monkeypatch.setattr(transfer, "NOTE", NOTE)


@pytest.fixture
def proxy(shop: Shop) -> Iterator[FaultProxy]:
    """Between us and the emulator."""
    shop.put(KEY, DATA)
    with FaultProxy(shop.endpoint) as running:
        yield running


@pytest.fixture(params=["s3", "cdn", "cdn in front"])
def source(request: pytest.FixtureRequest, shop: Shop, proxy: FaultProxy, cdn: Callable[..., str]) -> Iterator[Source]:
    """A bucket behind the proxy; a CDN behind it; a CDN between us and it."""
    stalls = request.node.callspec.params.get("name") == "stall" and request.param != "cdn in front"
    fast = {"read_timeout": 1.5 if stalls else 20.0, "attempts": 3}
    if request.param == "s3":
        opened = open_source(shop.url, shop.options(endpoint=proxy.url, **fast))
    elif request.param == "cdn":
        proxy.upstream = cdn(shop.origin)
        opened = open_source(proxy.url, shop.options(**fast))
    else:
        opened = open_source(cdn(f"{proxy.url}/{shop.name}/live"), shop.options(**fast))
    yield opened
    opened.close()


def fetch(source: Source, to: Path, parallel: int = 3) -> bytes:
    head = download(source, KEY, to, bytes=len(DATA), sha256=SHA256, parallel=parallel)
    assert (head.key, head.bytes, head.sha256) == (KEY, len(DATA), SHA256)
    assert [path.name for path in to.parent.iterdir() if path.name.startswith(to.name)] == [to.name]
    return to.read_bytes()


def test_a_file_arrives(source: Source, tmp_path: Path) -> None:
    assert fetch(source, tmp_path / "chair") == DATA


@pytest.mark.parametrize("name", HEALED)
def test_harm_is_healed(
    name: str, request: pytest.FixtureRequest, source: Source, proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.plan = list(HEALED[name])
    if request.node.callspec.params["source"] == "cdn in front" and name in KEPT:
        with pytest.raises((CorruptError, UnavailableError), match=KEPT[name]):
            fetch(source, tmp_path / "chair")
    else:
        assert fetch(source, tmp_path / "chair") == DATA
    assert proxy.plan == []


def test_bytes_that_stay_wrong_are_refused_and_gone(source: Source, proxy: FaultProxy, tmp_path: Path) -> None:
    proxy.always = faults.wrong_bytes
    with pytest.raises(CorruptError, match=r"sha256 .* was published, the store has"):
        fetch(source, tmp_path / "chair")
    assert list(tmp_path.glob("chair*")) == []


def test_a_manifest_that_is_wrong_is_noticed_before_a_byte_is_fetched(
    bucket: Source, proxy: FaultProxy, tmp_path: Path
) -> None:
    with pytest.raises(CorruptError, match="bytes 7 was published"):
        download(bucket, KEY, tmp_path / "chair", bytes=7, sha256=SHA256)
    assert proxy.sent(KEY) == 0
    assert list(tmp_path.glob("chair*")) == []


@pytest.fixture
def bucket(shop: Shop, proxy: FaultProxy) -> Iterator[Source]:
    """The plain case."""
    opened = open_source(shop.url, shop.options(endpoint=proxy.url, attempts=2))
    yield opened
    opened.close()


def test_an_outage_costs_nothing_twice(bucket: Source, proxy: FaultProxy, tmp_path: Path) -> None:
    to = tmp_path / "chair"
    proxy.plan = [faults.slow(0)] * 3
    proxy.always = faults.status(503)
    with pytest.raises(UnavailableError, match="503"):
        fetch(bucket, to, parallel=1)
    assert proxy.sent(KEY) == 3 * PART
    proxy.always = None
    assert fetch(bucket, to) == DATA
    assert proxy.sent(KEY) == len(DATA)


def test_a_connection_that_always_breaks_is_given_up(bucket: Source, proxy: FaultProxy, tmp_path: Path) -> None:
    proxy.always = faults.cut(1000)
    with pytest.raises(UnavailableError, match="after 1000 of"):
        fetch(bucket, tmp_path / "chair")
    assert len(proxy.seen) <= 1 + 3 * transfer.BREAKS


def test_a_file_that_changes_on_the_way_comes_as_the_new_one(
    bucket: Source, proxy: FaultProxy, shop: Shop, tmp_path: Path
) -> None:
    new = DATA[::-1] + b"longer"
    etags = []
    proxy.plan = [faults.when(lambda: etags.append(shop.put(KEY, new)))]
    head = download(bucket, KEY, tmp_path / "chair", bytes=None, sha256=None, parallel=1)
    assert (tmp_path / "chair").read_bytes() == new
    assert (head.bytes, head.etag, head.sha256) == (len(new), etags[0], hashlib.sha256(new).hexdigest())


def test_a_file_that_keeps_changing_is_given_up(bucket: Source, proxy: FaultProxy, shop: Shop, tmp_path: Path) -> None:
    count = iter(range(100))
    proxy.always = faults.when(lambda: shop.put(KEY, DATA + bytes([next(count)])))
    with pytest.raises(CorruptError, match=r"has changed .* tried 3 times"):
        download(bucket, KEY, tmp_path / "chair", bytes=None, sha256=None, parallel=1)
    assert list(tmp_path.glob("chair*")) == []


def test_what_the_store_refuses_is_said_once(bucket: Source, proxy: FaultProxy, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nothing"):
        download(bucket, "nothing.glb", tmp_path / "chair", bytes=None, sha256=None)
    proxy.always = faults.status(403)
    with pytest.raises(ForbiddenError, match="access denied"):
        fetch(bucket, tmp_path / "chair")


CHILD = """
import sys
from pathlib import Path
from assets import transfer
from assets.source import SourceOptions, open_source
transfer.PART, transfer.NOTE = int(sys.argv[4]), int(sys.argv[5])
source = open_source(sys.argv[1], SourceOptions(endpoint=sys.argv[2]))
transfer.download(source, sys.argv[6], Path(sys.argv[3]), bytes=None, sha256=sys.argv[7], parallel=3)
"""


def test_killed_twice_it_goes_on(shop: Shop, proxy: FaultProxy, tmp_path: Path) -> None:
    to = tmp_path / "chair"
    data = DATA * 8
    shop.put(KEY, data)
    part, sha256 = 4 * CHUNK, hashlib.sha256(data).hexdigest()
    arguments = [shop.url, proxy.url, str(to), str(part), str(CHUNK), KEY, sha256]
    proxy.always = faults.slow(0.002)
    for share in (0.3, 0.6):
        child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=ROOT)
        while proxy.sent(KEY) < share * len(data) and child.poll() is None:
            time.sleep(0.005)
        assert child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
    before = proxy.sent(KEY)
    proxy.always = None
    assert before < len(data)
    download(open_source(shop.url, shop.options(endpoint=proxy.url)), KEY, to, bytes=len(data), sha256=sha256)
    assert to.read_bytes() == data
    # A kill loses of each of three requests what is not in the journal yet, and what lies in sockets.
    again = proxy.sent(KEY) - len(data)
    assert 0 <= again <= 2 * 3 * part
    assert proxy.sent(KEY) - before < 0.7 * len(data)


@pytest.fixture
def folder(tmp_path: Path) -> Directory:
    path = tmp_path / "store" / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    return Directory(tmp_path / "store")


def test_a_full_disk_is_said_and_given_back(folder: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("posix_fallocate", "pwrite"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(FullError, match="No space left"):
                fetch(folder, tmp_path / "chair")
        assert list(tmp_path.glob("chair*")) == []
    assert fetch(folder, tmp_path / "chair") == DATA


def test_a_real_bound_on_file_sizes_is_a_full_disk(folder: Directory, tmp_path: Path) -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from pathlib import Path; from assets.directory import Directory; from assets.transfer import download\n"
        f"download(Directory(Path({str(folder.folder)!r})), {KEY!r}, Path({str(tmp_path / 'chair')!r}), "
        "bytes=None, sha256=None)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "assets.errors.FullError" in done.stderr
    assert list(tmp_path.glob("chair*")) == []


def test_progress_grows_to_the_whole_and_may_end_it(folder: Directory, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    download(folder, KEY, tmp_path / "a", bytes=None, sha256=None, progress=lambda *step: told.append(step))
    assert told == sorted(told)
    assert told[-1] == (len(DATA), len(DATA))
    assert len(told) >= len(DATA) // PART

    class EnoughError(Exception):
        pass

    def enough(done: int, total: int) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        download(folder, KEY, tmp_path / "b", bytes=None, sha256=None, progress=enough)


def test_a_scratch_file_that_was_tampered_with_is_not_believed(folder: Directory, tmp_path: Path) -> None:
    to = tmp_path / "chair"
    head = folder.head(KEY)
    subject = {"key": KEY, "etag": head.etag, "bytes": head.bytes, "sha256": SHA256, "token": ""}
    to.write_bytes(bytes(head.bytes))
    journal = Journal(to.with_name("chair.journal"), subject)
    journal.add(0, 100_000)
    journal.close()
    told: list[int] = []
    download(folder, KEY, to, bytes=None, sha256=SHA256, progress=lambda done, total: told.append(done))
    assert told[0] == 100_000  # it was believed until the checksum
    assert to.read_bytes() == DATA


def test_a_journal_counts_only_for_its_own_file(folder: Directory, tmp_path: Path) -> None:
    to = tmp_path / "chair"
    journal = Journal(to.with_name("chair.journal"), {"key": "another"})
    journal.add(0, len(DATA))
    journal.close()
    to.write_bytes(bytes(len(DATA)))
    assert fetch(folder, to) == DATA
    discard(to)
    assert list(tmp_path.glob("chair*")) == []


def test_an_empty_file_arrives(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "empty").touch()
    head = download(Directory(tmp_path / "store"), "empty", tmp_path / "to", bytes=0, sha256=None)
    assert head.sha256 == hashlib.sha256().hexdigest()
    assert (tmp_path / "to").read_bytes() == b""


def test_requests_at_once_are_bounded(folder: Directory, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="33 requests at once: 1 to 32"):
        download(folder, KEY, tmp_path / "chair", bytes=None, sha256=None, parallel=33)


def test_threads_end_with_the_transfer(folder: Directory, tmp_path: Path) -> None:
    before = threading.active_count()
    fetch(folder, tmp_path / "chair", parallel=32)
    assert threading.active_count() == before


class HalfBroken(Directory):
    """The first range is refused while the second is on its way."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.begun, self.gone = threading.Event(), threading.Event()

    @contextmanager
    def open(
        self, key: str, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        if start == 0:
            self.begun.wait()
            raise ForbiddenError("refused")
        with super().open(key, start, length, etag) as pieces:
            yield self._late(pieces)
        self.gone.set()

    def _late(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        self.begun.set()
        time.sleep(0.2)
        yield from pieces


def test_nobody_writes_any_more_when_a_transfer_has_failed(
    folder: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[int] = []
    late: list[bool] = []
    pwrite, close = os.pwrite, os.close

    def watched_write(file: int, data: bytes, offset: int) -> int:
        late.append(file in closed)
        return pwrite(file, data, offset)

    def watched_close(file: int) -> None:
        closed.append(file)
        close(file)

    monkeypatch.setattr(os, "pwrite", watched_write)
    monkeypatch.setattr(os, "close", watched_close)
    source = HalfBroken(folder.folder)
    before = threading.active_count()
    with pytest.raises(ForbiddenError, match="refused"):
        download(source, KEY, tmp_path / "chair", bytes=None, sha256=None, parallel=2)
    assert threading.active_count() == before
    assert source.gone.is_set()
    assert closed
    assert late == [False]  # the second range's one piece came after the refusal, and before the file was closed


def test_the_head_is_the_sources_own(folder: Directory, tmp_path: Path) -> None:
    head = download(folder, KEY, tmp_path / "chair", bytes=None, sha256=None)
    assert head._replace(sha256=None) == folder.head(KEY)

"""The cache: one download for all who wait, right bytes or an error, its bound kept, full disks and kills survived."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from assets.bundle import Bundle, Item, on_disk
from assets.cache import Cache
from assets.errors import CorruptError, FullError, StoreError, UnavailableError
from assets.shelf import ABANDONED_AFTER
from tests.assets.contents import Downloads, bundle, content, files_below

ROOM = bundle("a").room  # of one entry of the default size


class Clock:
    """A second passes at each look, so that last uses have an order."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def cache(folder: Path, most: int = 100 * ROOM, grace: float = 0.0, clock: Clock | None = None) -> Cache:
    return Cache(folder / "cache", most, grace, clock or Clock())


def entry_of(path: Path) -> Path:
    return path.parent.parent


def refuse(item: Item, to: Path, progress: object) -> str:
    raise AssertionError(f"{item.key} was downloaded again")


def test_it_is_downloaded_once_and_verified_by_the_next_process(tmp_path: Path) -> None:
    first, downloads = cache(tmp_path), Downloads()
    path = first.fetch(bundle("a.glb"), downloads)
    assert path.read_bytes() == content("a.glb", 10_000)
    assert path.name == "a.glb"
    assert first.fetch(bundle("a.glb"), refuse) == path
    assert cache(tmp_path).fetch(bundle("a.glb"), refuse) == path
    assert downloads.keys == ["key/a.glb"]


def test_files_of_a_bundle_lie_beside_each_other(tmp_path: Path) -> None:
    wanted = bundle("scene.gltf", "scene.bin", "textures/oak.png")
    path = cache(tmp_path).fetch(wanted, Downloads())
    assert sorted(one.relative_to(path.parent).as_posix() for one in files_below(path.parent)) == [
        "scene.bin",
        "scene.gltf",
        "textures/oak.png",
    ]
    assert (path.parent / "textures/oak.png").read_bytes() == content("textures/oak.png", 10_000)


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "", "a//b", "a\\b"])
def test_no_name_leads_out_of_an_entry(name: str) -> None:
    with pytest.raises(StoreError):
        Bundle((Item("key", name, 1, None),))


def test_names_are_different() -> None:
    with pytest.raises(CorruptError, match="different names"):
        bundle("a", "a")


def test_fifty_threads_share_one_download_and_all_hear_of_it(tmp_path: Path) -> None:
    begun, heard = threading.Event(), [list[tuple[int, int]]() for _ in range(50)]
    waiting = threading.Semaphore(0)

    def slowly(item: Item, start: int) -> None:
        begun.set()
        if start == 0:
            for _ in range(49):
                assert waiting.acquire(timeout=30)

    shared, downloads, wanted = cache(tmp_path), Downloads(slowly), bundle("a.glb", size=100_000)

    def viewer(number: int) -> Path:
        if number:
            assert begun.wait(30)
            waiting.release()
        return shared.fetch(wanted, downloads, lambda done, total: heard[number].append((done, total)))

    with ThreadPoolExecutor(50) as pool:
        paths = list(pool.map(viewer, range(50)))
    assert len(set(paths)) == 1
    assert downloads.keys == ["key/a.glb"]
    assert all(one[-1] == (100_000, 100_000) for one in heard if one)
    assert sum(bool(one) for one in heard) >= 40  # who comes for the last piece may have missed it


def test_who_fails_fails_for_all_that_wait_and_the_next_goes_on_from_there(tmp_path: Path) -> None:
    def broken(item: Item, start: int) -> None:
        if start > 40_000:
            raise UnavailableError("the network went away")

    shared, wanted = cache(tmp_path), bundle("a.glb", size=100_000)
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(shared.fetch, wanted, Downloads(broken)) for _ in range(5)]
    for future in futures:
        with pytest.raises(UnavailableError, match="went away"):
            future.result()
    after = Downloads()
    assert shared.fetch(wanted, after).read_bytes() == content("a.glb", 100_000)
    assert after.resumed[0] > 0


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def redirect(path: Path) -> None:
    copy = path.parent.parent.parent / "elsewhere"
    copy.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(copy)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink, redirect, pipe])
@pytest.mark.parametrize("what", ["file", "side", "seal"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("fresh", [True, False])
def test_a_spoilt_entry_is_never_served(tmp_path: Path, harm: object, what: str, known: bool, fresh: bool) -> None:
    wanted = bundle("a.gltf", "a.bin", known=known)
    first = cache(tmp_path)
    path = first.fetch(wanted, Downloads())
    target = {"file": path, "side": path.with_name("a.bin"), "seal": entry_of(path) / "seal"}[what]
    before = target.stat().st_mtime_ns
    assert callable(harm)
    harm(target)
    if target.is_file():
        os.utime(target, ns=(before + 1, before + 1))
    downloads = Downloads()
    path = (cache(tmp_path) if fresh else first).fetch(wanted, downloads)
    assert path.read_bytes() == content("a.gltf", 10_000)
    assert path.with_name("a.bin").read_bytes() == content("a.bin", 10_000)
    if fresh or what != "seal":
        assert sorted(downloads.keys) == ["key/a.bin", "key/a.gltf"]


def test_wrong_bytes_are_an_error_and_leave_nothing(tmp_path: Path) -> None:
    def liar(item: Item, to: Path, progress: object) -> str:
        to.write_bytes(b"x" * item.bytes)
        return item.sha256 or ""

    def short(item: Item, to: Path, progress: object) -> str:
        to.write_bytes(b"x")
        return item.sha256 or ""

    def other(item: Item, to: Path, progress: object) -> str:
        to.write_bytes(b"x" * item.bytes)
        return "0" * 64

    shared = cache(tmp_path)
    for download in (short, other):
        with pytest.raises(CorruptError, match="key/a"):
            shared.fetch(bundle("a"), download)
        assert shared.used() == 0
    shared.fetch(bundle("a"), liar)
    with pytest.raises(AssertionError, match="downloaded again"):  # who trusts a liar is set right by the next process
        cache(tmp_path).fetch(bundle("a"), refuse)


def test_the_least_recently_used_leave(tmp_path: Path) -> None:
    shared = cache(tmp_path, most=3 * ROOM)
    for name in "abc":
        shared.fetch(bundle(name), Downloads())
    shared.fetch(bundle("a"), refuse)
    shared.fetch(bundle("d"), Downloads())
    assert shared.used() == 3 * ROOM
    for name in "acd":
        shared.fetch(bundle(name), refuse)
    again = Downloads()
    shared.fetch(bundle("b"), again)
    assert again.keys == ["key/b"]


def test_what_is_in_use_stays_and_leaves_later(tmp_path: Path) -> None:
    clock = Clock()
    shared = cache(tmp_path, most=2 * ROOM, grace=1000.0, clock=clock)
    paths = [shared.fetch(bundle(name), Downloads()) for name in "abcd"]
    assert all(path.exists() for path in paths)
    clock.now += 2000
    shared.fetch(bundle("a"), refuse)
    shared.settle()
    assert [path.exists() for path in paths] == [True, False, False, True]
    assert shared.used() == 2 * ROOM


def test_room_is_made_before_a_download_and_kept_for_it(tmp_path: Path) -> None:
    shared = cache(tmp_path, most=3 * ROOM)
    for name in "abc":
        shared.fetch(bundle(name), Downloads())
    seen = []
    shared.fetch(bundle("d"), Downloads(lambda item, start: seen.append(shared.used())))
    assert seen == [3 * ROOM]


def test_what_can_never_fit_is_refused_and_nothing_leaves_for_it(tmp_path: Path) -> None:
    shared = cache(tmp_path, most=3 * ROOM)
    shared.fetch(bundle("a"), Downloads())
    with pytest.raises(FullError, match="the whole cache may take"):
        shared.fetch(bundle("b", size=4 * ROOM), refuse)
    shared.fetch(bundle("a"), refuse)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_on_a_full_disk_others_leave_and_it_is_tried_again(tmp_path: Path, number: int) -> None:
    shared = cache(tmp_path)
    paths = [shared.fetch(bundle(name), Downloads()) for name in "abc"]

    def until_something_left(item: Item, start: int) -> None:
        if all(path.exists() for path in paths):
            raise OSError(number, os.strerror(number))

    assert shared.fetch(bundle("d"), Downloads(until_something_left)).read_bytes() == content("d", 10_000)
    assert [path.exists() for path in paths] == [False, True, True]


def test_on_a_disk_that_stays_full_entries_that_are_there_keep_working(tmp_path: Path) -> None:
    shared = cache(tmp_path, grace=1000.0)
    shared.fetch(bundle("a"), Downloads())

    def full(item: Item, start: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    downloads = Downloads(full)
    with pytest.raises(FullError, match="no space left"):
        shared.fetch(bundle("b"), downloads)
    assert downloads.keys == ["key/b"]  # nothing could leave: no second try
    assert shared.used() == ROOM
    shared.fetch(bundle("a"), refuse)
    cache(tmp_path).fetch(bundle("a"), refuse)


@pytest.mark.parametrize("call", ["mkdir", "fsync", "rename", "utime"])
def test_a_disk_that_is_full_at_any_call_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    shared = cache(tmp_path)
    shared.fetch(bundle("a"), Downloads())
    real, left = getattr(os, call), [1]

    def once(*args: Any, **kwargs: Any) -> Any:
        if left:
            left.clear()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, call, once)
    assert shared.fetch(bundle("b"), Downloads()).read_bytes() == content("b", 10_000)
    assert not left
    cache(tmp_path).fetch(bundle("b"), refuse)
    assert all(path.suffix == ".lock" for path in (tmp_path / "cache" / "partial").iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 400 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.root
def test_a_real_full_disk(small_disk: Path) -> None:
    shared = Cache(small_disk / "cache", 1 << 30, 0.0, Clock())
    for name in ("a", "b", "c", "d", "e"):
        wanted = bundle(name, size=150_000)
        assert shared.fetch(wanted, Downloads()).read_bytes() == content(name, 150_000)
    shared.fetch(bundle("e", size=150_000), refuse)
    for _ in range(2):
        with pytest.raises(FullError, match="No space left"):
            shared.fetch(bundle("f", size=500_000), Downloads())
    assert shared.fetch(bundle("g", size=150_000), Downloads()).read_bytes() == content("g", 150_000)


def test_a_folder_that_vanishes_is_made_again(tmp_path: Path) -> None:
    shared = cache(tmp_path)
    shared.fetch(bundle("a"), Downloads())
    (tmp_path / "cache").rename(tmp_path / "old")
    assert shared.fetch(bundle("a"), Downloads()).read_bytes() == content("a", 10_000)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(StoreError, match="cache .*cache"):
        cache(tmp_path)


def test_what_was_abandoned_is_cleared_away(tmp_path: Path) -> None:
    def broken(item: Item, start: int) -> None:
        if start > 0:
            raise UnavailableError("the network went away")

    clock = Clock()
    shared = cache(tmp_path, clock=clock)
    with pytest.raises(UnavailableError):
        shared.fetch(bundle("a", size=100_000), Downloads(broken))
    (tmp_path / "cache" / "partial" / f"{'0' * 64}.gone-12345678").mkdir()
    shared.settle()
    assert shared.used() == bundle("a", size=100_000).room
    clock.now += ABANDONED_AFTER + 10
    Path(tmp_path / "cache" / "partial" / bundle("a", size=100_000).id / "reserved").touch()
    os.utime(tmp_path / "cache" / "partial" / bundle("a", size=100_000).id / "reserved", (0, 0))
    shared.settle()
    assert shared.used() == 0
    assert not list((tmp_path / "cache" / "partial").iterdir())


CHILD = """
import os, signal, sys, time
from pathlib import Path
from assets.cache import Cache
from tests.assets.contents import Downloads, bundle, content
folder, log, die, others = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
ready = log.with_name("ready")
def before(item, start):
    while start == 0 and ready.stat().st_size < others:
        time.sleep(0.01)
    time.sleep(0.5 if others > 1 and start == 0 else 0.005)
    with log.open("a") as file:
        file.write(f"{os.getpid()} {start}\\n")
    if die and start >= die:
        os.kill(os.getpid(), signal.SIGKILL)
heard = []
with ready.open("a") as file:
    file.write(".")
path = Cache(folder, 1 << 30).fetch(bundle("a", size=500_000), Downloads(before), lambda *both: heard.append(both))
sys.exit(0 if path.read_bytes() == content("a", 500_000) and heard and heard[-1][1] == 500_000 else 3)
"""


def child(tmp_path: Path, *, die: int = 0, others: int = 1) -> subprocess.Popen[bytes]:
    """die: after so many bytes; others: wait until so many are ready."""
    root = Path(__file__).resolve().parents[2]
    arguments = [tmp_path / "cache", tmp_path / "log", str(die), str(others)]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=root)


def test_processes_share_one_download_and_hear_of_it(tmp_path: Path) -> None:
    children = [child(tmp_path, others=4) for _ in range(4)]
    assert [one.wait(60) for one in children] == [0] * 4
    lines = (tmp_path / "log").read_text().splitlines()
    assert len({line.split()[0] for line in lines}) == 1


def test_a_killed_download_is_gone_on_with(tmp_path: Path) -> None:
    for die in (100_000, 300_000):
        assert child(tmp_path, die=die).wait(60) == -signal.SIGKILL
    assert child(tmp_path).wait(60) == 0
    starts = [int(line.split()[1]) for line in (tmp_path / "log").read_text().splitlines()]
    assert starts == sorted(starts)
    assert starts.count(0) == 1


def test_whole_blocks_are_counted() -> None:
    assert [on_disk(size) for size in (0, 1, 4096, 4097)] == [0, 4096, 4096, 8192]

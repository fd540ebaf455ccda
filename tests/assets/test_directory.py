"""A folder to publish to and to read from: nothing outside of it, nothing by halves, one winner of each swap."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from assets import directory
from assets.directory import Directory
from assets.errors import (
    ChangedError,
    ConflictError,
    CorruptError,
    ForbiddenError,
    FullError,
    NotFoundError,
    StoreError,
    disk_error,
)
from assets.manifest import File
from assets.source import Source, check_key, check_published_key, open_depot, open_sink, open_source

DATA = bytes(range(256)) * 4096
KEY = "models/chair/0123456789abcdef/chair.glb"


@pytest.fixture
def place(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "store", create=True)


def put(place: Directory, tmp_path: Path, data: bytes = DATA, key: str = KEY) -> File:
    path = tmp_path / "source"
    path.write_bytes(data)
    file = File(key, hashlib.sha256(data).hexdigest(), len(data))
    place.put(key, path, file, "model/gltf-binary", "no-cache")
    return file


def content(place: Source, *where: object) -> bytes:
    with place.open(KEY, *where) as pieces:  # type: ignore[arg-type]
        return b"".join(pieces)


def test_what_is_put_is_read(place: Directory, tmp_path: Path) -> None:
    put(place, tmp_path)
    head = place.head(KEY)
    assert (head.bytes, head.modified) == (len(DATA), (place.folder / KEY).stat().st_mtime)
    assert content(place) == DATA
    assert content(place, 5, 300_000, head.etag) == DATA[5:300_005]
    assert content(place, len(DATA) - 1) == DATA[-1:]
    with pytest.raises(ChangedError):
        content(place, 0, 1, "another")
    with pytest.raises(CorruptError, match="asked for"):
        content(place, len(DATA), 1)


def test_what_is_not_the_published_file_leaves_nothing(place: Directory, tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    with pytest.raises(CorruptError, match="is not the file that was to be published"):
        place.put(KEY, path, File(KEY, "0" * 64, len(DATA)), "", "")
    with pytest.raises(NotFoundError):
        place.put(KEY, tmp_path / "nothing", File(KEY, "0" * 64, 0), "", "")
    assert [path for path in place.folder.rglob("*") if path.is_file()] == []


def test_a_reader_keeps_what_it_has_begun(place: Directory, tmp_path: Path) -> None:
    put(place, tmp_path)
    with place.open(KEY) as pieces:
        first = next(pieces)
        put(place, tmp_path, DATA[::-1])
        assert first + b"".join(pieces) == DATA
    assert content(place) == DATA[::-1]


def test_a_file_that_is_cut_while_it_is_read_is_a_change(place: Directory, tmp_path: Path) -> None:
    put(place, tmp_path)
    with place.open(KEY) as pieces:
        next(pieces)
        os.truncate(place.folder / KEY, 300_000)
        with pytest.raises(ChangedError, match="was cut while it was read"):
            list(pieces)


def test_one_of_many_wins_every_swap(place: Directory) -> None:
    rounds, names = 10, range(4)
    etag: str | None = None
    for number in range(rounds):
        won: list[bytes] = []
        barrier = threading.Barrier(len(names))

        def swap(
            name: int,
            barrier: threading.Barrier = barrier,
            won: list[bytes] = won,
            number: int = number,
            etag: str | None = etag,
        ) -> None:
            data = b"%d %d" % (number, name)  # of one length, and within one tick of the clock
            barrier.wait()
            try:
                place.replace("vitrine.json", data, etag)
            except ConflictError:
                return
            won.append(data)

        threads = [threading.Thread(target=swap, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = place.read("vitrine.json", 100)
        assert found is not None
        assert [found[0]] == won
        etag = found[1]
        assert place.read("vitrine.json", 100, etag) is None


def test_small_files_are_bounded(place: Directory) -> None:
    place.replace("vitrine.json", b"12345", None)
    with pytest.raises(CorruptError, match="5 bytes, at most 4 are read"):
        place.read("vitrine.json", 4)
    with pytest.raises(ConflictError):
        place.replace("nothing.json", b"", "etag")


def test_what_is_deleted_takes_its_empty_folders_along(place: Directory, tmp_path: Path) -> None:
    put(place, tmp_path)
    put(place, tmp_path, key="models/b.glb")
    place.delete(KEY)
    place.delete(KEY)
    assert [path.name for path in (place.folder / "models").iterdir()] == ["b.glb"]
    place.delete("models/b.glb")
    assert list(place.folder.iterdir()) == []


def test_who_puts_does_not_mind_who_takes_empty_folders_away(place: Directory, tmp_path: Path) -> None:
    done = threading.Event()

    def delete() -> None:
        while not done.is_set():
            place.delete("models/chair/0123456789abcdef/another.glb")

    threads = [threading.Thread(target=delete) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(40):
            put(place, tmp_path, b"x")
            assert content(place) == b"x"
            place.delete(KEY)
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_a_folder_that_goes_just_before_a_file_is_made_in_it_is_made_again(
    place: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir, taken = Path.mkdir, list[Path]()

    def made_and_taken_away(folder: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        mkdir(folder, mode, parents, exist_ok)
        if folder.name == KEY.split("/")[-2] and len(taken) < 3:
            place.delete(KEY)
            taken.append(folder)

    monkeypatch.setattr(Path, "mkdir", made_and_taken_away)
    put(place, tmp_path)
    assert len(taken) == 3
    assert content(place) == DATA


def test_listings_are_in_order_bounded_and_without_what_is_hidden(
    place: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("b/2.glb", "a.glb", "b/1.glb", "c.glb"):
        put(place, tmp_path, key=key)
    (place.folder / ".hidden").write_bytes(b"")
    (place.folder / "link").symlink_to("/etc/hostname")
    assert [head.key for head in place.list()] == ["a.glb", "c.glb", "b/1.glb", "b/2.glb"]
    assert [head.key for head in place.list("b/")] == ["b/1.glb", "b/2.glb"]
    monkeypatch.setattr(directory, "MAX_LISTED", 2)
    assert len(list(place.list())) == 2


def test_no_link_leads_out(place: Directory, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (place.folder / "file").symlink_to(tmp_path / "outside" / "secret")
    (place.folder / "folder").symlink_to(tmp_path / "outside")
    for key in ("file", "folder/secret"):
        with pytest.raises(StoreError, match="link out of the store's folder"):
            place.head(key)
    with pytest.raises(StoreError, match="link out of the store's folder"):
        put(place, tmp_path, key="folder/new")
    with pytest.raises(StoreError, match="link out of the store's folder"):
        place.delete("folder/secret")
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


def test_a_pipe_is_no_file(place: Directory) -> None:
    os.mkfifo(place.folder / "pipe")
    with pytest.raises(NotFoundError):
        place.head("pipe")


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\\b", "a\nb", "a" * 1025]
)
def test_keys_stay_below_their_place(key: str, place: Directory) -> None:
    for refuse in (check_key, check_published_key, place.head, place.delete):
        with pytest.raises(StoreError, match="not a key"):
            refuse(key)


def test_what_is_published_has_plain_names(place: Directory) -> None:
    assert check_key("Brass lamp (ü).glb") == "Brass lamp (ü).glb"
    with pytest.raises(StoreError, match="not a key to publish"):
        place.replace("Brass lamp.json", b"", None)
    with pytest.raises(StoreError, match="hidden names are not published"):
        place.replace("models/.hidden", b"", None)


def test_addresses_of_folders(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    with pytest.raises(StoreError, match="no such folder"):
        open_source(str(folder))
    assert isinstance(open_sink(str(folder)), Directory)
    assert isinstance(open_source(f"file://{tmp_path}/a%20b"), Directory)
    assert isinstance(open_depot(str(folder)), Directory)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="File exists"):
        open_sink(str(tmp_path / "file"))


def test_errors_of_the_disk_have_their_kinds() -> None:
    kinds = {
        OSError(28, "No space left on device"): FullError,
        OSError(122, "Disk quota exceeded"): FullError,
        FileNotFoundError(2, "No such file"): NotFoundError,
        PermissionError(13, "Permission denied"): ForbiddenError,
        OSError(5, "Input/output error"): StoreError,
    }
    for error, kind in kinds.items():
        assert type(disk_error(error, "models/a.glb")) is kind
        assert str(disk_error(error, "models/a.glb")).startswith("models/a.glb: ")

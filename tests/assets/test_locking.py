"""Locks between processes: one holder, notes for those who wait, files that may be removed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from assets.errors import UnavailableError
from assets.locking import at_once, exclusive, shared


def test_one_holds_it_or_many_share_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with shared(path) as one, shared(path) as other, at_once(path) as nobody:
        assert one
        assert other
        assert nobody is None
    with at_once(path) as holder, shared(path) as late, at_once(path) as later:
        assert holder is not None
        assert not late
        assert later is None
    with shared(path) as free:
        assert free


def test_who_waits_hears_the_notes_and_gives_up_without_any(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    with at_once(tmp_path / "lock") as holder:
        assert holder is not None
        holder.note(3, 7)
        with (
            pytest.raises(UnavailableError, match="without progress"),
            exclusive(tmp_path / "lock", 0.05, lambda *both: heard.append(both)),
        ):
            pytest.fail("two hold it")
    assert heard == [(3, 7)]


def test_the_notes_of_the_dead_are_not_heard(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("5 9\n")
    with exclusive(tmp_path / "lock", 1.0):
        assert (tmp_path / "lock").read_bytes() == b""


def test_a_file_that_was_removed_locks_nothing(tmp_path: Path) -> None:
    path, order, waits = tmp_path / "lock", list[str](), threading.Event()

    def waiter() -> None:
        waits.set()
        with exclusive(path, 30.0), at_once(path) as other:
            order.append("second")
            assert other is None  # the file that has the name now is the one that is held

    thread = threading.Thread(target=waiter)
    with exclusive(path, 30.0) as held:
        thread.start()
        waits.wait(30)
        held.remove()
        order.append("first")
    thread.join(30)
    assert sorted(order) == ["first", "second"]
    assert path.exists()

"""What a journal remembers: nothing of half a line, nothing of another boot; stretches as a set of bytes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from assets.journal import Extents, Journal


def test_an_interrupted_line_of_a_journal_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, {"key": "a"})
    journal.add(0, 10)
    journal.add(20, 30)
    journal.close()
    path.write_bytes(path.read_bytes()[:-2])
    again = Journal(path, {"key": "a"})
    again.close()
    assert list(again.done.missing(40, 100)) == [(10, 40)]
    assert again.resumed == 10


def test_a_journal_of_another_boot_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, {"key": "a"})
    journal.add(0, 10)
    journal.close()
    monkeypatch.setattr("assets.journal._BOOT", tmp_path / "boot")
    (tmp_path / "boot").write_text("another")
    again = Journal(path, {"key": "a"})
    again.close()
    assert again.resumed == 0


def test_extents_are_a_set_of_bytes() -> None:
    draw = random.Random(3)
    for _ in range(200):
        extents, model = Extents(iter(())), set[int]()
        for _ in range(draw.randrange(12)):
            start = draw.randrange(60)
            end = start + draw.randrange(1, 20)
            extents.add(start, end)
            model |= set(range(start, end))
        assert extents.total == len(model)
        assert extents.prefix == next(n for n in range(200) if n not in model)
        missing = list(extents.missing(80, 7))
        assert [n for start, end in missing for n in range(start, end)] == sorted(set(range(80)) - model)
        assert all(0 < end - start <= 7 for start, end in missing)

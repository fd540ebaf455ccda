"""A slice of the randomised test of the cache; the whole of it is `python -m tests.assets.soak` (docs/assets.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.assets.soak.model import BITES, soak


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cache_under_everything_at_once(tmp_path: Path) -> None:
    report = soak(tmp_path, operations=400, seed=3)
    assert not report.wrong
    for what in BITES:
        assert report.counts[what], f"{what}: the faults did not bite, so that this shows nothing"

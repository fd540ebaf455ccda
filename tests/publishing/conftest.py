"""What the tests of publishing share: the emulator of S3, and small models."""

from __future__ import annotations

from pathlib import Path

import pytest

from publishing.pictures import Settings as PictureSettings
from publishing.pipeline import Settings
from tests.assets.conftest import aws, client, emulator, shop

__all__ = ["aws", "client", "emulator", "quick", "shop"]


@pytest.fixture
def quick() -> Settings:
    """Settings that take a second or two: tiny pictures, nothing optimised."""
    return Settings(optimise=None, pictures=PictureSettings(poster=64, spin=16, poster_samples=1, spin_samples=1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty one for what is made."""
    made = tmp_path / "made"
    made.mkdir()
    return made

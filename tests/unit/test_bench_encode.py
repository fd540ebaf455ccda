"""`vitrine bench encode` on drawn-up pictures: every side is decoded again, and told in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from benchmarks import encode, report
from benchmarks.progress import Progress


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a model: two soft textures that slide over each other, 320 × 240."""
    coarse = np.random.default_rng(3).integers(60, 200, (40, 60), dtype=np.uint8)
    texture = np.kron(coarse, np.ones((16, 16), np.uint8))

    def drawn(model: Path, width: int, height: int, count: int, progress: Progress) -> encode.Pictures:
        made = np.full((count, height * 3 // 2, width), 128, np.uint8)
        for i in range(count):
            over = texture[2 * i : 2 * i + height, 600 - 3 * i : 600 - 3 * i + width] // 2
            made[i, :height] = texture[i : i + height, 2 * i : 2 * i + width] // 2 + over
        return made

    monkeypatch.setattr(encode, "_drawn", drawn)
    monkeypatch.setattr(report, "gl_renderer", lambda: "none")


@pytest.mark.usefixtures("pictures")
def test_every_side_is_measured_decoded_and_told(tmp_path: Path) -> None:
    model = tmp_path / "texture.glb"
    model.write_bytes(b"glTF")
    with Progress() as progress:
        result = encode.measure(model, 320, 240, 24, (4_000_000, 500_000), progress)
    assert list(result["found"]) == ["4000000", "500000"]
    for sides in result["found"].values():
        assert {"x264, fast", "x264, thorough", "VP8", "aiortc H.264", "aiortc VP8"} <= set(sides)
        assert sides[encode.YARDSTICK]["ratio"] == 1.0
        assert all(side["psnr"]["mean"] > 25 for side in sides.values())
        assert all(side["cpu"]["n"] == 23 for side in sides.values())
    rich, poor = (sides["x264, fast"] for sides in result["found"].values())
    assert rich["psnr"]["mean"] > poor["psnr"]["mean"]
    assert rich["kbps"] > poor["kbps"]
    assert len(result["warnings"]) == 2
    path = tmp_path / "result.json"
    report.save(result, path)
    assert path.stat().st_size > 1000
    assert "aiortc H.264" in text_of(encode.table(result))


def text_of(table: Any) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    return capture.get()

"""`vitrine render`, `spin` and `inspect` as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.glb import TRIANGLE, Glb

pytestmark = pytest.mark.gl
ROOT = Path(__file__).parents[2]


def vitrine(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "vitrine.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A triangle in a .glb."""
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE})
    path = tmp_path / "triangle.glb"
    path.write_bytes(glb.data())
    return path


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_render_writes_the_picture_asked_for(model: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"picture.{suffix}"
    done = vitrine("render", model, "-o", out, "--size", "120x80", "--samples", 1, "--background", "#336699")
    assert done.returncode == 0, done.stderr
    with Image.open(out) as picture:
        assert picture.size == (120, 80)
        assert np.abs(np.asarray(picture.convert("RGB"))[1, 1].astype(int) - [0x33, 0x66, 0x99]).max() <= 4


def test_a_channel_is_written_as_it_is(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "normals.png"
    options = ["--size", "64x64", "--orbit", "0deg 90deg auto", "--exposure", "9", "--tone-mapping", "agx"]
    done = vitrine("render", model, "-o", out, *options, "--channel", "geometricNormal", "--samples", 4)
    assert done.returncode == 0, done.stderr
    with Image.open(out) as picture:
        assert np.abs(np.asarray(picture.convert("RGB"))[38, 26].astype(int) - [128, 128, 255]).max() <= 1


def test_spin_turns_once(model: Path, tmp_path: Path) -> None:
    done = vitrine("spin", model, "-o", tmp_path / "turn", "--frames", 4, "--size", "64x64", "--samples", 1)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "turn").iterdir()) == [f"{i:04d}.png" for i in range(4)]
    film = vitrine("spin", model, "-o", tmp_path / "turn.webp", "--frames", 4, "--size", "64x64", "--samples", 1)
    assert film.returncode == 0, film.stderr
    with Image.open(tmp_path / "turn.webp") as picture:
        assert getattr(picture, "n_frames", 1) >= 3


def test_inspect_speaks_text_and_json(model: Path) -> None:
    assert "triangles" in vitrine("inspect", model).stdout
    report = json.loads(vitrine("inspect", model, "--json").stdout)
    assert report["triangles"] == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--size", "0x5"], "0x5"),
        (["--orbit", "1deg"], "1deg"),
        (["--variant", "gold"], "gold"),
        (["--animation", "walk"], "walk"),
        (["--environment", "nowhere.hdr"], "nowhere.hdr"),
        (["--background", "plaid"], "plaid"),
        (["--exposure", "-1"], "-1"),
        (["--samples", "0"], "0"),
        (["--tone-mapping", "sepia"], "sepia"),
        (["--exposure", "nan"], "nan"),
        (["--time", "inf"], "inf"),
        (["--samples", "²"], "²"),
        (["--channel", "gloss"], "gloss"),
        (["--channel", "normal", "--backend", "pyrender"], "pyrender"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(model: Path, tmp_path: Path, options: list[str], named: str) -> None:
    done = vitrine("render", model, "-o", tmp_path / "x.png", *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("command", ["render", "spin", "inspect"])
def test_bad_models_are_one_line_that_names_the_file(tmp_path: Path, command: str) -> None:
    broken = tmp_path / "broken.glb"
    broken.write_bytes(b"glTF\x02\0\0\0\xff\xff\xff\x7f")
    output = ["-o", tmp_path / "x.png"] if command != "inspect" else []
    done = vitrine(command, broken, *output)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "broken.glb" in done.stderr


def test_places_that_cannot_be_written_are_named(model: Path, tmp_path: Path) -> None:
    done = vitrine("render", model, "-o", tmp_path / "no" / "such" / "x.png", "--size", "32x32", "--samples", 1)
    assert done.returncode == 2
    assert "x.png cannot be written" in done.stderr
    suffix = vitrine("render", model, "-o", tmp_path / "x.bmp")
    assert suffix.returncode == 2
    assert ".png" in suffix.stderr

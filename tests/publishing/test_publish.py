"""`vitrine publish` from end to end: what goes in, what hosts then list, draw and say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vitrine
from assets.directory import Directory
from assets.manifest import Manifest
from assets.publish import Publisher
from assets.store import StoreOptions, open_store
from publishing import pipeline
from publishing.pictures import SPIN_FRAMES, THUMBNAILS, make_pictures
from publishing.pictures import Settings as PictureSettings
from publishing.pipeline import Settings, source_digest
from renderer.load import load_scene
from renderer.view import View
from tests.assets.conftest import Shop
from tests.unit.glb import Glb, triangle

Run = Callable[..., int]
#: A thin triangle along +Z, seen from above.
ARROW = np.array([[-0.1, 0, 0], [0.1, 0, 0], [0, 0, 1]], np.float32)
UP = np.array([[0, 1, 0]] * 3, np.float32)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """`vitrine publish …` with tiny pictures."""
    small = PictureSettings(poster=64, spin=16, poster_samples=1, spin_samples=1)

    def draw(scene: Any, folder: Path, _: Any, tell: Any) -> Any:
        return make_pictures(scene, folder, small, tell)

    monkeypatch.setattr(pipeline, "make_pictures", draw)
    return lambda *words: vitrine.main(["publish", *map(str, words)])


def named(folder: Path, name: str, title: str = "") -> Path:
    """A small model file."""
    glb = triangle()
    glb.json["asset"]["extras"] = {"title": title or name}
    folder.mkdir(parents=True, exist_ok=True)
    return glb.save(folder, name)


def manifest(store: Path) -> Manifest:
    return Publisher(Directory(store)).manifest()


@pytest.mark.gl
def test_pictures_show_the_model_all_around(tmp_path: Path) -> None:
    glb = Glb()
    glb.mesh({"POSITION": ARROW, "NORMAL": UP}, material=glb.add("materials", {"doubleSided": True}))
    glb.save(tmp_path)
    settings = PictureSettings(poster=96, spin=48, poster_samples=2, spin_samples=1, background="transparent")
    pictures = make_pictures(load_scene(tmp_path / "model.glb"), tmp_path, settings)
    sizes = [_size(path) for path in (pictures.poster, *pictures.thumbnails, pictures.spin[0])]
    assert sizes == [(96, 96), *((side, side) for side in THUMBNAILS), (48, 48)]
    assert len(pictures.spin) == SPIN_FRAMES
    with Image.open(pictures.poster) as poster:
        assert poster.format == "WEBP"
        assert poster.getpixel((0, 0))[3] == 0
        assert poster.getchannel("A").histogram()[255] > 100
    centres = [_centre(path) for path in pictures.spin]
    # Its broad end is at -Z: farthest at theta 0, a quarter of a turn later on the right, then on the left.
    assert centres[(90 - 30) // 10] > 26 > 22 > centres[(270 - 30) // 10]


@pytest.mark.gl
def test_pictures_have_the_streams_background(tmp_path: Path) -> None:
    """The poster gives way to the stream without a change of what stands behind the model, and behind its glass."""
    assert PictureSettings().background == View().background
    glb = Glb()
    glb.mesh({"POSITION": ARROW, "NORMAL": UP}, material=glb.add("materials", {"doubleSided": True}))
    glb.save(tmp_path)
    settings = PictureSettings(poster=32, spin=16, poster_samples=1, spin_samples=1)
    with Image.open(make_pictures(load_scene(tmp_path / "model.glb"), tmp_path, settings).poster) as poster:
        assert (poster.mode, poster.getpixel((0, 0))) == ("RGB", (255, 255, 255))


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def _centre(path: Path) -> float:
    """The middle column of what is not transparent, without the shadow's faint rim."""
    with Image.open(path) as image:
        box = image.getchannel("A").point(lambda alpha: 255 if alpha > 200 else 0).getbbox()
    assert box is not None
    return (box[0] + box[2]) / 2


@pytest.mark.gl
@pytest.mark.slow
def test_from_a_file_to_what_hosts_draw(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The optimised file, too, is listed, verified and drawn."""
    store, source = tmp_path / "store", named(tmp_path, "Arm Chair.glb", "An arm-chair")
    assert run(source, store, "--report", tmp_path / "report.json") == 0
    shown = open_store(str(store), StoreOptions(cache_folder=tmp_path / "cache"))
    (asset,) = shown.list()
    assert (asset.id, asset.title, asset.triangles, asset.secret) == ("Arm-Chair", "An arm-chair", 1, False)
    assert {"model", "client", "poster", "thumbnail/0", "thumbnail/1", "spin/0", "spin/35"} <= asset.parts
    assert len(load_scene(shown.fetch("Arm-Chair", part="model")).meshes) == 1
    assert _size(shown.fetch("Arm-Chair", part="spin/35")) == (16, 16)
    shown.close()
    report = json.loads((tmp_path / "report.json").read_text())
    (line,) = report["models"]
    assert (line["status"], line["id"], line["triangles"]["source"]) == ("published", "Arm-Chair", 1)
    assert line["bytes"]["source"] == source.stat().st_size
    assert line["outputs"]["model"]["db"] > 30
    assert "Arm-Chair" in capsys.readouterr().out


@pytest.mark.gl
def test_again_changed_and_rolled_back(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    store, source = tmp_path / "store", named(tmp_path, "chair.glb", "one")
    assert run(source, store, "--no-optimise") == 0
    before = (store / "vitrine.json").read_bytes()
    assert run(source, store, "--no-optimise") == 0
    assert "unchanged" in capsys.readouterr().out
    assert (store / "vitrine.json").read_bytes() == before
    assert run(source, store, "--no-optimise", "--title", "Renamed") == 0
    assert manifest(store).entry("chair").release().title == "Renamed"
    named(tmp_path, "chair.glb", "two")
    assert run(source, store, "--no-optimise") == 0
    assert run("--rollback", "chair", store) == 0
    assert manifest(store).entry("chair").release().title == "Renamed"
    newest = manifest(store).entry("chair").releases[-1].version
    assert run("--rollback", f"chair={newest}", store) == 0
    assert manifest(store).entry("chair").current == newest
    assert run("--list", store) == 0
    assert newest in capsys.readouterr().out
    assert run("--remove", "chair", store) == 0
    assert manifest(store).models == {}
    assert run("--prune", store) == 0
    assert list((store / "models").rglob("*.glb"))  # not a day old


@pytest.mark.gl
def test_bad_models_do_not_hold_up_good_ones(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder, store = tmp_path / "models", tmp_path / "store"
    named(folder / "deep" / "vase", "scene.glb")
    named(folder, ".hidden.glb")
    (folder / "bad.glb").write_bytes(b"glTF")
    (folder / "notes.txt").write_text("no model")
    shutil.copy(named(folder, "lamp.glb"), folder / "deep" / "lamp.glb")  # the same id
    assert run(folder, store, "--no-optimise", "--no-ar") == vitrine.EXIT_BAD_INPUT
    assert set(manifest(store).models) == {"vase", "lamp"}
    said = capsys.readouterr().err
    assert len([line for line in said.splitlines() if "rejected" in line]) == 2
    assert "same id" in said


@pytest.mark.gl
def test_a_fault_of_ours_has_another_exit_code(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(pipeline, "make_pictures", broken)
    store = tmp_path / "store"
    assert run(named(tmp_path, "chair.glb"), store, "--no-optimise") == vitrine.EXIT_FAULT
    assert manifest(store).models == {}


@pytest.mark.gl
def test_gltf_with_side_files_becomes_one_file(tmp_path: Path, run: Run) -> None:
    glb, folder, store = triangle(), tmp_path / "m", tmp_path / "store"
    folder.mkdir()
    (folder / "my shape.bin").write_bytes(bytes(glb.binary))
    text = {**glb.json, "buffers": [{"byteLength": len(glb.binary), "uri": "my%20shape.bin"}]}
    (folder / "chair.gltf").write_text(json.dumps(text))
    assert run(folder / "chair.gltf", store, "--no-optimise", "--no-ar") == 0
    release = manifest(store).entry("chair").release()
    assert (release.side, release.model.key.endswith("/model.glb")) == ((), True)
    assert release.bytes_source == (folder / "chair.gltf").stat().st_size + len(glb.binary)
    assert len(load_scene(store / release.model.key).meshes) == 1
    before = source_digest(folder / "chair.gltf", Settings())
    (folder / "my shape.bin").write_bytes(bytes(len(glb.binary)))
    assert source_digest(folder / "chair.gltf", Settings()) != before


@pytest.mark.gl
def test_an_obj_keeps_the_files_that_it_names(tmp_path: Path, run: Run) -> None:
    folder, store = tmp_path / "m", tmp_path / "store"
    folder.mkdir()
    (folder / "cube.obj").write_text("mtllib cube.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl red\nf 1 2 3\n")
    (folder / "cube.mtl").write_text("newmtl red\nKd 1 0 0\n")
    assert run(folder / "cube.obj", store, "--no-optimise", "--no-ar") == 0
    release = manifest(store).entry("cube").release()
    assert [file.key.rsplit("/", 1)[1] for file in release.side] == ["cube.mtl"]
    colors = {one.name: one.factors["baseColorFactor"] for one in load_scene(store / release.model.key).materials}
    assert colors["red"] == (1, 0, 0, 1)


@pytest.mark.gl
def test_secret_models_have_nothing_for_browsers(tmp_path: Path, run: Run) -> None:
    store = tmp_path / "store"
    assert run(named(tmp_path, "engine.glb"), store, "--no-optimise", "--secret") == 0
    release = manifest(store).entry("engine").release()
    assert (release.secret, release.client, release.usdz) == (True, None, None)
    assert all(file.key.startswith("private/engine/") for file in release.files())
    assert not (store / "models").exists()


@pytest.mark.gl
def test_a_dry_run_leaves_nothing(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(named(tmp_path, "chair.glb"), tmp_path / "store", "--no-optimise", "--dry-run") == 0
    assert "prepared" in capsys.readouterr().out
    assert not (tmp_path / "store").exists()


@pytest.mark.gl
def test_a_bucket(tmp_path: Path, run: Run, shop: Shop) -> None:
    where = (shop.url, "--endpoint", shop.endpoint, "--region", "eu-central-1")
    assert run(named(tmp_path, "chair.glb"), *where, "--no-optimise", "--no-ar") == 0
    options = StoreOptions(cache_folder=tmp_path / "cache", source=shop.options())
    shown = open_store(shop.url, options)
    shown.refresh()
    assert [asset.id for asset in shown.list()] == ["chair"]
    assert len(load_scene(shown.fetch("chair")).meshes) == 1
    shown.close()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["store"], "at least one model"),
        (["nothing.glb", "store"], "no such file"),
        (["a.glb", "https://cdn.example/x"], "read-only"),
        (["a.glb", "b.glb", "store", "--id", "x"], "single model"),
        (["a.glb", "store", "--id", "../x"], "--id"),
        (["a.glb", "store", "--keep", "1"], "2 to 10"),
        (["a.glb", "store", "--background", "blue"], "background"),
        (["a.glb", "store", "--list"], "only a store"),
        (["--rollback", "x", "store"], "no model 'x'"),
        (["empty", "store"], "no model files"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: Any, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "store").mkdir()
    named(tmp_path, "a.glb")
    named(tmp_path, "b.glb")
    assert run(*words) == vitrine.EXIT_BAD_INPUT
    said = capsys.readouterr().err
    assert line in said
    assert len(said.splitlines()) == 1
    assert not list((tmp_path / "store").iterdir())

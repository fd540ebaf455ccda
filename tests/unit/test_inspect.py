"""What `vitrine inspect` says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from renderer.errors import SceneError
from renderer.inspect import Clip, ExtensionUse, inspect, lines
from tests.unit.glb import TRIANGLE, Glb

SHARED = Path(__file__).resolve().parents[3] / "shared/testdata/fidelity"


def model() -> Glb:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE, "NORMAL": TRIANGLE * 0 + np.float32(1)}, material=0)
    glb.node(mesh=0, translation=[4, 0, 0])
    glb.add("materials", {"name": "paint", "emissiveTexture": {"index": glb.texture(size=8)}})
    glb.json["extensionsUsed"] = ["ACME_sparkle", "KHR_materials_unlit"]
    return glb


def test_a_report_counts_what_is_drawn_and_what_is_stored(tmp_path: Path) -> None:
    report = inspect(model().save(tmp_path))
    assert (report.nodes, report.meshes, report.draws, report.triangles, report.vertices) == (2, 1, 2, 2, 3)
    assert report.size == (5.0, 1.0, 0.0)
    assert report.primitives == {"triangles": 1}
    assert report.cost is not None
    assert (report.cost.geometry_bytes, report.cost.texture_bytes) == (3 * (12 + 8 + 4), 8 * 8 * 4 * 4 // 3)
    assert report.gpu_bytes == report.cost.device_bytes >= 72 + 341
    assert report.extensions == (
        ExtensionUse("ACME_sparkle", supported=False, required=False),
        ExtensionUse("KHR_materials_unlit", supported=True, required=False),
    )
    assert report.file_bytes == (tmp_path / "model.glb").stat().st_size


def test_a_report_is_json_and_text(tmp_path: Path) -> None:
    report = inspect(model().save(tmp_path))
    assert json.loads(json.dumps(report.as_json()))["materials"] == ["paint"]
    text = "\n".join(lines(report))
    for words in ("2 in 2 draws", "paint", "8×8", "ACME_sparkle (not supported)", "5 × 1 × 0 m"):
        assert words in text


def test_what_moves_is_told_by_what_it_moves(tmp_path: Path) -> None:
    glb = model()
    times = glb.accessor(np.array([0.0, 2.0], np.float32))
    turns = glb.accessor(np.array([[0, 0, 0, 1], [0, 1, 0, 0]], np.float32))
    samplers = [{"input": times, "output": turns}]
    target = {"node": 1, "path": "rotation"}
    glb.add("animations", {"name": "turn", "samplers": samplers, "channels": [{"sampler": 0, "target": target}]})
    report = inspect(glb.save(tmp_path))
    assert report.clips == (Clip("turn", 2.0, {"node rotation": 1}),)
    assert report.animations == ("turn",)
    assert "animation  turn: 2 s, node rotation of 1" in "\n".join(lines(report))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Fox", ["24 joints", "Walk: 0.708 s, node rotation of 20, node translation of 1"]),
        ("MorphStressTest", ["Cube: 8 targets", "node weights of 1"]),
        ("ToyCar", ["KHR_materials_clearcoat (supported, in 1 material)", "8 cameras"]),
        ("SimpleInstancing", ["126 nodes (125 of them copies)", "125 draws"]),
        ("Avocado-draco", ["packed by  KHR_draco_mesh_compression", "more while it is traced"]),
        ("Suzanne-webp", ["packed by  EXT_texture_webp"]),
    ],
)
def test_the_shared_models_are_described(name: str, words: list[str]) -> None:
    path = SHARED / "models" / f"{name}.glb"
    if not path.exists():
        pytest.skip("needs ../shared/testdata/fidelity")
    text = "\n".join(lines(inspect(path)))
    for word in words:
        assert word in text


def test_a_model_that_cannot_be_shown_still_tells_its_extensions(tmp_path: Path) -> None:
    glb = model()
    glb.json["extensionsRequired"] = ["ACME_sparkle"]
    report = inspect(glb.save(tmp_path))
    assert report.error == "model.glb: needs the extension ACME_sparkle, which this build does not support"
    assert ExtensionUse("ACME_sparkle", supported=False, required=True) in report.extensions
    assert any("error  model.glb: needs" in line for line in lines(report))


def test_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="gone.glb does not exist"):
        inspect(tmp_path / "gone.glb")

"""What `vitrine inspect` says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from renderer.errors import SceneError
from renderer.inspect import ExtensionUse, inspect, lines
from tests.unit.glb import TRIANGLE, Glb


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
    assert report.gpu_bytes == 3 * (12 + 12 + 4) + 8 * 8 * 4 * 4 // 3
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

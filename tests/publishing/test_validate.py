"""What validators say: ours always, Khronos' where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from publishing.validate import validate
from renderer.errors import SceneError
from tests.publishing.models import product
from tests.unit.glb import triangle


def has_validator() -> bool:
    node = shutil.which("node")
    return (
        node is not None
        and not subprocess.run([node, "-e", "require('gltf-validator')"], capture_output=True, check=False).returncode
    )


def test_a_sound_model_has_no_errors(tmp_path: Path) -> None:
    report = validate(product().save(tmp_path))
    assert report.errors == ()
    assert report.validators[0] == "vitrine"


def test_what_our_reader_refuses_is_an_error(tmp_path: Path) -> None:
    glb = triangle()
    glb.json["accessors"][0]["count"] = 1 << 30
    errors = validate(glb.save(tmp_path)).errors
    assert errors
    assert errors[0].startswith("model.glb: accessors[0]")


def test_an_unknown_extension_is_a_warning(tmp_path: Path) -> None:
    glb = triangle()
    glb.json["extensionsUsed"] = ["ACME_glow"]
    report = validate(glb.save(tmp_path))
    assert report.errors == ()
    assert any("ACME_glow" in line for line in report.warnings)


def test_no_file_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(SceneError):
        validate(tmp_path / "none.glb")


def test_khronos_sees_what_our_reader_bears(tmp_path: Path) -> None:
    if not has_validator():
        pytest.skip("needs node and npm's gltf-validator on NODE_PATH")
    glb = triangle()
    glb.json["accessors"][0].update(min=[5, 5, 5], max=[9, 9, 9])
    glb.json["nodes"][0].update(translation=[0, 0, 0], matrix=[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1])
    report = validate(glb.save(tmp_path))
    assert any("NODE_MATRIX_TRS" in line for line in report.errors)
    assert any("ACCESSOR_MIN_MISMATCH" in line for line in report.warnings), "mended, so no reason to refuse"
    assert report.validators[1].startswith("gltf-validator 2")


def test_khronos_reads_nothing_outside_the_folder(tmp_path: Path) -> None:
    if not has_validator():
        pytest.skip("needs node and npm's gltf-validator on NODE_PATH")
    (tmp_path / "secret.bin").write_bytes(bytes(36))
    (tmp_path / "in").mkdir()
    glb = triangle()
    glb.json["buffers"] = [{"uri": "../secret.bin", "byteLength": 36}]
    path = tmp_path / "in" / "model.gltf"
    path.write_text(json.dumps(glb.json))
    assert any("IO_ERROR" in line for line in validate(path).errors)

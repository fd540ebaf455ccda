"""Whole models through the optimiser: what comes out looks as it did, and says honestly when less was done."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import publishing.work
from publishing.compare import MOST_DB, compare
from publishing.facts import Difference, Options
from publishing.gltf import opened, read_document
from publishing.optimise import optimise
from publishing.pack import pack
from publishing.plans import for_three, ladder, unreadable_in_three
from publishing.quantise import Precision
from publishing.scenes import document_of
from publishing.validate import validate
from renderer.bounds import bounds
from renderer.errors import SceneError
from renderer.load import load_scene
from renderer.pose import pose_at
from tests.publishing.models import dome, noise, parts, product
from tests.unit.glb import Glb, read, triangle
from tests.unit.rigs import Rig

QUICK = Options(ktx2=False)


@pytest.mark.gl
def test_a_product_in_three_files(tmp_path: Path) -> None:
    glb = product(120)
    glb.json["images"][0]["bufferView"] = glb.view(noise(512))
    told: list[tuple[str, int, int]] = []
    options = Options(ktx2=False, preview_bytes=250_000)
    made = optimise(glb.save(tmp_path), tmp_path / "out", options, lambda *step: told.append(step))
    assert made.after.bytes < made.before.bytes * 0.6
    assert made.after.triangles == made.before.triangles
    assert made.after.variants == made.before.variants == ("red", "blue")
    assert made.preview is not None
    for name, output in made.outputs.items():
        assert output.path.is_file()
        assert output.db is not None
        assert output.db >= {"model": 40, "client": 35, "preview": 20}[name]
        assert validate(output.path).errors == ()
    small = made.outputs["preview"]
    assert small.facts.bytes <= 250_000
    assert small.facts.triangles <= made.before.triangles
    boxes = [bounds(scene, pose_at(scene, None)) for scene in map(load_scene, (made.model, made.preview))]
    assert np.abs(np.array(boxes[0]) - np.array(boxes[1])).max() < 1e-3
    assert {stage for stage, _, _ in told} == {"read", "textures", "model", "client", "preview"}
    assert all(0 <= done <= total for _, done, total in told)


@pytest.mark.gl
def test_a_rig_keeps_its_moves(tmp_path: Path) -> None:
    path = tmp_path / "rig.glb"
    path.write_bytes(Rig().glb().data())
    made = optimise(path, tmp_path / "out", QUICK)
    assert made.after.animations == made.before.animations
    assert compare(path, made.model).db > 40


@pytest.mark.gl
def test_every_step_is_taken_back_until_the_pictures_are_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = product().save(tmp_path)
    first_pictures = iter([39.9, 12.0, 39.9])

    def strict(self: publishing.work.Work, candidate: Path) -> float:
        return next(first_pictures, MOST_DB)

    monkeypatch.setattr(publishing.work.Work, "likeness", strict)
    made = optimise(path, tmp_path / "out", Options(ktx2=False, client=False, preview=False))
    assert [line.partition(":")[0] for line in made.outputs["model"].fallbacks] == [
        p.name for p in ladder(Precision(), small=False)
    ][:3]
    assert any("39.9 dB" in line for line in made.warnings)
    source, after = load_scene(path), load_scene(made.model)
    assert np.array_equal(source.meshes[0].primitives[0].positions, after.meshes[0].primitives[0].positions)


@pytest.mark.gl
def test_when_nothing_is_alike_the_source_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = product().save(tmp_path)
    monkeypatch.setattr("publishing.compare.Comparer.compare", lambda self, candidate: Difference(3.0))
    made = optimise(path, tmp_path / "out", QUICK)
    assert parts(made.model) == parts(path)
    assert len(made.outputs["model"].fallbacks) == 4


@pytest.mark.gl
def test_references_by_place_are_left_alone(tmp_path: Path) -> None:
    glb = product()
    spare = glb.accessor(np.arange(30, dtype=np.float32))
    glb.json["extensions"]["ACME_table"] = {"accessor": spare}
    glb.json["extensionsUsed"].append("ACME_table")
    made = optimise(glb.save(tmp_path), tmp_path / "out", QUICK)
    after, _ = parts(made.model)
    assert after["extensions"]["ACME_table"] == {"accessor": spare}
    assert len(after["accessors"]) == spare + 1
    assert any("ACME_table" in line for line in made.warnings)


@pytest.mark.gl
def test_what_browsers_would_show_differently_is_not_for_them(tmp_path: Path) -> None:
    glb = product()
    hidden = glb.node(mesh=0, translation=[0, 0, 1], extensions={"KHR_node_visibility": {"visible": False}})
    glb.json["extensionsUsed"].append("KHR_node_visibility")
    made = optimise(glb.save(tmp_path), tmp_path / "out", QUICK)
    assert made.client is None
    assert any("KHR_node_visibility" in line for line in made.warnings)
    assert not list((tmp_path / "out").glob("*.client.glb"))
    assert parts(made.model)[0]["nodes"][hidden]["extensions"] == {"KHR_node_visibility": {"visible": False}}


@pytest.mark.gl
def test_browsers_need_no_decoder_even_for_a_compressed_source(tmp_path: Path) -> None:
    first = optimise(product().save(tmp_path), tmp_path / "out", Options(ktx2=False, client=False))
    assert "EXT_meshopt_compression" in first.after.extensions
    again = optimise(first.model, tmp_path / "again", QUICK)
    assert again.client is not None
    text, _ = parts(again.client)
    assert "EXT_meshopt_compression" not in json.dumps(text)
    assert "KHR_mesh_quantization" in text["extensionsRequired"]


@pytest.mark.gl
def test_unseen_differences_keep_the_browsers_file(tmp_path: Path) -> None:
    glb = product()
    glb.json["nodes"][0]["extensions"] = {"KHR_node_visibility": {"visible": True}}
    glb.json["extensionsUsed"].append("KHR_node_visibility")
    made = optimise(glb.save(tmp_path), tmp_path / "out", QUICK)
    assert made.client is not None
    assert "KHR_node_visibility" not in json.dumps(parts(made.client)[0])


def test_without_pictures_only_what_changes_no_value(tmp_path: Path) -> None:
    path = product().save(tmp_path)
    made = optimise(path, tmp_path / "out", Options(compare=False, preview=False))
    corners = [p.positions[p.indices] for p in (load_scene(one).meshes[0].primitives[0] for one in (path, made.model))]
    assert {tuple(row) for row in corners[0].tolist()} == {tuple(row) for row in corners[1].tolist()}
    assert made.outputs["model"].db is None
    assert np.array_equal(load_scene(path).images[0].pixels, load_scene(made.model).images[0].pixels)


def test_a_gltf_with_side_files_becomes_one(tmp_path: Path) -> None:
    glb = triangle()
    (tmp_path / "far.bin").write_bytes(bytes(glb.binary))
    glb.json["buffers"] = [{"uri": "far.bin", "byteLength": len(glb.binary)}]
    path = tmp_path / "model.gltf"
    path.write_text(json.dumps(glb.json))
    made = optimise(path, tmp_path / "out", Options(compare=False))
    assert made.before.bytes == path.stat().st_size + len(glb.binary)
    assert made.model.name == "model.glb"
    assert load_scene(made.model).meshes[0].primitives[0].positions.shape == (3, 3)


def test_a_broken_model_is_refused(tmp_path: Path) -> None:
    glb = product()
    glb.primitive()["indices"] = 77
    with pytest.raises(SceneError):
        optimise(glb.save(tmp_path), tmp_path / "out", QUICK)


@pytest.mark.gl
def test_other_formats_become_gltf(tmp_path: Path) -> None:
    attributes, indices = dome()
    path = tmp_path / "shell.obj"
    lines = ["v " + " ".join(f"{v:.6f}" for v in row) for row in attributes["POSITION"]]
    lines += ["f " + " ".join(str(i + 1) for i in row) for row in indices.reshape(-1, 3)]
    path.write_text("\n".join(lines))
    made = optimise(path, tmp_path / "out", QUICK)
    assert made.model.name == "shell.glb"
    assert made.after.triangles == len(indices) // 3
    assert made.outputs["model"].db is not None
    assert made.outputs["model"].db >= 40


def test_a_scene_as_gltf_is_the_same_scene(tmp_path: Path) -> None:
    source = load_scene(product().save(tmp_path))
    again = read(pack(document_of(source), {}, compress=False))
    one, other = source.meshes[0].primitives[0], again.meshes[0].primitives[0]
    assert np.array_equal(one.positions[one.indices], other.positions[other.indices])
    assert [m.factors for m in source.materials] == [m.factors for m in again.materials]
    assert np.array_equal(source.images[0].pixels, again.images[0].pixels)


def test_what_three_reads_may_be_required() -> None:
    required = ("KHR_materials_clearcoat", "EXT_texture_webp", "KHR_materials_diffuse_transmission", "ACME_glow")
    assert unreadable_in_three(required) == ["ACME_glow", "KHR_materials_diffuse_transmission"]


def test_a_copy_for_three_leaves_the_source_alone(tmp_path: Path) -> None:
    glb = product()
    glb.json["nodes"][0]["extensions"] = {"KHR_node_visibility": {"visible": False}}
    with opened(glb.save(tmp_path)) as reading:
        source = read_document(reading)
    for_three(source)
    assert source.json["nodes"][0]["extensions"] == {"KHR_node_visibility": {"visible": False}}


# ---- comparing ----
@pytest.mark.gl
def test_equal_files_are_equal(tmp_path: Path) -> None:
    path = product().save(tmp_path)
    found = compare(path, path)
    assert found.db == MOST_DB
    assert {"variant red", "variant blue", "front", "near"} <= {view.name for view in found.views}


@pytest.mark.gl
@pytest.mark.parametrize("spoil", ["colour", "variant", "moved", "gone"])
def test_every_kind_of_damage_is_seen(tmp_path: Path, spoil: str) -> None:
    good, bad = product(), product()
    if spoil == "colour":
        bad.json["images"][0]["bufferView"] = bad.view(noise(seed=8))
    elif spoil == "variant":
        bad.json["materials"][1]["pbrMetallicRoughness"]["baseColorFactor"] = [0.2, 1, 0.2, 1]
    elif spoil == "moved":
        bad.json["nodes"][0]["translation"] = [0.02, 0, 0]
    else:
        bad = Glb()
        bad.json.update(good.json, scenes=[{"nodes": []}])
        bad.binary = good.binary
    found = compare(good.save(tmp_path, "good.glb"), bad.save(tmp_path, "bad.glb"))
    assert found.db < 30
    worst = min(found.views, key=lambda view: view.db)
    assert spoil != "variant" or worst.name == "variant blue"


# ---- real models ----
@pytest.mark.gl
@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("name", ["Fox", "SimpleInstancing", "Avocado-draco", "TextureTransformTest", "Suzanne-webp"])
def test_models_of_every_kind_stay_right(tmp_path: Path, shared_testdata: Path, name: str) -> None:
    made = optimise(shared_testdata / "fidelity" / "models" / f"{name}.glb", tmp_path, QUICK)
    assert set(made.outputs) >= {"model", "client"}
    assert made.outputs["model"].db is not None
    assert made.outputs["model"].db >= 40
    assert made.after.bytes <= made.before.bytes

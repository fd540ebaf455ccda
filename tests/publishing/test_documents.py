"""Taking files apart and packing them again: nothing that is used may change, nothing unused may stay."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from publishing.embed import embedded
from publishing.gltf import opened, read_document, unknown_extensions
from publishing.pack import pack
from renderer.errors import SceneError
from renderer.load import load_scene
from tests.publishing.models import dome, noise, parts, product
from tests.unit.compressed import draco
from tests.unit.glb import TRIANGLE, Glb, read, triangle
from tests.unit.rigs import Rig


def packed(path: Path, *, compress: bool = True) -> bytes:
    with opened(path) as reading:
        return pack(read_document(reading), {}, compress=compress)


@pytest.mark.parametrize("compress", [True, False])
def test_every_value_survives_packing(tmp_path: Path, compress: bool) -> None:
    path = product().save(tmp_path)
    before, after = load_scene(path), read(packed(path, compress=compress))
    one, other = before.meshes[0].primitives[0], after.meshes[0].primitives[0]
    corners = [(p.positions[p.indices], p.normals[p.indices], p.texcoords[0][p.indices]) for p in (one, other)]
    triangles = [np.sort(np.concatenate(c, axis=1).reshape(-1, 24).view("V96").reshape(-1)) for c in corners]
    assert np.array_equal(*triangles) or np.array_equal(
        *[np.unique(np.concatenate(c, axis=1), axis=0) for c in corners]
    )
    assert after.variants == ("red", "blue")
    assert [node.name for node in after.nodes] == ["body"]
    assert np.array_equal(before.images[0].pixels, after.images[0].pixels)


def test_what_nobody_knows_stays(tmp_path: Path) -> None:
    glb = product()
    glb.json["asset"]["extras"] = {"sku": "A-1"}
    after, _ = parts(packed(glb.save(tmp_path)))
    assert after["asset"]["extras"] == {"sku": "A-1"}
    assert after["meshes"][0]["extras"] == {"part": 7}
    assert after["materials"] == glb.json["materials"]


def test_unused_and_repeated_things_go(tmp_path: Path) -> None:
    glb = product()
    glb.accessor(np.zeros((5000, 3), np.float32))
    for _ in range(2):
        image = glb.add("images", {"bufferView": glb.view(noise()), "mimeType": "image/png"})
        glb.add("textures", {"source": image})
    glb.add("images", {"bufferView": glb.view(noise(seed=9)), "mimeType": "image/png"})
    glb.json["materials"][1]["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 2}
    after, binary = parts(packed(glb.save(tmp_path)))
    assert (len(after["images"]), len(after["textures"]), len(after["accessors"])) == (1, 1, 4)
    assert after["materials"][1]["pbrMetallicRoughness"]["baseColorTexture"]["index"] == 0
    assert len(binary) < len(glb.binary) - 60_000


def test_equal_arrays_of_two_meshes_are_stored_once(tmp_path: Path) -> None:
    glb = Glb()
    for _ in range(3):
        glb.mesh(*dome())
    after, _ = parts(packed(glb.save(tmp_path)))
    assert len(after["accessors"]) == 4
    assert len(after["meshes"]) == 3


def test_compressed_buffers_have_no_fallback_bytes(tmp_path: Path) -> None:
    after, binary = parts(packed(product().save(tmp_path)))
    fallback = after["buffers"][1]
    assert fallback["extensions"]["EXT_meshopt_compression"] == {"fallback": True}
    assert "uri" not in fallback
    assert after["buffers"][0]["byteLength"] == len(binary)
    assert "EXT_meshopt_compression" in after["extensionsRequired"]
    ends = [view["byteOffset"] + view["byteLength"] for view in after["bufferViews"] if view["buffer"] == 1]
    assert max(ends) <= fallback["byteLength"]


def test_skins_morphs_and_animations_survive(tmp_path: Path) -> None:
    path = tmp_path / "rig.glb"
    path.write_bytes(Rig().glb().data())
    before, after = load_scene(path), read(packed(path))
    assert np.array_equal(before.skins[0].inverseBindMatrices, after.skins[0].inverseBindMatrices)
    one, other = before.meshes[0].primitives[0], after.meshes[0].primitives[0]
    assert one.weights is not None
    assert other.weights is not None
    assert np.array_equal(one.weights, other.weights)
    assert len(one.targets) == len(other.targets) > 0
    for mine, theirs in zip(before.animations, after.animations, strict=True):
        for channel, same in zip(mine.channels, theirs.channels, strict=True):
            assert np.array_equal(channel.values, same.values)
            assert np.array_equal(channel.times, same.times)


def test_draco_becomes_plain(tmp_path: Path) -> None:
    path = draco().save(tmp_path)
    data = packed(path)
    json_text, _ = parts(data)
    assert "KHR_draco_mesh_compression" not in json.dumps(json_text)
    before, after = load_scene(path), read(data)
    assert np.array_equal(before.meshes[0].primitives[0].positions, after.meshes[0].primitives[0].positions)


def test_packed_twice_is_the_same(tmp_path: Path) -> None:
    first = packed(product().save(tmp_path))
    (tmp_path / "again.glb").write_bytes(first)
    assert packed(tmp_path / "again.glb") == first


def test_an_unknown_extension_is_seen_wherever_it_is() -> None:
    glb = product().json
    assert not unknown_extensions(glb)
    glb["materials"][0]["extensions"] = {"ACME_glow": {"accessor": 3}, "KHR_materials_future": {}}
    assert unknown_extensions(glb) == {"ACME_glow"}


def test_names_that_are_no_text_do_not_stop_it(tmp_path: Path) -> None:
    glb = product()
    glb.json["nodes"][0]["name"] = "\ud800"
    assert parts(packed(glb.save(tmp_path)))[0]["nodes"][0]["name"] == "?"


# ---- one GLB, nothing else changed ----
def test_a_glb_is_embedded_as_it_is(tmp_path: Path) -> None:
    glb = product()
    path = glb.save(tmp_path)
    with opened(path) as reading:
        after, binary = parts(embedded(reading))
    assert after == parts(path)[0]
    assert binary.rstrip(b"\0") == bytes(glb.binary).rstrip(b"\0")


def test_side_files_move_in(tmp_path: Path) -> None:
    glb = triangle()
    (tmp_path / "one.bin").write_bytes(bytes(glb.binary))
    (tmp_path / "two.bin").write_bytes(TRIANGLE.tobytes())
    (tmp_path / "weave.png").write_bytes(noise())
    glb.json["buffers"] = [{"uri": n, "byteLength": 36} for n in ("one.bin", "two.bin")]
    glb.json["bufferViews"].append({"buffer": 1, "byteLength": 36})
    glb.json["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = glb.add(
        "accessors", {"bufferView": 1, "componentType": 5126, "count": 3, "type": "VEC3"}
    )
    glb.add("images", {"uri": "weave.png"})
    texture = glb.add("textures", {"source": 0})
    material = glb.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": {"index": texture}}})
    glb.primitive()["material"] = material
    path = tmp_path / "model.gltf"
    path.write_text(json.dumps(glb.json))
    with opened(path) as reading:
        data = embedded(reading)
    after, _ = parts(data)
    assert not [one for key in ("buffers", "images") for one in after[key] if "uri" in one]
    assert after["images"][0]["mimeType"] == "image/png"
    scene = read(data)
    assert np.array_equal(scene.meshes[0].primitives[0].positions, TRIANGLE)
    assert np.array_equal(scene.images[0].pixels, load_scene(path).images[0].pixels)


def test_compressed_files_are_embedded_with_their_fallbacks(tmp_path: Path) -> None:
    path = tmp_path / "packed.glb"
    path.write_bytes(packed(product().save(tmp_path)))
    with opened(path) as reading:
        scene = read(embedded(reading))
    assert np.array_equal(scene.meshes[0].primitives[0].positions, load_scene(path).meshes[0].primitives[0].positions)


# ---- hostile ----
@pytest.mark.parametrize(
    "spoil",
    [
        lambda j: j["meshes"][0]["primitives"][0]["attributes"].update(POSITION=99),
        lambda j: j["meshes"][0]["primitives"][0].update(indices=-1),
        lambda j: j["accessors"][0].update(count=1 << 40),
        lambda j: j["accessors"][0].update(bufferView=None, count=1 << 33),
        lambda j: j["bufferViews"][0].update(byteLength=1 << 40),
        lambda j: j.update(textures=[{"source": 12}]),
        lambda j: j.update(skins=[{"inverseBindMatrices": "all"}]),
        lambda j: j.update(animations=[{"samplers": [{"input": 0.5, "output": 1}]}]),
        lambda j: j["meshes"].append({"primitives": [{"attributes": {"POSITION": True}}]}),
        lambda j: j["meshes"].append(7),
        lambda j: j["materials"][0].update(extensions={"KHR_materials_future": {"glitterTexture": {"index": 40}}}),
        lambda j: j["materials"][0].update(extensions={"KHR_materials_future": {"glitterTexture": {"index": True}}}),
        lambda j: j["nodes"][0].update(extensions=["EXT_mesh_gpu_instancing"]),
    ],
)
def test_lies_are_refused_before_anything_is_allocated(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    glb = product()
    spoil(glb.json)
    with pytest.raises(SceneError), opened(glb.save(tmp_path)) as reading:
        read_document(reading)

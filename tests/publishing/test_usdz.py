"""USDZ files say what the scene says: shape, place, materials, pictures; and tell what they cannot say."""

from __future__ import annotations

import builtins
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from publishing.usd_material import usd_translation
from publishing.usdz import MISSING, check, make_usdz
from renderer.bounds import bounds
from renderer.pose import pose_at
from renderer.scene import TextureInfo
from tests.unit.glb import Glb, read, triangle

UV = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)


@pytest.fixture(autouse=True)
def usd() -> Any:
    """usd-core is an extra of the product, but not of its tests."""
    return pytest.importorskip("pxr.Usd")


def opened(path: Path, usd: Any) -> Any:
    return usd.Stage.Open(str(path))


def made(glb: Glb, folder: Path, usd: Any) -> tuple[Any, tuple[str, ...]]:
    found = make_usdz(read(glb.data()), folder / "a.usdz")
    assert found.path is not None, found.notes
    return opened(found.path, usd), found.notes


def painted(**material: Any) -> Glb:
    """A triangle with texture coordinates and one material."""
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE, "TEXCOORD_0": UV}, material=glb.add("materials", material))
    return glb


def inputs(stage: Any, shader: str) -> dict[str, Any]:
    prim = stage.GetPrimAtPath(f"/Model/Materials/Material0/{shader}")
    assert prim, shader
    return {
        a.GetName().removeprefix("inputs:"): a.Get() for a in prim.GetAttributes() if a.GetName().startswith("inputs:")
    }


def test_units_axes_and_extent(tmp_path: Path, usd: Any) -> None:
    from pxr import UsdGeom

    glb = triangle()
    turn = [0.0, 0.0, math.sin(math.pi / 4), math.cos(math.pi / 4)]
    glb.json["nodes"][0] |= {"translation": [1, 2, 3], "rotation": turn, "scale": [2, 2, 2]}
    scene = read(glb.data())
    stage, notes = made(glb, tmp_path, usd)
    assert notes == ()
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Y", 1.0)
    assert stage.GetDefaultPrim().GetPath() == "/Model"
    box = UsdGeom.BBoxCache(0.0, ["default"]).ComputeWorldBound(stage.GetDefaultPrim()).ComputeAlignedRange()
    low, high = bounds(scene, pose_at(scene, None))
    np.testing.assert_allclose([*box.GetMin()], low, atol=1e-6)
    np.testing.assert_allclose([*box.GetMax()], high, atol=1e-6)


def test_what_is_hidden_or_deformed(tmp_path: Path, usd: Any) -> None:
    from pxr import UsdGeom

    glb = triangle()
    shift = np.array([[0, 0, 5]] * 3, np.float32)
    glb.primitive()["targets"] = [{"POSITION": glb.accessor(shift)}]
    glb.json["meshes"][0]["weights"] = [0.5]
    glb.json["nodes"][0]["translation"] = [1, 0, 0]
    glb.node(mesh=0, extensions={"KHR_node_visibility": {"visible": False}})
    glb.json["extensionsUsed"] = ["KHR_node_visibility"]
    stage, _ = made(glb, tmp_path, usd)
    meshes = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    assert len(meshes) == 1
    points = np.array(UsdGeom.Mesh(meshes[0]).GetPointsAttr().Get())
    np.testing.assert_allclose(points, TRIANGLE + [1, 0, 2.5], atol=1e-6)


def test_a_material_by_numbers(tmp_path: Path, usd: Any) -> None:
    glb = painted(
        pbrMetallicRoughness={"baseColorFactor": [0.1, 0.2, 0.3, 0.4], "metallicFactor": 0.5, "roughnessFactor": 0.6},
        emissiveFactor=[0.5, 0, 0],
        alphaMode="MASK",
        alphaCutoff=0.25,
        doubleSided=True,
        extensions={
            "KHR_materials_clearcoat": {"clearcoatFactor": 0.7, "clearcoatRoughnessFactor": 0.2},
            "KHR_materials_ior": {"ior": 1.4},
            "KHR_materials_emissive_strength": {"emissiveStrength": 4},
        },
    )
    stage, notes = made(glb, tmp_path, usd)
    found = inputs(stage, "Surface")
    assert notes == ()
    expected = {"metallic": 0.5, "roughness": 0.6, "clearcoat": 0.7, "clearcoatRoughness": 0.2, "ior": 1.4}
    for name, value in {**expected, "opacity": 0.4, "opacityThreshold": 0.25}.items():
        assert found[name] == pytest.approx(value), name
    np.testing.assert_allclose(found["diffuseColor"], [0.1, 0.2, 0.3], atol=1e-6)
    np.testing.assert_allclose(found["emissiveColor"], [2, 0, 0], atol=1e-6)
    assert stage.GetPrimAtPath("/Model/Node0/Mesh0").GetAttribute("doubleSided").Get() is True


def test_pictures_lie_in_the_package_the_right_way_up(tmp_path: Path, usd: Any) -> None:
    glb = painted()
    material = glb.json["materials"][0]
    place = {"KHR_texture_transform": {"offset": [0.1, 0.2], "rotation": 0.5, "scale": [2, 3]}}
    material["pbrMetallicRoughness"] = {
        "baseColorTexture": {"index": glb.texture((10, 200, 30)), "extensions": place},
        "metallicRoughnessTexture": {"index": glb.texture((0, 128, 255))},
        "roughnessFactor": 0.5,
    }
    material["normalTexture"] = {"index": glb.texture((128, 128, 255))}
    material["occlusionTexture"] = {"index": glb.texture(), "strength": 0.75}
    glb.json["extensionsUsed"] = ["KHR_texture_transform"]
    stage, _ = made(glb, tmp_path, usd)
    color = inputs(stage, "baseColorTexture_diffuseColor")
    assert color["sourceColorSpace"] == "sRGB"
    rough = inputs(stage, "metallicRoughnessTexture_roughness")
    assert (rough["sourceColorSpace"], rough["scale"][1]) == ("raw", 0.5)
    normal = inputs(stage, "normalTexture_normal")
    assert (tuple(normal["scale"]), tuple(normal["bias"])) == ((2, 2, 2, 1), (-1, -1, -1, 0))
    assert inputs(stage, "occlusionTexture_occlusion")["bias"][0] == 0.25
    turned = inputs(stage, "baseColorTexture_diffuseColor_place")
    assert (turned["rotation"], tuple(turned["scale"])) == (pytest.approx(math.degrees(0.5)), (2, 3))
    st = np.array(stage.GetPrimAtPath("/Model/Node0/Mesh0").GetAttribute("primvars:st").Get())
    np.testing.assert_array_equal(st, np.stack([UV[:, 0], 1 - UV[:, 1]], axis=1))
    names = zipfile.ZipFile(tmp_path / "a.usdz").namelist()
    assert sum(name.endswith(".jpg") for name in names) == 4


@pytest.mark.parametrize("rotation", [0.0, 0.7, -2.0])
def test_texture_transforms_mean_the_same_where_v_points_up(rotation: float) -> None:
    info = TextureInfo(0, offset=(0.3, -0.2), rotation=rotation, scale=(2.0, 0.5))
    a, b, x, c, d, y = info.transform
    move = usd_translation(info)
    cos, sin = math.cos(rotation), math.sin(rotation)
    for u, v in ((0.0, 0.0), (1.0, 0.25), (0.4, 0.9)):
        wanted = (a * u + b * v + x, 1 - (c * u + d * v + y))
        su, sv = u * info.scale[0], (1 - v) * info.scale[1]  # UsdTransform2d: scale, counter-clockwise turn, move
        assert (cos * su - sin * sv + move[0], sin * su + cos * sv + move[1]) == pytest.approx(wanted)


def test_what_usd_cannot_say_is_told(tmp_path: Path, usd: Any) -> None:
    glb = painted(
        extensions={
            "KHR_materials_sheen": {"sheenColorFactor": [1, 1, 1]},
            "KHR_materials_transmission": {"transmissionFactor": 1.0},
            "KHR_materials_iridescence": {"iridescenceFactor": 1.0},
        }
    )
    glb.mesh({"POSITION": TRIANGLE}, mode=0)
    stage, notes = made(glb, tmp_path, usd)
    told = " ".join(notes)
    for word in ("sheen", "transmission", "iridescence", "points and lines"):
        assert word in told
    assert inputs(stage, "Surface")["opacity"] == pytest.approx(0.15)


def test_vertex_colours(tmp_path: Path, usd: Any) -> None:
    glb = Glb()
    colors = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], np.float32)
    material = glb.add("materials", {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.5, 0.5, 1]}})
    glb.mesh({"POSITION": TRIANGLE, "COLOR_0": colors}, material=material)
    stage, notes = made(glb, tmp_path, usd)
    assert notes == ()
    found = stage.GetPrimAtPath("/Model/Node0/Mesh0").GetAttribute("primvars:displayColor").Get()
    np.testing.assert_allclose(np.array(found), colors[:, :3] * 0.5)


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    glb = painted()
    glb.json["materials"][0]["pbrMetallicRoughness"] = {"baseColorTexture": {"index": glb.texture()}}
    scene = read(glb.data())
    files = [make_usdz(scene, tmp_path / f"{number}.usdz").path for number in range(2)]
    assert files[0] is not None
    assert files[1] is not None
    assert files[0].read_bytes() == files[1].read_bytes()


def test_no_file_where_there_is_nothing_to_show_or_to_make_it_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE}, mode=0)
    none = make_usdz(read(glb.data()), tmp_path / "a.usdz")
    assert none.path is None
    assert "0 vertices" in none.notes[0]
    real = builtins.__import__

    def without_usd(name: str, *rest: Any) -> Any:
        if name == "pxr":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_usd)
    assert make_usdz(read(triangle().data()), tmp_path / "b.usdz").notes == (MISSING,)


def test_the_check_finds_what_is_wrong(tmp_path: Path, usd: Any) -> None:
    """Else no package would ever be refused."""
    from pxr import UsdGeom, UsdUtils

    layer = tmp_path / "bad.usdc"
    stage = usd.Stage.CreateNew(str(layer))  # neither default prim nor units, a material that is not there
    mesh = UsdGeom.Mesh.Define(stage, "/Mesh")
    mesh.GetPrim().CreateRelationship("material:binding").AddTarget("/Nowhere")
    stage.GetRootLayer().Save()
    UsdUtils.CreateNewUsdzPackage(str(layer), str(tmp_path / "bad.usdz"))
    assert check(tmp_path / "bad.usdz")
    assert check(make_usdz(read(triangle().data()), tmp_path / "good.usdz").path or layer) == ()

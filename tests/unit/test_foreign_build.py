"""Shapes into scenes: creases, places far from the origin, which way is up, 3MF's and COLLADA's parts."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh

from renderer.bounds import bounds
from renderer.errors import FormatError, LimitError, SceneError
from renderer.foreign import creases
from renderer.limits import Limits
from renderer.load import load_scene
from renderer.pose import pose_at
from renderer.scene import Scene
from tests.unit.test_foreign_looks import linear, picture


def extent(scene: Scene) -> tuple[list[float], list[float]]:
    low, high = bounds(scene, pose_at(scene, None))
    return low.tolist(), high.tolist()


def test_a_cylinder_is_smooth_around_and_sharp_at_its_rims() -> None:
    mesh = trimesh.creation.cylinder(1.0, 2.0, sections=32)
    source, faces, normals = creases.smooth(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64))
    points = np.asarray(mesh.vertices)[source]
    side = np.abs(normals[:, 2]) < 0.5
    np.testing.assert_allclose(np.abs(normals[~side]), np.tile([0, 0, 1], (int((~side).sum()), 1)), atol=1e-9)
    outwards = points[side] * [1, 1, 0]
    np.testing.assert_allclose(normals[side], outwards / np.linalg.norm(outwards, axis=1)[:, None], atol=1e-3)
    np.testing.assert_allclose(points[faces], np.asarray(mesh.vertices)[mesh.faces])


def test_a_box_keeps_every_edge_however_its_vertices_are_shared() -> None:
    mesh = trimesh.creation.box()
    soup = np.asarray(mesh.triangles).reshape(-1, 3)
    for positions, faces in ((np.asarray(mesh.vertices), mesh.faces), (soup, np.arange(36).reshape(-1, 3))):
        source, _, normals = creases.smooth(positions, np.asarray(faces, np.int64))
        assert len(source) == 24
        assert set(np.abs(normals).max(axis=1).round(9)) == {1.0}


def test_two_cones_that_touch_in_a_point_do_not_smooth_each_other() -> None:
    up = [[0, 0, 0], [1, 0, 1], [0, 1, 1]]
    down = [[0, 0, 0], [1, 0, -1], [0, 1, -1]]
    positions = np.array([*up, *down], np.float64)
    _, faces, normals = creases.smooth(positions, np.array([[0, 1, 2], [3, 4, 5]]))
    np.testing.assert_allclose(normals[faces[0, 0]], normals[faces[0, 1]])
    assert abs(normals[faces[0, 0]] @ normals[faces[1, 0]]) < 0.9


def test_triangles_without_area_neither_split_nor_break() -> None:
    positions = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 2, 2], [1, 1, 1]])
    _, split, normals = creases.smooth(positions, faces)
    np.testing.assert_allclose(normals[split[:2].ravel()], np.tile([0, 0, 1], (6, 1)))
    assert np.isfinite(normals).all()


def test_a_model_far_from_the_origin_is_moved_there_and_keeps_its_digits(tmp_path: Path) -> None:
    rows = "".join(f"v {5_000_000 + x:.4f} {x * y:.4f} {4_000_000 + y:.4f}\n" for x in (0, 0.001) for y in (0, 0.002))
    (tmp_path / "site.obj").write_text(f"{rows}f 1 2 4\nf 1 4 3\n")
    scene = load_scene(tmp_path / "site.obj")
    low, high = extent(scene)
    assert np.subtract(high, low) == pytest.approx([0.001, 0, 0.002], rel=1e-4, abs=1e-5)
    assert np.abs([low, high]).max() < 0.01
    assert any("units from the origin: moved there" in line for line in scene.warnings)


def test_positions_beyond_reason_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1e30 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(FormatError, match="beyond 1e\\+15"):
        load_scene(tmp_path / "m.obj")


SPACES = (
    'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02" '
    'xmlns:m="http://schemas.microsoft.com/3dmanufacturing/material/2015/02" '
    'xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06"'
)
MESH = (
    "<mesh><vertices>"
    + "".join(f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in ((0, 0, 0), (10, 0, 0), (0, 10, 0), (0, 0, 10)))
    + "</vertices><triangles>{}</triangles></mesh>"
)
PLAIN = '<triangle v1="0" v2="2" v3="1"/><triangle v1="0" v2="1" v3="3"/>'


def archive(folder: Path, resources: str, build: str, unit: str = 'unit="millimeter"', **files: bytes) -> Path:
    path = folder / "part.3mf"
    model = f"<model {unit} {SPACES}><resources>{resources}</resources><build>{build}</build></model>"
    with zipfile.ZipFile(path, "w") as stream:
        stream.writestr("3D/3dmodel.model", model)
        for name, data in files.items():
            stream.writestr(name.replace("__", "/"), data)
    return path


@pytest.mark.parametrize(
    ("unit", "metres"), [('unit="inch"', 0.254), ('unit="meter"', 10.0), ("", 0.01), ('unit="parsec"', 0.01)]
)
def test_3mf_is_in_its_own_unit_and_z_is_up(tmp_path: Path, unit: str, metres: float) -> None:
    scene = load_scene(archive(tmp_path, f'<object id="1">{MESH.format(PLAIN)}</object>', '<item objectid="1"/>', unit))
    low, high = extent(scene)
    assert (*low, *high) == pytest.approx((0, 0, -metres, metres, metres, 0))
    assert scene.warnings == ()


def test_3mf_components_are_placed_by_every_transform_on_the_way(tmp_path: Path) -> None:
    turned = 'transform="0 1 0 -1 0 0 0 0 1 100 0 0"'  # x → y, y → −x, then 100 along x
    resources = f'<object id="1" name="part">{MESH.format(PLAIN)}</object>'
    resources += f'<object id="2"><components><component objectid="1" {turned}/></components></object>'
    build = f'<item objectid="2" {turned}/><item objectid="1"/><item objectid="77"/>'
    scene = load_scene(archive(tmp_path, resources, build))
    assert [node.name for node in scene.nodes] == ["root", "part", "part"]
    assert len(scene.meshes) == 1
    matrix = scene.nodes[1].matrix
    assert matrix is not None
    np.testing.assert_allclose(matrix @ [1, 0, 0, 1], [99, 100, 0, 1], atol=1e-9)
    assert any("names object '77'" in line for line in scene.warnings)


def test_3mf_colours_by_object_triangle_and_corner(tmp_path: Path) -> None:
    resources = '<basematerials id="5"><base name="a" displaycolor="#FF0000"/><base name="b" displaycolor="#0000FF80"/>'
    resources += '</basematerials><m:colorgroup id="6"><m:color color="#00FF00"/><m:color color="#808080"/>'
    own = '<triangle v1="0" v2="2" v3="1"/><triangle v1="0" v2="1" v3="3" pid="5" p1="1"/>'
    mixed = '<triangle v1="0" v2="2" v3="1" pid="6" p1="0" p2="1" p3="0"/><triangle v1="0" v2="1" v3="3"/>'
    resources += f'</m:colorgroup><object id="1" pid="5" pindex="0">{MESH.format(own)}</object>'
    resources += f'<object id="2">{MESH.format(mixed)}</object>'
    scene = load_scene(archive(tmp_path, resources, '<item objectid="1"/><item objectid="2"/>'))
    first, second = (mesh.primitives[0] for mesh in scene.meshes)
    assert first.colors is not None
    assert second.colors is not None
    assert first.colors[0] == pytest.approx([1, 0, 0, 1])
    assert first.colors[3] == pytest.approx([0, 0, 1, 128 / 255])
    assert scene.materials[first.material].alphaMode == "BLEND"
    assert second.colors[second.indices[1]] == pytest.approx([linear(128)] * 3 + [1], abs=1e-4)
    assert second.colors[second.indices[3]] == pytest.approx([0.6, 0.6, 0.6, 1], abs=0.01)


def test_3mf_textures_come_out_of_the_archive(tmp_path: Path) -> None:
    resources = (
        '<m:texture2d id="8" path="/3D/Textures/skin.png" contenttype="image/png"/><m:texture2dgroup id="9" texid="8">'
    )
    resources += '<m:tex2coord u="0" v="0"/><m:tex2coord u="1" v="0.25"/></m:texture2dgroup>'
    triangles = '<triangle v1="0" v2="2" v3="1" pid="9" p1="0" p2="1" p3="1"/><triangle v1="0" v2="1" v3="3"/>'
    resources += f'<object id="1">{MESH.format(triangles)}</object>'
    skin = picture([[[9, 8, 7]]])
    scene = load_scene(archive(tmp_path, resources, '<item objectid="1"/>', **{"3D__Textures__skin.png": skin}))
    dressed, plain = scene.meshes[0].primitives
    assert dressed.texcoords[0].tolist() == [[0, 1], [1, 0.75], [1, 0.75]]
    assert scene.images[0].pixels[0, 0].tolist() == [9, 8, 7, 255]
    assert (plain.texcoords, plain.material) == ((), 0)
    bare = load_scene(archive(tmp_path, resources, '<item objectid="1"/>'))
    assert any("is not in the archive" in line for line in bare.warnings)


def test_3mf_parts_in_other_files_of_the_archive(tmp_path: Path) -> None:
    other = f'<model {SPACES}><resources><object id="1">{MESH.format(PLAIN)}</object></resources></model>'
    component = '<component p:path="/3D/Objects/other.model" objectid="1"/>'
    resources = f'<object id="2"><components>{component}</components></object>'
    path = archive(tmp_path, resources, '<item objectid="2"/>', **{"3D__Objects__other.model": other.encode()})
    assert sum(len(p.indices) for m in load_scene(path).meshes for p in m.primitives) == 6


@pytest.mark.parametrize(
    ("resources", "fault"),
    [
        (
            '<object id="1"><mesh><vertices/><triangles><triangle v1="0" v2="1" v3="2"/></triangles></mesh></object>',
            "vertex",
        ),
        (f'<object id="1">{MESH.format("<triangle/>")}</object>', "readable"),
        (f'<object id="1">{MESH.format(PLAIN.replace("0", "nine"))}</object>', "readable"),
        ('<basematerials id="5"><base displaycolor="red"/></basematerials>', "not a colour"),
        (
            f'<object id="1" pid="5">{MESH.format(PLAIN)}</object><basematerials id="5"/>',
            "no points and no triangles|group",
        ),
        ('<object id="1"/>', "no points and no triangles"),
    ],
)
def test_a_broken_3mf_says_what_is_wrong(tmp_path: Path, resources: str, fault: str) -> None:
    build = '<item objectid="1"/>' if "pid" not in resources else ""
    with pytest.raises(FormatError, match=fault):
        load_scene(archive(tmp_path, resources, build))


def test_a_3mf_with_a_document_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "part.3mf"
    with zipfile.ZipFile(path, "w") as stream:
        stream.writestr("3D/3dmodel.model", '<!DOCTYPE model [<!ENTITY a "aaaaaaaa">]><model>&a;</model>')
    with pytest.raises(FormatError, match="declares a document type"):
        load_scene(path)


dae = pytest.importorskip("collada", reason="pycollada is not installed")


def collada(folder: Path, *changes: tuple[str, str]) -> Path:
    mesh = trimesh.creation.box((1.0, 2.0, 3.0))
    look = trimesh.visual.material.PBRMaterial(baseColorFactor=[255, 0, 0, 255])
    mesh.visual = trimesh.visual.TextureVisuals(material=look)
    exported = mesh.export(file_type="dae")
    text = exported.decode() if isinstance(exported, bytes) else str(exported)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "m.dae"
    path.write_text(text)
    return path


def test_collada_has_its_unit_its_up_axis_and_its_colour(tmp_path: Path) -> None:
    asset = '<unit name="inch" meter="0.0254"/><up_axis>Z_UP</up_axis></asset>'
    plain = load_scene(collada(tmp_path))
    low, high = extent(plain)
    assert np.subtract(high, low) == pytest.approx((1, 2, 3))
    assert plain.materials[plain.meshes[0].primitives[0].material].factors["baseColorFactor"] == pytest.approx(
        (1, 0, 0, 1)
    )
    text = collada(tmp_path).read_text()
    head, tail = text.split("</asset>", 1)
    for tag in ("unit", "up_axis"):
        head = "".join(part for part in head.splitlines(keepends=True) if f"<{tag}" not in part)
    (tmp_path / "m.dae").write_text(head + asset + tail)
    low, high = extent(load_scene(tmp_path / "m.dae"))
    assert np.subtract(high, low) == pytest.approx(np.array([1, 3, 2]) * 0.0254)


def test_collada_instances_that_double_forty_times_are_refused(tmp_path: Path) -> None:
    twice = '<instance_node url="#n{0}"/><instance_node url="#n{0}"/>'
    nodes = "".join(f'<node id="n{i}">{twice.format(i + 1)}</node>' for i in range(40))
    text = f'<COLLADA><library_nodes>{nodes}</library_nodes><library_visual_scenes><visual_scene id="s">'
    (tmp_path / "m.dae").write_text(
        f'{text}<node id="top">{twice.format(0)}</node></visual_scene></library_visual_scenes></COLLADA>'
    )
    with pytest.raises(LimitError, match="multiply"):
        load_scene(tmp_path / "m.dae")


@pytest.mark.parametrize("text", ["<!DOCTYPE x []><COLLADA/>", "<COLLADA", "", "<COLLADA/>", "no xml"])
def test_what_is_no_collada_is_a_scene_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.dae").write_text(text)
    with pytest.raises(SceneError, match=r"^m\.dae: "):
        load_scene(tmp_path / "m.dae", Limits(nodes=1000))


def test_a_zip_that_is_none_is_a_format_error(tmp_path: Path) -> None:
    path = tmp_path / "m.3mf"
    path.write_bytes(io.BytesIO(b"PK\x03\x04" + bytes(100)).getvalue())
    with pytest.raises(FormatError, match="not a readable 3MF file"):
        load_scene(path)

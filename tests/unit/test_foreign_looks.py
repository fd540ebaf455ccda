"""Colours and materials of formats that are not glTF: MTL, STL, OFF, PLY."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import trimesh

from renderer.errors import FormatError, LimitError
from renderer.limits import Limits
from renderer.load import load_scene
from renderer.scene import Material, Mode, Primitive, Scene

TETRA = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
FACES = "f 1/1 3/3 2/2\nf 1/1 2/2 4/3\nf 1/1 4/2 3/3\nf 2/1 3/2 4/3\n"


def picture(pixels: object) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(np.asarray(pixels, np.uint8)).save(out, "PNG")
    return out.getvalue()


def linear(byte: float) -> float:
    """sRGB byte → linear (IEC 61966-2-1)."""
    share = byte / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def dressed(folder: Path, mtl: str, **pictures: object) -> Scene:
    """A tetrahedron whose material "look" is what `mtl` says; pictures: name without suffix → pixels."""
    (folder / "m.obj").write_text(f"mtllib m.mtl\n{TETRA}usemtl look\n{FACES}")
    (folder / "m.mtl").write_text(f"newmtl look\n{mtl}\n")
    for name, pixels in pictures.items():
        (folder / f"{name}.png").write_bytes(picture(pixels))
    return load_scene(folder / "m.obj")


def look(scene: Scene) -> Material:
    ((primitive,),) = [mesh.primitives for mesh in scene.meshes]
    return scene.materials[primitive.material]


def only(scene: Scene) -> Primitive:
    ((primitive,),) = [mesh.primitives for mesh in scene.meshes]
    return primitive


@pytest.mark.parametrize(
    ("mtl", "factor", "expected"),
    [
        ("Kd 0.5 0.25 1", "baseColorFactor", (linear(127.5), linear(63.75), 1, 1)),
        ("Kd 0.5", "baseColorFactor", (linear(127.5),) * 3 + (1,)),
        ("Kd 1 1 1\nd 0.25", "baseColorFactor", (1, 1, 1, 0.25)),
        ("Kd 1 1 1\nTr 0.25", "baseColorFactor", (1, 1, 1, 0.75)),
        ("Kd 7 -3 1", "baseColorFactor", (1, 0, 1, 1)),
        ("Ke 1 0 0.5", "emissiveFactor", (1, 0, linear(127.5))),
        ("Ns 98", "roughnessFactor", (0.02**0.25,)),
        ("Ns 0", "roughnessFactor", (1,)),
        ("Ks 0 0 0", "specularFactor", (0,)),
        ("illum 1\nKs 1 1 1", "specularFactor", (0,)),
        ("Ks 0.5 0.5 0.5", "specularFactor", (1,)),
        ("Pr 0.3\nPm 1\nNs 5", "roughnessFactor", (0.3,)),
        ("Pr 0.3\nPm 1", "metallicFactor", (1,)),
        ("Pc 0.8\nPcr 0.1", "clearcoatRoughnessFactor", (0.1,)),
        ("Ps 0.4", "sheenColorFactor", (0.4, 0.4, 0.4)),
        ("aniso 0.5\nanisor 0.25", "anisotropyRotation", (np.pi / 2,)),
        ("Ni 1.7", "ior", (1.7,)),
    ],
)
def test_a_material_file_says_it_as_gltf_would(
    tmp_path: Path, mtl: str, factor: str, expected: tuple[float, ...]
) -> None:
    material = look(dressed(tmp_path, mtl))
    assert material.factors[factor] == pytest.approx(expected, abs=1e-6)
    assert material.alphaMode == ("BLEND" if material.factors["baseColorFactor"][3] < 1 else "OPAQUE")


@pytest.mark.parametrize("line", ["Kd", "Kd x y z", "Kd nan 1 1", "d inf", "Ns 1e999", "Pr abc", "map_Kd", "newmtl"])
def test_lines_that_say_nothing_change_nothing(tmp_path: Path, line: str) -> None:
    assert look(dressed(tmp_path, line)).factors == look(dressed(tmp_path, "")).factors


def test_features_are_switched_on_with_their_numbers(tmp_path: Path) -> None:
    material = look(dressed(tmp_path, "Pc 1\nPs 1\naniso 1\nNi 1.4\nKs 1 0 0"))
    assert material.features == {"CLEARCOAT", "SHEEN", "ANISOTROPY", "IOR", "SPECULAR"}
    assert material.factors["specularColorFactor"] == pytest.approx((1, 0, 0))


def test_opacity_goes_into_the_base_colours_alpha(tmp_path: Path) -> None:
    red = np.tile(np.array([200, 10, 10], np.uint8), (4, 4, 1))
    cut = np.repeat(np.repeat([[255, 0], [0, 255]], 2, axis=0), 2, axis=1)
    scene = dressed(tmp_path, "map_Kd red.png\nmap_d cut.png", red=red, cut=cut)
    assert look(scene).alphaMode == "MASK"
    pixels = scene.images[0].pixels
    assert pixels[0, 0].tolist() == [200, 10, 10, 255]
    assert pixels[0, 3].tolist() == [200, 10, 10, 0]
    soft = dressed(tmp_path, "map_Kd red.png\nmap_d cut.png", red=red, cut=np.full((2, 2), 128))
    assert look(soft).alphaMode == "BLEND"


def test_roughness_and_metalness_share_a_picture(tmp_path: Path) -> None:
    mtl = "map_Pr rough.png\nmap_Pm metal.png"
    scene = dressed(tmp_path, mtl, rough=np.full((4, 4), 64), metal=np.full((2, 2), 192))
    assert scene.images[0].pixels[1, 1].tolist() == [255, 64, 192, 255]
    material = look(scene)
    assert (material.factors["roughnessFactor"], material.factors["metallicFactor"]) == ((1,), (1,))
    assert scene.textures[material.textures["metallicRoughnessTexture"].texture].image == 0


@pytest.mark.parametrize("key", ["map_Bump", "bump", "norm"])
def test_heights_become_normals_and_normals_stay(tmp_path: Path, key: str) -> None:
    slope = np.tile(np.arange(16, dtype=np.uint8) * 8, (16, 1))
    scene = dressed(tmp_path, f"{key} -bm 1 relief.png", relief=slope)
    x, y, z, _ = scene.images[0].pixels[8, 8].tolist()
    assert x < 110
    assert (y, z) == pytest.approx((128, 240), abs=15)
    assert only(scene).tangents is not None
    flat = np.tile(np.array([128, 128, 255], np.uint8), (4, 4, 1))
    kept = dressed(tmp_path, f"{key} relief.png", relief=flat)
    assert kept.images[0].pixels[0, 0].tolist() == [128, 128, 255, 255]


def test_options_of_a_map_move_and_scale_it(tmp_path: Path) -> None:
    scene = dressed(tmp_path, "map_Kd -s 2 4 1 -o 0.5 0.25 -clamp on -mm 0 1 my skin.png", **{"my skin": [[[1, 2, 3]]]})
    info = look(scene).textures["baseColorTexture"]
    assert (info.scale, info.offset) == ((2, 4), (0.5, 1 - 4 - 0.25))
    assert scene.textures[info.texture].sampler.wrapS == 33071
    assert look(scene).factors["baseColorFactor"] == (1, 1, 1, 1)


def test_paths_of_another_machine_are_found_beside_the_model(tmp_path: Path) -> None:
    scene = dressed(tmp_path, "map_Kd C:\\art\\2019\\skin.png", skin=[[[9, 8, 7]]])
    assert scene.images[0].pixels[0, 0].tolist() == [9, 8, 7, 255]


def test_several_material_files_and_materials_without_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 1 0 0\n")
    (tmp_path / "b.mtl").write_text("newmtl two\nKd 0 1 0\n")
    text = f"mtllib a.mtl\nmtllib b.mtl\n{TETRA}usemtl one\nf 1 3 2\nusemtl two\nf 1 2 4\nusemtl three\nf 2 3 4\n"
    (tmp_path / "m.obj").write_text(text)
    scene = load_scene(tmp_path / "m.obj")
    found = {scene.materials[p.material].factors["baseColorFactor"] for m in scene.meshes for p in m.primitives}
    assert found == {(1, 0, 0, 1), (0, 1, 0, 1), (0.6, 0.6, 0.6, 1.0)}


def test_faces_that_count_backwards_count_from_where_they_stand(tmp_path: Path) -> None:
    first = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf -3/-3 -2/-2 -1/-1\n"
    second = "v 5 0 0\nv 6 0 0\nv 5 1 0\nf -3/-3 \\\n-2/2 -1/-1\n"
    (tmp_path / "m.obj").write_text(first + second)
    primitive = only(load_scene(tmp_path / "m.obj"))
    places = primitive.positions[primitive.indices].tolist()
    assert sorted(places) == sorted([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 0, 0], [6, 0, 0], [5, 1, 0]])
    (tmp_path / "bad.obj").write_text("v 0 0 0\nv 1 0 0\nf -1 -2 -3\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(FormatError):
        load_scene(tmp_path / "bad.obj")


def stl(attributes: list[int], header: bytes = b"", tail: bytes = b"") -> bytes:
    """One triangle for each attribute, in a row."""
    rows = np.zeros(len(attributes), [("n", "<f4", 3), ("v", "<f4", (3, 3)), ("a", "<u2")])
    rows["v"] = [[[3 * i, 0, 0], [3 * i + 1, 0, 0], [3 * i, 1, 0]] for i in range(len(attributes))]
    rows["a"] = attributes
    return header.ljust(80, b"\0") + struct.pack("<I", len(rows)) + rows.tobytes() + tail


def colours(folder: Path, name: str, data: bytes) -> list[list[float]] | None:
    (folder / name).write_bytes(data)
    found = only(load_scene(folder / name)).colors
    return None if found is None else found[::3].astype(np.float64).round(3).tolist()


def test_colours_of_facets_in_both_dialects(tmp_path: Path) -> None:
    flagged = [0x8000 | 31 << 10, 0x8000 | 31, 0]
    assert colours(tmp_path, "a.stl", stl(flagged)) == [[1, 0, 0, 1], [0, 0, 1, 1], [0.604, 0.604, 0.604, 1]]
    header = b"made by hand COLOR=" + bytes([0, 255, 0, 128])
    assert colours(tmp_path, "b.stl", stl([31, 0x8000], header)) == [[1, 0, 0, 0.502], [0, 1, 0, 0.502]]
    assert look(load_scene(tmp_path / "b.stl")).alphaMode == "BLEND"


def test_attributes_that_are_no_colours_and_bytes_behind_the_end(tmp_path: Path) -> None:
    assert colours(tmp_path, "a.stl", stl([7, 9])) is None
    assert colours(tmp_path, "b.stl", stl([0, 0], b"solid but binary", b"tail of another tool")) is None
    assert len(only(load_scene(tmp_path / "b.stl")).indices) == 6


def test_a_text_stl_is_still_text(tmp_path: Path) -> None:
    facet = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n"
    (tmp_path / "m.stl").write_text(f"solid thing\n{facet}endsolid thing\n")
    assert len(only(load_scene(tmp_path / "m.stl")).indices) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COFF\n3 1 0\n0 0 0 255 0 0 255\n1 0 0 0 255 0 255\n0 1 0 0 0 255 51\n3 0 1 2\n", [1, 0, 0, 1]),
        ("COFF 3 1 0\n0 0 0 1.0 0 0 1.0\n1 0 0 0 1 0 1\n0 1 0 0 0 1 1\n3 0 1 2\n", [1, 0, 0, 1]),
        ("OFF # comment\n3 1 0\n0 0 0\n1 0 0\n\n0 1 0\n3 0 1 2 0 255 0\n", [0, 1, 0, 1]),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2 0.0 0.0 1.0 0.5\n", [0, 0, 1, 0.5]),
    ],
)
def test_off_has_colours_of_vertices_and_faces(tmp_path: Path, text: str, expected: list[float]) -> None:
    assert (colours(tmp_path, "m.off", text.encode()) or [])[0] == expected


def test_off_with_normals_texture_coordinates_and_polygons(tmp_path: Path) -> None:
    rows = "0 0 0 0 0 1 0 0\n1 0 0 0 0 1 1 0\n1 1 0 0 0 1 1 1\n0 1 0 0 0 1 0 1\n"
    (tmp_path / "m.off").write_text(f"STNOFF\n4 1 4\n{rows}4 0 1 2 3\n")
    primitive = only(load_scene(tmp_path / "m.off"))
    assert primitive.indices.tolist() == [0, 1, 2, 0, 2, 3]
    assert primitive.normals is not None
    assert primitive.normals.tolist() == [[0, 0, 1]] * 4
    assert primitive.texcoords[0].tolist() == [[0, 1], [1, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("OFF\n", "no numbers of vertices"),
        ("OFF\n3 1\n0 0 0\n1 0 0\n", "says 3 vertices and 1 faces, but has 2 lines"),
        ("OFF\n3 1 0\n0 0 0\n1 0\n0 1 0\n3 0 1 2\n", "vertex 1 has 2 numbers instead of 3"),
        ("OFF\n3 1 0\n0 0 0\n1 0 x\n0 1 0\n3 0 1 2\n", "no number"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", "face 0 names a vertex of .0, 1, 7., there are 3"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 -1 2\n", "face 0 names a vertex of"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 one 2\n", "no number of a vertex"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n9 0 1 2\n", "face 0 is not a number of corners"),
        ("OFF\n3 1 0\n0 0 nan\n1 0 0\n0 1 0\n3 0 1 2\n", "not finite"),
        ("4OFF\n3 1 0\n", "three-dimensional"),
        ("OFF BINARY\n3 1 0\n", "in text"),
        ("PLY\n", "does not begin with OFF"),
    ],
)
def test_a_broken_off_says_where(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "m.off").write_text(text)
    with pytest.raises(FormatError, match=fault):
        load_scene(tmp_path / "m.off")


def test_an_off_that_claims_too_much_is_refused_by_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "m.off").write_text("OFF\n99999999999 1 0\n")
    with pytest.raises(LimitError, match="says 99,999,999,999 vertices"):
        load_scene(tmp_path / "m.off", Limits(vertices=1000))


def test_ply_with_a_picture_and_with_colours_of_faces(tmp_path: Path) -> None:
    header = (
        "ply\nformat ascii 1.0\ncomment TextureFile skin.png\nelement vertex 3\nproperty float x\nproperty float y\n"
    )
    header += "property float z\nproperty float s\nproperty float t\nelement face 1\n"
    header += "property list uchar int vertex_indices\nend_header\n"
    (tmp_path / "m.ply").write_text(f"{header}0 0 0 0 0\n1 0 0 1 0\n0 1 0 0 1\n3 0 1 2\n")
    (tmp_path / "skin.png").write_bytes(picture([[[9, 8, 7]]]))
    scene = load_scene(tmp_path / "m.ply")
    assert scene.images[0].pixels[0, 0].tolist() == [9, 8, 7, 255]
    assert sorted(only(scene).texcoords[0].tolist()) == [[0, 0], [0, 1], [1, 1]]
    assert look(scene).textures["baseColorTexture"].texture == 0
    box = trimesh.creation.box()
    box.visual.face_colors = np.tile(np.array([0, 128, 255, 255], np.uint8), (12, 1))
    box.export(tmp_path / "box.ply")
    found = only(load_scene(tmp_path / "box.ply")).colors
    assert found is not None
    assert found[0] == pytest.approx([0, linear(128), 1, 1], abs=1e-4)


def polygons(order: str, *, colored: bool) -> bytes:
    """A binary PLY of a pentagon and a triangle; each with a colour, or with texture coordinates for its corners."""
    form = "binary_little_endian" if order == "<" else "binary_big_endian"
    more = "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    more = more if colored else "property list uchar float texcoord\n"
    header = f"ply\nformat {form} 1.0\nelement vertex 8\nproperty float x\nproperty float y\nproperty float z\n"
    header += f"element face 2\nproperty list uchar int vertex_indices\n{more}end_header\n"
    turn = [2 * np.pi * i / 5 for i in range(5)]
    points = [*((np.cos(a), np.sin(a), 0.0) for a in turn), (3, 0, 0), (4, 0, 0), (3, 1, 0)]
    data = header.encode() + b"".join(struct.pack(f"{order}3f", *point) for point in points)
    for face, color in (((0, 1, 2, 3, 4), (255, 0, 0)), ((5, 6, 7), (0, 0, 255))):
        data += struct.pack(f"{order}B{len(face)}i", len(face), *face)
        uv = [n for corner in face for n in (corner / 8, 0.0)]
        data += bytes(color) if colored else struct.pack(f"{order}B{len(uv)}f", len(uv), *uv)
    return data


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_binary_ply_of_polygons_is_cut_into_triangles(tmp_path: Path, order: str) -> None:
    (tmp_path / "m.ply").write_bytes(polygons(order, colored=True))
    primitive = only(load_scene(tmp_path / "m.ply"))
    assert len(primitive.indices) == 3 * (3 + 1)
    assert primitive.colors is not None
    corners = primitive.colors[primitive.indices].tolist()
    assert corners[:9] == [[1, 0, 0, 1]] * 9
    assert corners[9:] == [[0, 0, 1, 1]] * 3
    (tmp_path / "m.ply").write_bytes(polygons(order, colored=False))
    primitive = only(load_scene(tmp_path / "m.ply"))
    uv = primitive.texcoords[0][primitive.indices]
    assert uv[:, 0].tolist() == [n / 8 for n in (0, 1, 2, 0, 2, 3, 0, 3, 4, 5, 6, 7)]


def test_a_ply_that_ends_within_its_faces_says_so(tmp_path: Path) -> None:
    (tmp_path / "m.ply").write_bytes(polygons("<", colored=True)[:-9])
    with pytest.raises(FormatError, match="ends within its faces"):
        load_scene(tmp_path / "m.ply")


def test_a_picture_that_is_missing_is_a_warning_and_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    header = (
        "ply\nformat ascii 1.0\ncomment TextureFile gone.png\nelement vertex 3\nproperty float x\nproperty float y\n"
    )
    header += "property float z\nproperty float s\nproperty float t\nelement face 1\n"
    header += "property list uchar int vertex_indices\nend_header\n"
    (tmp_path / "m.ply").write_text(f"{header}0 0 0 0 0\n1 0 0 1 0\n0 1 0 0 1\n3 0 1 2\n")
    scene = load_scene(tmp_path / "m.ply")
    assert look(scene).factors["baseColorFactor"] == (0.6, 0.6, 0.6, 1.0)
    assert any("gone.png" in line for line in scene.warnings)
    assert caplog.records == []


def test_points_keep_their_colours_and_their_transparency(tmp_path: Path) -> None:
    cloud = trimesh.PointCloud([[0, 0, 0], [1, 0, 0]], colors=[[255, 0, 0, 255], [0, 255, 0, 100]])
    cloud.export(tmp_path / "m.ply")
    scene = load_scene(tmp_path / "m.ply")
    assert only(scene).mode == Mode.POINTS
    assert look(scene).alphaMode == "BLEND"
    colors = only(scene).colors
    assert colors is not None
    assert colors[1] == pytest.approx([0, 1, 0, 100 / 255])

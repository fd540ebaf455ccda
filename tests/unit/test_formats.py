"""The formats that trimesh reads: geometry, colours, materials, units, and files that lie."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh

from renderer.bounds import bounds
from renderer.errors import FormatError, LimitError, SceneError
from renderer.limits import Limits
from renderer.load import SUFFIXES, load_scene
from renderer.pose import pose_at
from renderer.scene import Mode, Primitive, Scene
from tests.fuzz.mutations import change_bytes
from tests.unit.glb import png

CUBE = trimesh.creation.box((2.0, 4.0, 6.0))


@pytest.fixture(autouse=True)
def loose_numbers() -> Iterator[None]:
    """trimesh itself divides by zero on the way; ours is checked by its results."""
    with np.errstate(all="ignore"):
        yield


def save(folder: Path, suffix: str, mesh: trimesh.Trimesh = CUBE) -> Path:
    path = folder / f"cube{suffix}"
    mesh.export(path)
    return path


def only(scene: Scene) -> Primitive:
    ((primitive,),) = [mesh.primitives for mesh in scene.meshes]
    return primitive


@pytest.mark.parametrize(
    ("suffix", "size"),
    [
        (".stl", (2, 6, 4)),
        (".obj", (2, 4, 6)),
        (".ply", (2, 4, 6)),
        (".off", (2, 4, 6)),
        (".3mf", (0.002, 0.006, 0.004)),
    ],
)
def test_a_box_keeps_its_size_and_its_edges(suffix: str, size: tuple[float, ...], tmp_path: Path) -> None:
    scene = load_scene(save(tmp_path, suffix))
    low, high = bounds(scene, pose_at(scene, None))
    np.testing.assert_allclose(high - low, size, rtol=1e-6)
    primitive = only(scene)
    assert (primitive.mode, len(primitive.indices)) == (Mode.TRIANGLES, 36)
    assert primitive.normals is not None
    assert set(np.abs(primitive.normals).max(axis=1).round(5)) == {1.0}
    assert scene.materials[0].factors["roughnessFactor"] == (0.5,)


def test_a_round_shape_is_smooth(tmp_path: Path) -> None:
    primitive = only(load_scene(save(tmp_path, ".stl", trimesh.creation.icosphere(3))))
    assert primitive.normals is not None
    np.testing.assert_allclose(primitive.normals, primitive.positions, atol=0.02)


def test_vertex_colours_become_linear(tmp_path: Path) -> None:
    mesh = CUBE.copy()
    mesh.visual.vertex_colors = np.tile([255, 128, 0, 255], (len(mesh.vertices), 1))
    colors = only(load_scene(save(tmp_path, ".ply", mesh))).colors
    np.testing.assert_allclose(colors, np.tile([1, 0.21586, 0, 1], (24, 1)), atol=1e-4)


def test_a_cloud_of_points(tmp_path: Path) -> None:
    trimesh.PointCloud([[0, 0, 0], [1, 2, 3]]).export(tmp_path / "cloud.ply")
    primitive = only(load_scene(tmp_path / "cloud.ply"))
    assert (primitive.mode, primitive.indices.tolist()) == (Mode.POINTS, [0, 1])


OBJ = "mtllib look.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl red\nf 1/1 2/2 3/3\n"


def test_obj_with_its_material_and_picture(tmp_path: Path) -> None:
    (tmp_path / "look.mtl").write_text("newmtl red\nKd 1 0.5 1\nmap_Kd skin.png\n")
    (tmp_path / "skin.png").write_bytes(png((9, 8, 7)))
    (tmp_path / "m.obj").write_text(OBJ)
    scene = load_scene(tmp_path / "m.obj")
    primitive = only(scene)
    material = scene.materials[primitive.material]
    np.testing.assert_allclose(material.factors["baseColorFactor"], (1, 0.212, 1, 1), atol=0.01)
    assert material.textures["baseColorTexture"].texture == 0
    np.testing.assert_array_equal(scene.images[0].pixels[0, 0], (9, 8, 7, 255))
    np.testing.assert_allclose(primitive.texcoords[0], [[0, 1], [1, 1], [0, 0]])


def test_obj_goes_on_without_what_is_missing_or_outside(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(png((1, 2, 3)))
    (folder / "look.mtl").write_text("newmtl red\nKd 1 1 1\nmap_Kd ../secret.png\n")
    (folder / "m.obj").write_text(OBJ)
    scene = load_scene(folder / "m.obj")
    assert scene.images == ()
    assert any("../secret.png' leads out of the model's folder" in line for line in scene.warnings)


def archive(folder: Path, model: str, extra: bytes = b"") -> Path:
    path = folder / "part.3mf"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        stream.writestr("3D/3dmodel.model", model)
        stream.writestr("extra", extra)
    return path


def test_an_archive_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path, "<model/>", bytes(5_000_000))
    with pytest.raises(LimitError, match=r"^part.3mf: unpacks to 5,000,\d+ bytes, at most 1,000,000 are allowed$"):
        load_scene(path, Limits(text_bytes=1_000_000))


def nested(depth: int, last: str) -> str:
    parts = '<component objectid="{0}"/><component objectid="{0}"/>'
    objects = [f'<object id="{i}"><components>{parts.format(i + 1)}</components></object>' for i in range(depth)]
    tail = f'<object id="{depth}">{last}</object>'
    space = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
    body = f'<resources>{"".join(objects)}{tail}</resources><build><item objectid="0"/></build>'
    return f'<model unit="millimeter" xmlns="{space}">{body}</model>'


def test_components_that_double_forty_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LimitError, match=r"components multiply to [\d,]+ parts, at most 200,000 are allowed"):
        load_scene(archive(tmp_path, nested(40, "<mesh/>")))


def test_components_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    last = '<components><component objectid="1"/></components>'
    with pytest.raises(FormatError, match=r"object '\d' is a component of itself"):
        load_scene(archive(tmp_path, nested(3, last)))


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s not in (".glb", ".gltf")])
def test_mutated_files_are_scenes_or_scene_errors(suffix: str, tmp_path: Path) -> None:
    rng, data = random.Random(suffix), save(tmp_path, suffix).read_bytes()
    limits = Limits(1 << 20, 1 << 20, 30, 1 << 20, 1 << 20, 1 << 18, 10_000, 30_000, 1000, 100, 1000, 1 << 20)
    path = tmp_path / f"lie{suffix}"
    outcomes = set()
    for _ in range(60):
        path.write_bytes(change_bytes(rng, data))
        try:
            load_scene(path, limits)
            outcomes.add("scene")
        except SceneError as error:
            assert str(error).startswith(path.name + ": ")  # noqa: PT017
            outcomes.add(type(error).__name__)
    assert "FormatError" in outcomes


def test_an_empty_file_of_every_kind_is_a_format_error(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"empty{suffix}"
        path.write_bytes(b"")
        with pytest.raises(FormatError, match=f"^empty{suffix}: "):
            load_scene(path)


def test_a_picture_bomb_beside_an_obj_is_left_out(tmp_path: Path) -> None:
    stream = io.BytesIO(png(size=64))
    (tmp_path / "look.mtl").write_text("newmtl red\nKd 1 1 1\nmap_Kd skin.png\n")
    (tmp_path / "skin.png").write_bytes(stream.getvalue())
    (tmp_path / "m.obj").write_text(OBJ)
    scene = load_scene(tmp_path / "m.obj", Limits(image_pixels=100))
    assert scene.images == ()
    assert any("64×64 pixels" in line for line in scene.warnings)

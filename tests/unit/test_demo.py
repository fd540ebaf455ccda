"""The demo shop: shapes are sound, files are valid glTF, products are what a shop could show, builds repeat."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import demo
from demo import catalogue, lettering, lines, occlusion, shapes, textures
from demo.glb import Document, Part

REPOSITORY = Path(__file__).resolve().parents[2]
EXTENSIONS = {
    "armchair": {"KHR_materials_variants", "KHR_mesh_quantization", "KHR_texture_transform"},
    "watch": {"KHR_materials_variants", "KHR_materials_transmission"},
    "headphones": {"KHR_materials_variants", "KHR_materials_clearcoat", "KHR_texture_transform"},
    "speaker": {"KHR_materials_variants", "KHR_texture_transform", "KHR_materials_emissive_strength"},
    "vase": {"KHR_materials_variants", "KHR_materials_clearcoat"},
    "lamp": {
        "KHR_materials_variants",
        "KHR_materials_transmission",
        "KHR_materials_emissive_strength",
        "KHR_lights_punctual",
    },
}


# ---- a small reader, independent of the renderer's ----
class Glb:
    """A GLB taken apart: its JSON and its binary chunk."""

    def __init__(self, data: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<II", data, 12)
        assert kind == 0x4E4F534A
        self.data = data
        self.json: dict[str, Any] = json.loads(data[20 : 20 + size])
        blob_size, kind = struct.unpack_from("<II", data, 20 + size)
        assert kind == 0x004E4942
        self.blob = data[28 + size :]
        assert len(self.blob) == blob_size

    def accessor(self, index: int) -> NDArray[np.float64]:
        """An accessor's values as float [N, C], normalised integers decoded."""
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        kind = np.dtype({5126: "<f4", 5122: "<i2", 5123: "<u2", 5125: "<u4"}[accessor["componentType"]])
        stride = view.get("byteStride", width * kind.itemsize)
        raw = np.ndarray((accessor["count"], width), kind, self.blob, view["byteOffset"], (stride, kind.itemsize))
        values = raw.astype(np.float64)
        return values / np.iinfo(kind).max if accessor.get("normalized") else values

    def primitives(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Every (node, primitive) that is drawn."""
        nodes = [node for node in self.json["nodes"] if "mesh" in node]
        return [(node, primitive) for node in nodes for primitive in self.json["meshes"][node["mesh"]]["primitives"]]


@cache
def built(product: str) -> Glb:
    return Glb(catalogue.build(product))


# ---- shapes ----
def volume(mesh: shapes.Mesh) -> float:
    """Signed volume of a closed mesh, m³; positive when its triangles face outwards."""
    a, b, c = (mesh.position[mesh.index[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def open_edges(mesh: shapes.Mesh) -> int:
    """Edges that do not have exactly one triangle on each side, vertices at one place taken as one."""
    _, place = np.unique(np.round(mesh.position, 7), axis=0, return_inverse=True)
    corners = place.reshape(-1)[mesh.index]
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = edges[edges[:, 0] != edges[:, 1]]
    forth = {tuple(edge) for edge in edges.tolist()}
    return sum((b, a) not in forth for a, b in forth)


SOLIDS = {
    "ball": lambda: shapes.revolve(
        np.column_stack([np.sin(np.linspace(np.pi, 0, 33)).clip(0), np.cos(np.linspace(np.pi, 0, 33))]), 48
    ),
    "box": lambda: shapes.extrude(lines.rounded_rectangle(0.3, 0.2, 0.03), 0.1, 0.01),
    "knob": lambda: shapes.knob(0.01, 0.012, 0.001, 24, 0.0004),
    "rod": lambda: shapes.sweep(
        np.array([[0, y, 0.0] for y in np.linspace(0, 1, 9)]), lines.circle(0.1, 24), up=(0, 0, 1)
    ),
    "ring": lambda: shapes.sweep(
        np.column_stack([lines.circle(1, 64), np.zeros(64)]), lines.circle(0.1, 16), up=(0, 0, 1), closed=True
    ),
}


@pytest.mark.parametrize(
    ("solid", "cubic_metres"),
    [("ball", 4.19), ("box", 0.0059), ("knob", 3.7e-6), ("rod", 0.0314), ("ring", 0.197)],
)
def test_solids_are_closed_and_face_outwards(solid: str, cubic_metres: float) -> None:
    mesh = SOLIDS[solid]()
    assert open_edges(mesh) == 0
    assert volume(mesh) == pytest.approx(cubic_metres, rel=0.06)


def test_normals_of_a_ball_point_from_its_centre_across_seam_and_poles() -> None:
    ball = SOLIDS["ball"]()
    away = ball.position / np.linalg.norm(ball.position, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", ball.normal, away).min() > 0.999


def test_mirrored_stays_outward() -> None:
    box = SOLIDS["box"]()
    assert volume(box.mirrored()) == pytest.approx(volume(box))


def test_fillet_cuts_a_radius_that_does_not_fit() -> None:
    line = lines.fillet(np.array([[0, 0], [1, 0], [1, 0.1]]), [0.0, 5.0, 0.0])
    assert line[:, 0].max() <= 1.0
    assert line[:, 1].min() >= 0.0
    assert np.isfinite(line).all()


def test_contact_is_darker_than_open_space() -> None:
    floor = shapes.extrude(lines.rounded_rectangle(1, 1, 0.1), 0.1, 0.01).turned("x", -90)
    box = shapes.extrude(lines.rounded_rectangle(0.3, 0.3, 0.02, steps=16), 0.3, 0.01).turned("x", -90).moved(y=0.1)
    _, shaded = occlusion.shaded([floor, box], reach=0.2)
    assert shaded.color is not None
    low, high = shaded.position[:, 1] < 0.13, shaded.position[:, 1] > 0.37
    side = np.abs(shaded.normal[:, 1]) < 0.5
    assert shaded.color[low & side].mean() < 0.85 * shaded.color[high & side].mean()


# ---- pictures and letters ----
@pytest.mark.parametrize("field", [textures.noise(128, 6, 1), textures.brushed(128, 2), textures.cells(128, 60, 3)[0]])
def test_fields_tile(field: NDArray[np.float64]) -> None:
    inside = np.abs(np.diff(field, axis=1)).mean()
    across = np.abs(field[:, 0] - field[:, -1]).mean()
    assert across < 2.5 * inside


def test_normal_map_leans_away_from_a_rise() -> None:
    u, v = textures.grid(64)
    flat = textures.normals(np.zeros((64, 64)), 1.0)
    assert np.allclose(flat, [0.5, 0.5, 1.0])
    to_the_right = textures.normals(np.sin(2 * np.pi * u), 10.0)[10, 0]
    upwards = textures.normals(np.sin(-2 * np.pi * v), 10.0)[0, 10]
    assert to_the_right[0] < 0.45, "height grows along +u, so the normal leans to −x"
    assert upwards[1] < 0.45, "height grows up the picture, so the normal leans to −y"


def test_letters_are_drawn_where_asked() -> None:
    mask = lettering.mask((200, 60), [("VITRINE", 100, 30, 30, 4)])
    rows, columns = np.nonzero(mask > 0.5)
    assert rows.mean() == pytest.approx(30, abs=3)
    assert columns.mean() == pytest.approx(100, abs=8)
    assert np.ptp(rows) == pytest.approx(33, abs=3)
    with pytest.raises(KeyError):
        lettering.strokes("ß")


# ---- the writer ----
def small_document(*, quantise: bool) -> tuple[Glb, shapes.Mesh]:
    mesh = shapes.extrude(lines.rounded_rectangle(0.3, 0.2, 0.03), 0.1, 0.01).moved(y=2.0)
    mesh = mesh.with_uv(0.5, 0.5, 0.4, 0.4)
    document = Document("A box", ["red", "blue"])
    picture = document.texture(textures.png(np.ones((4, 4, 3))))
    red, blue = (
        document.material(name, {"pbrMetallicRoughness": {"baseColorTexture": {"index": picture}}}) for name in "rb"
    )
    document.add("Box", [Part(mesh, red, {"red": red, "blue": blue})], quantise=quantise)
    return Glb(document.to_bytes()), mesh


@pytest.mark.parametrize("quantise", [False, True])
def test_written_geometry_reads_back(quantise: bool) -> None:
    glb, mesh = small_document(quantise=quantise)
    ((node, primitive),) = glb.primitives()
    position = glb.accessor(primitive["attributes"]["POSITION"])
    position = position * node.get("scale", [1, 1, 1]) + node.get("translation", [0, 0, 0])
    assert np.abs(position - mesh.position).max() < 1e-5
    assert np.abs(glb.accessor(primitive["attributes"]["NORMAL"]) - mesh.normal).max() < 1e-4
    assert np.abs(glb.accessor(primitive["attributes"]["TEXCOORD_0"]) - mesh.uv).max() < 1e-4
    assert np.array_equal(glb.accessor(primitive["indices"]).ravel(), mesh.index.ravel())
    assert ("KHR_mesh_quantization" in glb.json.get("extensionsRequired", [])) is quantise


def test_variants_name_their_materials() -> None:
    glb, _ = small_document(quantise=False)
    ((_, primitive),) = glb.primitives()
    assert [variant["name"] for variant in glb.json["extensions"]["KHR_materials_variants"]["variants"]] == [
        "red",
        "blue",
    ]
    assert primitive["extensions"]["KHR_materials_variants"]["mappings"] == [
        {"material": 0, "variants": [0]},
        {"material": 1, "variants": [1]},
    ]


def test_coordinates_that_cannot_be_quantised_are_refused() -> None:
    document = Document("A box")
    picture = document.texture(textures.png(np.ones((4, 4, 3))))
    material = document.material("m", {"pbrMetallicRoughness": {"baseColorTexture": {"index": picture}}})
    far = shapes.knob(0.01, 0.01, 0.001, 8, 0.0004).with_uv(3.0, 1.0)
    with pytest.raises(ValueError, match="must lie in 0…1"):
        document.add("Knob", [Part(far, material)], quantise=True)


# ---- the products ----
def test_every_product_has_an_expectation() -> None:
    assert set(demo.products()) == set(EXTENSIONS)
    assert len(demo.products()) >= 5
    assert set(demo.titles()) == set(demo.products())


@pytest.mark.parametrize("product", demo.products())
class TestProduct:
    """One build per product, looked at from several sides."""

    def test_fits_a_shop(self, product: str) -> None:
        glb = built(product)
        triangles = sum(glb.json["accessors"][primitive["indices"]]["count"] // 3 for _, primitive in glb.primitives())
        assert 20_000 <= triangles <= 200_000
        assert 0.5e6 <= len(glb.blob) <= 8e6
        assert len(glb.primitives()) <= 12, "few draws: the software rasteriser must stay fluid"

    def test_says_what_it_is_and_needs(self, product: str) -> None:
        glb = built(product)
        assert glb.json["asset"]["extras"]["title"] == demo.titles()[product]
        assert set(glb.json["extensionsUsed"]) == EXTENSIONS[product]
        variants = glb.json["extensions"]["KHR_materials_variants"]["variants"]
        assert len({variant["name"] for variant in variants}) == 3

    def test_geometry_is_sound(self, product: str) -> None:
        glb = built(product)
        for _, primitive in glb.primitives():
            position = glb.accessor(primitive["attributes"]["POSITION"])
            normal = glb.accessor(primitive["attributes"]["NORMAL"])
            index = glb.accessor(primitive["indices"]).astype(int).reshape(-1, 3)
            assert index.max() < len(position)
            assert np.abs(np.linalg.norm(normal, axis=1) - 1).max() < 1e-3
            a, b, c = (position[index[:, i]] for i in range(3))
            cross = np.cross(b - a, c - a)
            against = np.einsum("ij,ij->i", cross, normal[index].mean(axis=1)) < 0
            area = np.linalg.norm(cross, axis=1)
            assert area[against].sum() < 1e-3 * area.sum(), "triangles face where their normals point"

    def test_stands_on_the_floor_in_the_middle(self, product: str) -> None:
        glb = built(product)
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        roots = set(glb.json["scenes"][0]["nodes"])
        for node, primitive in glb.primitives():
            if glb.json["nodes"].index(node) not in roots:
                continue  # the watch's hands, inside its case
            position = glb.accessor(primitive["attributes"]["POSITION"])
            position = position * node.get("scale", [1, 1, 1]) + node.get("translation", [0, 0, 0])
            low, high = np.minimum(low, position.min(axis=0)), np.maximum(high, position.max(axis=0))
        assert low[1] == pytest.approx(0, abs=2e-4)
        assert (low + high)[[0, 2]] == pytest.approx([0, 0], abs=2e-3)
        assert 0.04 < high[1] < 1.0, "life size, in metres"

    def test_pictures_decode_and_are_of_bounded_size(self, product: str) -> None:
        glb = built(product)
        for image in glb.json["images"]:
            view = glb.json["bufferViews"][image["bufferView"]]
            data = glb.blob[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
            with Image.open(io.BytesIO(data)) as picture:
                picture.load()
                assert max(picture.size) <= 2048
                assert image["mimeType"] == f"image/{str(picture.format).lower()}"


def test_the_watch_runs_clockwise_and_closes_its_hour() -> None:
    glb = built("watch")
    (animation,) = glb.json["animations"]
    names = [glb.json["nodes"][channel["target"]["node"]]["name"] for channel in animation["channels"]]
    second = animation["samplers"][names.index("Second hand")]
    seconds, turns = glb.accessor(second["input"]).ravel(), glb.accessor(second["output"])
    angle = np.degrees(2 * np.unwrap(np.arctan2(turns[:, 2], turns[:, 3]), period=np.pi))
    assert seconds[[0, -1]].tolist() == [0, 3600]
    assert (angle[-1] - angle[0]) / 360 == pytest.approx(-60, abs=1e-3)
    assert np.abs(np.diff(angle)).max() < 180, "linear interpolation must take the near way round"


def test_the_grille_is_cut_and_the_display_blends() -> None:
    modes = {material.get("alphaMode", "OPAQUE") for material in built("speaker").json["materials"]}
    assert modes == {"OPAQUE", "MASK", "BLEND"}


def test_official_validator_finds_nothing(tmp_path: Path) -> None:
    node = shutil.which("node")
    script = "require('gltf-validator')"
    if node is None or subprocess.run([node, "-e", script], capture_output=True, check=False).returncode:
        pytest.skip("needs node and npm's gltf-validator on NODE_PATH")
    check = (
        "const v=require('gltf-validator'),fs=require('fs');"
        "v.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])),"
        "{ignoredIssues:['MESH_PRIMITIVE_GENERATED_TANGENT_SPACE']})"
        ".then(r=>console.log(JSON.stringify(r.issues)))"
    )
    for product in demo.products():
        path = tmp_path / f"{product}.glb"
        path.write_bytes(built(product).data)
        answer = subprocess.run([node, "-e", check, str(path)], capture_output=True, text=True, check=True)
        issues = json.loads(answer.stdout)
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


# ---- building ----
def test_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1]); from demo import catalogue;"
        "print(hashlib.sha256(catalogue.build('lamp')).hexdigest())"
    )
    command = [sys.executable, "-c", code, str(REPOSITORY)]
    other = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert hashlib.sha256(catalogue.build("lamp")).hexdigest() == other


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """`catalogue.build` replaced by one that is quick; the list names what was built."""
    calls: list[str] = []

    def build(product: str) -> bytes:
        calls.append(product)
        return product.encode()

    monkeypatch.setattr(catalogue, "build", build)
    return calls


def test_ensure_builds_once_and_what_is_missing(stubbed: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "shop"
    assert demo.ensure(folder) == folder
    assert stubbed == list(demo.products())
    demo.ensure(folder)
    assert len(stubbed) == len(demo.products()), "nothing is built twice"
    (folder / "lamp.glb").unlink()
    demo.ensure(folder)
    assert stubbed[len(demo.products()) :] == ["lamp"]
    assert {path.name for path in folder.iterdir()} == {*(f"{name}.glb" for name in demo.products()), "catalogue.json"}


@pytest.mark.parametrize("stamp", ['{"version": "of yesterday"}', "not json", "[]"])
def test_ensure_rebuilds_what_other_source_made(stubbed: list[str], tmp_path: Path, stamp: str) -> None:
    demo.ensure(tmp_path)
    (tmp_path / "catalogue.json").write_text(stamp)
    stubbed.clear()
    demo.ensure(tmp_path)
    assert stubbed == list(demo.products())


def test_ensure_reports_progress(stubbed: list[str], tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    demo.ensure(tmp_path, lambda done, total, title: seen.append((done, total, title)))
    count = len(demo.products())
    assert [done for done, _, _ in seen] == list(range(count + 1))
    assert {total for _, total, _ in seen} == {count}
    assert seen[0][2] == demo.titles()[demo.products()[0]]


def test_a_build_that_fails_leaves_no_half_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def replace(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(catalogue, "build", lambda product: b"whole")
    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OSError, match="disk full"):
        demo.ensure(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_may_build_into_one_folder(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from demo import catalogue;"
        "catalogue.PRODUCTS = tuple(p for p in catalogue.PRODUCTS if p.id == 'lamp');"
        "catalogue.ensure(Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(REPOSITORY), str(tmp_path)]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=100) for process in both] == [0, 0]
    assert {path.name for path in tmp_path.iterdir()} == {"lamp.glb", "catalogue.json"}
    Glb((tmp_path / "lamp.glb").read_bytes())

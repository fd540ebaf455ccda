"""Models of other formats on screen: pictures are upright, colours are the file's, the right side is up."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.load import load_scene
from renderer.view import Orbit, View
from tests.gl.test_engine import shown
from tests.unit.test_foreign_build import SPACES
from tests.unit.test_foreign_looks import picture, stl

pytestmark = pytest.mark.gl

#: Red, green over blue, white: which corner is which can be seen.
CORNERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
FRONT = View(Orbit(0.0, 90.0), width=64, height=64, channel="baseColor", background="transparent")

OBJ = "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl a\nf 1/1 2/2 3/3 4/4\n"
PLY = "ply\nformat ascii 1.0\ncomment TextureFile skin.png\nelement vertex 4\nproperty float x\nproperty float y\n"
PLY += "property float z\nproperty float u\nproperty float v\nelement face 1\nproperty list uchar int vertex_indices\n"
PLY += "end_header\n0 0 0 0 0\n1 0 0 1 0\n1 1 0 1 1\n0 1 0 0 1\n4 0 1 2 3\n"
TEXTURED = (
    f'<model unit="meter" {SPACES}><resources><m:texture2d id="8" path="/skin.png"/><m:texture2dgroup id="9" texid="8">'
    + "".join(f'<m:tex2coord u="{u}" v="{v}"/>' for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)))
    + '</m:texture2dgroup><object id="1"><mesh><vertices>'
    + "".join(f'<vertex x="{x}" y="0" z="{z}"/>' for x, z in ((0, 0), (1, 0), (1, 1), (0, 1)))
    + '</vertices><triangles><triangle v1="0" v2="1" v3="2" pid="9" p1="0" p2="1" p3="2"/>'
    + '<triangle v1="0" v2="2" v3="3" pid="9" p1="0" p2="2" p3="3"/></triangles></mesh></object></resources>'
    + '<build><item objectid="1"/></build></model>'
)


def write(folder: Path, suffix: str) -> Path:
    """A square that stands upright and shows CORNERS."""
    path = folder / f"m{suffix}"
    (folder / "skin.png").write_bytes(picture(CORNERS))
    if suffix == ".obj":
        (folder / "m.mtl").write_text("newmtl a\nmap_Kd -clamp on skin.png\n")
        path.write_text(OBJ)
    elif suffix == ".ply":
        path.write_text(PLY)
    else:
        with zipfile.ZipFile(path, "w") as stream:
            stream.writestr("3D/3dmodel.model", TEXTURED)
            stream.writestr("skin.png", picture(CORNERS))
    return path


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".3mf"])
def test_pictures_are_upright(engine: Engine, tmp_path: Path, suffix: str) -> None:
    pixels = shown(engine, load_scene(write(tmp_path, suffix)), FRONT).astype(int)
    rows, columns = np.nonzero(pixels[..., 3])
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    high, low = top + (bottom - top) // 4, bottom - (bottom - top) // 4
    near, far = left + (right - left) // 4, right - (right - left) // 4
    corners = [[pixels[y, x, :3] for x in (near, far)] for y in (high, low)]
    assert corners[0][0].argmax() == 0
    assert corners[0][1].argmax() == 1
    assert corners[1][0].argmax() == 2
    assert corners[1][1].min() > 150


def test_facets_have_their_colours(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "m.stl").write_bytes(stl([0x8000 | 31 << 10, 0x8000 | 31]))
    above = View(Orbit(0.0, 0.0), width=64, height=64, channel="baseColor", background="transparent")
    pixels = shown(engine, load_scene(tmp_path / "m.stl"), above)
    seen = {tuple(color) for color in pixels[pixels[..., 3] == 255][:, :3].tolist()}
    assert seen == {(255, 0, 0), (0, 0, 255)}

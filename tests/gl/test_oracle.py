"""The silhouette of real geometry against pyrender, a renderer that no one here wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.glb import Glb

pytestmark = pytest.mark.gl


def product(path: Path) -> Path:
    """Two overlapping parts under a turned, scaled, mirrored parent."""
    import trimesh

    glb = Glb()
    for shape in (trimesh.creation.torus(0.5, 0.2), trimesh.creation.cone(0.3, 1.0)):
        positions = np.asarray(shape.vertices, np.float32)
        glb.mesh({"POSITION": positions}, np.asarray(shape.faces, np.uint32).ravel())
    children = list(range(len(glb.json["nodes"])))
    glb.json["scenes"][0]["nodes"] = [len(children)]
    glb.add("nodes", {"children": children, "rotation": [0.3, 0.2, 0.1, 0.927], "scale": [1.0, 0.7, -1.2]})
    path.write_bytes(glb.data())
    return path


def render(model: Path, output: Path, backend: str) -> np.ndarray:
    """Alpha of the model seen through a backend, in a process of its own: both load OpenGL their own way."""
    options = ["--orbit", "35deg 60deg 4m", "--size", "320x240", "--background", "transparent", "--samples", "1"]
    command = [sys.executable, "vitrine.py", "render", str(model), "-o", str(output), "--backend", backend, *options]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    return np.asarray(Image.open(output).convert("RGBA"))[..., 3] > 127


def test_silhouette_agrees_with_pyrender(tmp_path: Path) -> None:
    pytest.importorskip("pyrender", reason="pyrender is an optional extra: pip install 'vitrine[bench]'")
    model = product(tmp_path / "product.glb")
    ours, theirs = (render(model, tmp_path / f"{b}.png", b) for b in ("native", "pyrender"))
    assert ours.sum() > 2000
    overlap = (ours & theirs).sum() / (ours | theirs).sum()
    assert overlap > 0.985  # what differs is the edge: pyrender takes four samples a pixel

"""The silhouette of real geometry against pyrender, a renderer that no one here wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
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


def bent(path: Path) -> Path:
    """A rod on two joints, of which the upper one is turned, and a morph target that swells its middle."""
    import trimesh

    rod = trimesh.creation.cylinder(0.2, 2.0, sections=24).subdivide().subdivide()
    positions, glb = np.asarray(rod.vertices, np.float32), Glb()
    glb.add("nodes", {"children": [1]})
    glb.add("nodes", {"rotation": [0.5, 0, 0, 0.866]})
    glb.json["scenes"] = [{"nodes": [0]}]
    upper = np.clip(positions[:, 2] * 2 + 0.5, 0, 1)
    weights, none = np.column_stack([1 - upper, upper]), np.zeros((len(positions), 2))
    attributes = {
        "POSITION": positions,
        "JOINTS_0": np.tile(np.array([0, 1, 0, 0], np.uint8), (len(positions), 1)),
        "WEIGHTS_0": np.column_stack([weights, none]).astype(np.float32),
    }
    glb.mesh(attributes, np.asarray(rod.faces, np.uint32).ravel())
    swell = positions * np.array([1, 1, 0]) * np.exp(-8 * positions[:, 2:] ** 2)
    glb.primitive()["targets"] = [{"POSITION": glb.accessor(swell.astype(np.float32))}]
    glb.add("skins", {"joints": [0, 1]})
    glb.json["nodes"][2] |= {"skin": 0, "weights": [0.8]}
    path.write_bytes(glb.data())
    return path


def render(model: Path, output: Path, backend: str) -> np.ndarray:
    """Alpha of the model seen through a backend, in a process of its own: both load OpenGL their own way."""
    options = ["--orbit", "35deg 60deg 4m", "--size", "320x240", "--background", "transparent", "--samples", "1"]
    command = [sys.executable, "vitrine.py", "render", str(model), "-o", str(output), "--backend", backend, *options]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    return np.asarray(Image.open(output).convert("RGBA"))[..., 3] > 127


@pytest.mark.parametrize("make", [product, bent])
def test_silhouette_agrees_with_pyrender(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    pytest.importorskip("pyrender", reason="pyrender is an optional extra: pip install 'vitrine[bench]'")
    model = make(tmp_path / "product.glb")
    ours, theirs = (render(model, tmp_path / f"{b}.png", b) for b in ("native", "pyrender"))
    assert ours.sum() > 2000
    overlap = (ours & theirs).sum() / (ours | theirs).sum()
    assert overlap > 0.985  # what differs is the edge: pyrender takes four samples a pixel

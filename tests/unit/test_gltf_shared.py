"""The reader on real files, and against trimesh's independent one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from renderer.bounds import bounds
from renderer.gltf import tangents
from renderer.gltf.container import open_container
from renderer.limits import DEFAULT_LIMITS
from renderer.load import load_scene
from renderer.pick import pick
from renderer.pose import pose_at
from renderer.scene import Floats, Mode, Scene

MODELS = Path(__file__).resolve().parents[3] / "shared" / "testdata" / "fidelity" / "models"
NAMES = sorted(path.name for path in MODELS.glob("*.glb"))

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("name", NAMES)
def test_every_model_loads_whole(name: str) -> None:
    scene = load_scene(MODELS / name)
    root = open_container((MODELS / name).read_bytes(), DEFAULT_LIMITS).root
    assert len(scene.materials) >= root.count("materials")
    low, high = bounds(scene, pose_at(scene, None))
    assert (high > low).any()
    for primitive in (p for mesh in scene.meshes for p in mesh.primitives):
        assert primitive.mode in (Mode.POINTS, Mode.LINES, Mode.TRIANGLES)
        if primitive.normals is not None:
            np.testing.assert_allclose(np.linalg.norm(primitive.normals.astype(float), axis=1), 1.0, atol=1e-5)
        if primitive.tangents is not None:
            np.testing.assert_allclose(np.linalg.norm(primitive.tangents[:, :3].astype(float), axis=1), 1.0, atol=1e-5)
            assert set(np.unique(primitive.tangents[:, 3])) <= {-1.0, 1.0}


def corners(scene: Scene) -> Floats:
    """Every triangle's corners in the world, [T, 3, 3]."""
    world = pose_at(scene, None).world
    placed = [
        (p.positions[p.indices] @ world[i][:3, :3].T + world[i][:3, 3]).reshape(-1, 3, 3)
        for i, node in enumerate(scene.nodes)
        if node.mesh is not None
        for p in scene.meshes[node.mesh].primitives
    ]
    return np.concatenate(placed).astype(np.float32)


@pytest.mark.parametrize(
    "name", ["BoomBoxWithAxes", "OrientationTest", "Suzanne-mirrored", "ToyCar", "WaterBottle", "SheenChair"]
)
def test_triangles_in_the_world_equal_trimeshs(name: str) -> None:
    ours = corners(load_scene(MODELS / f"{name}.glb"))
    with np.errstate(all="ignore"):
        theirs = trimesh.load_scene(MODELS / f"{name}.glb", process=False).to_mesh().triangles
    assert len(ours) == len(theirs)
    # The order of instances differs and mirrored ones start elsewhere: compare the sorted centres and areas.
    scale = np.abs(theirs).max()
    for measure in (lambda t: t.mean(axis=1) / scale, lambda t: np.ptp(t, axis=1) / scale):
        a, b = (np.sort(measure(np.asarray(t, np.float64)), axis=0) for t in (ours, theirs))
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_derived_tangents_agree_with_the_files_own() -> None:
    """WaterBottle's come from MikkTSpace; its texture is mirrored in places."""
    (mesh,) = load_scene(MODELS / "WaterBottle.glb").meshes
    (primitive,) = mesh.primitives
    assert primitive.normals is not None
    assert primitive.tangents is not None
    faces = primitive.indices.reshape(-1, 3)
    source, _, derived = tangents.derive(primitive.positions, primitive.normals, primitive.texcoords[0], faces)
    given = primitive.tangents[source]
    cosine = np.sum(given[:, :3] * derived[:, :3], axis=1)
    np.testing.assert_array_equal(given[:, 3], derived[:, 3])
    assert np.median(cosine) > 0.9999
    assert np.mean(cosine > 0.98) > 0.97


def test_rays_hit_what_trimesh_says_they_hit() -> None:
    scene = load_scene(MODELS / "WaterBottle.glb")
    pose = pose_at(scene, None)
    low, high = bounds(scene, pose)
    middle, size = (low + high) / 2, np.linalg.norm(high - low)
    triangles = corners(scene).astype(np.float64)
    rng = np.random.default_rng(1)
    for _ in range(10):
        outwards = rng.normal(size=3)
        origin = middle + outwards / np.linalg.norm(outwards) * size
        hit = pick(scene, pose, origin, middle - origin)
        assert hit is not None
        nearest = trimesh.triangles.closest_point(triangles, np.repeat(hit.position[None], len(triangles), axis=0))
        assert np.linalg.norm(nearest - hit.position, axis=1).min() < 1e-6 * size
        assert hit.normal @ (middle - origin) <= 0

"""What the device makes of skins, morph targets, instances and animated materials, against numpy's answer."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from renderer.deform import placed
from renderer.engine import Engine
from renderer.gl.binding import GL
from renderer.load import load_scene
from renderer.model import Model
from renderer.scene import Animation, Channel, Material, Mesh, MorphTarget, Node, Primitive, Scene, TextureInfo
from renderer.shapes import shape_at
from renderer.view import AnimationState, Orbit, View
from tests.gl.scenes import quad, scene, textured, unlit
from tests.unit.glb import read
from tests.unit.rigs import Rig

pytestmark = pytest.mark.gl

FRONT = View(
    Orbit(0, 90, 10.0),
    (0, 0, 0),
    fov=float(np.degrees(2 * np.arctan(0.2))),  # 4 m high at the target
    width=64,
    height=64,
    background="transparent",
    tone_mapping="none",
)
RIGS = {
    "eight influences and two targets": Rig(),
    "a skin alone": Rig(targets=0),
    "targets alone": Rig(influences=0, targets=3, seed=3),
    "a mirrored skeleton": Rig(scale=(-1.0, 1.0, 1.0), seed=4),
}


def vertices(model: Model, node: int, primitive: Primitive) -> dict[str, np.ndarray]:
    """What lies in the vertex buffers for a primitive at a node: its positions as they are drawn, and the record."""
    part = model.gpu.slices[id(primitive), shape_at(model.scene, node, primitive)]
    assert model.gpu.deforming is not None
    (forming,) = (f for f in model.gpu.deforming.formed if f.layout == part.layout)
    positions = np.empty((len(primitive.positions), 3), np.float32)
    _fetch(forming.positions.name, 12 * part.base_vertex, positions)
    names = {"normal": part.layout.normal, "tangent": part.layout.tangent, "color": part.layout.color}
    kinds = {"normal": (np.int16, 4), "tangent": (np.int16, 4), "color": (np.float16, 4)}
    sets = [(f"texcoord{i}", np.float32, (2,)) for i in range(part.layout.texcoords)]
    fields = [(name, *kinds[name]) for name, there in names.items() if there]
    record = np.empty(len(positions), np.dtype([*fields[:2], *sets, *fields[2:]]))
    _fetch(forming.records.name, record.itemsize * part.base_vertex, record)
    found: dict[str, np.ndarray] = {"positions": positions.astype(float)}
    for name in record.dtype.names or ():
        values = record[name].astype(float)
        found[name] = values / 32767 if record[name].dtype == np.int16 else values
    return found


def _fetch(name: int, offset: int, into: np.ndarray) -> None:
    GL.glGetNamedBufferSubData(name, offset, into.nbytes, into.ctypes.data_as(ctypes.c_void_p))


@pytest.mark.parametrize("name", RIGS)
def test_vertices_on_the_device_equal_numpys(engine: Engine, name: str) -> None:
    made = read(RIGS[name].glb().data())
    (node,) = (i for i, n in enumerate(made.nodes) if n.mesh is not None)
    (primitive,) = made.meshes[0].primitives
    model = engine.load(made)
    for time in (0.0, 1.3, 0.2):
        pose = model.pose(AnimationState(0, time))
        expected = placed(made, pose, node, primitive)
        found = vertices(model, node, primitive)
        np.testing.assert_allclose(found["positions"], expected.positions, atol=2e-5)
        # What lies there at rest is rounded to 16 bits, which uneven scales may magnify.
        np.testing.assert_allclose(found["normal"][:, :3], expected.normals, atol=1e-3)
        np.testing.assert_allclose(found["tangent"], expected.tangents, atol=1e-3)
        np.testing.assert_allclose(found["texcoord0"], expected.texcoords[0], atol=1e-5)
        np.testing.assert_allclose(found["color"], expected.colors, atol=1e-3)
    engine.release(model)


def test_flat_normals_on_the_device_equal_numpys(engine: Engine) -> None:
    made = read(Rig().flat().data())
    (node,) = (i for i, n in enumerate(made.nodes) if n.mesh is not None)
    (primitive,) = made.meshes[0].primitives
    model = engine.load(made)
    expected = placed(made, model.pose(AnimationState(0, 0.2)), node, primitive).normals
    np.testing.assert_allclose(vertices(model, node, primitive)["normal"][:, :3], expected, atol=1e-3)
    engine.release(model)


def test_one_mesh_under_two_skins_and_two_weights_has_four_shapes(engine: Engine) -> None:
    glb = Rig(influences=4).glb()
    glb.add("skins", {"joints": [3, 2, 1, 0]})
    glb.node(mesh=0, skin=1, weights=[0.5, -1.0])
    glb.node(mesh=0, skin=0, weights=[1.0, 1.0])
    glb.node(mesh=0, skin=1)
    made = read(glb.data())
    (primitive,) = made.meshes[0].primitives
    model = engine.load(made)
    pose = model.pose(None)
    nodes = [i for i, n in enumerate(made.nodes) if n.mesh is not None]
    seen = []
    for node in nodes:
        found = vertices(model, node, primitive)["positions"]
        np.testing.assert_allclose(found, placed(made, pose, node, primitive).positions, atol=2e-5)
        seen.append(found)
    assert all(np.abs(a - b).max() > 0.01 for i, a in enumerate(seen) for b in seen[:i])
    engine.release(model)


def test_what_deforms_is_freed_like_everything_else(engine: Engine) -> None:
    before = engine.ledger.entries()
    engine.release(engine.load(read(Rig().glb().data())))
    assert engine.ledger.entries() == before


def test_a_model_that_does_not_deform_pays_for_nothing(engine: Engine) -> None:
    model = engine.load(scene(quad()))
    assert model.gpu.deforming is None
    engine.release(model)


def sliding() -> Scene:
    """A white square of 1 m that a morph target moves 1.5 m along +X, and an animation of one second that does so."""
    flat = quad(half=0.5)
    moved = np.zeros_like(flat.positions)
    moved[:, 0] = 1.5
    mesh = Mesh("square", (replace(flat, targets=(MorphTarget(positions=moved),)),))
    slide = Channel(0, "weights", "LINEAR", np.array([0, 1], np.float32), np.array([[0], [1]], np.float32))
    return Scene(
        "slide", (Node("square", -1, mesh=0),), (mesh,), (unlit(1, 1, 1),), animations=(Animation("a", (slide,), 1.0),)
    )


def centre(picture: np.ndarray) -> float:
    """Mean column of what is drawn, in metres at the target."""
    return float((np.nonzero(picture[..., 3])[1].mean() + 0.5) / 16 - 2)


def test_sessions_that_look_at_different_times_see_different_poses(engine: Engine) -> None:
    model = engine.load(sliding())
    for time, x in ((0.0, 0.0), (0.5, 0.75), (0.0, 0.0), (0.9, 1.35)):
        picture = engine.render(model, replace(FRONT, animation=AnimationState(0, time))).pixels
        assert centre(picture) == pytest.approx(x, abs=0.05)
    assert centre(engine.render(model, FRONT).pixels) == pytest.approx(0.0, abs=0.05)
    engine.release(model)


def test_instances_are_drawn_at_their_places_with_one_command(engine: Engine) -> None:
    copies = tuple(
        Node("", 0, translation=(x, 0, 0), scale=(0.5, 0.5, 0.5), mesh=0, instance_of=0) for x in (-1.5, 1.5)
    )
    made = replace(scene(quad(), materials=(unlit(1, 1, 1),)), nodes=(Node("root", -1), *copies))
    model = engine.load(made)
    picture = engine.render(model, FRONT).pixels[..., 3] > 0
    assert picture[32, [8, 56]].all()
    assert not picture[32, [2, 16, 32, 48, 62]].any()
    drawing, _ = model.draw_list(None, model.pose(None))
    assert drawing.commands[:, 1].tolist() == [2]
    engine.release(model)


def test_instances_of_a_morphing_mesh_share_its_shape(engine: Engine) -> None:
    made = sliding()
    copies = tuple(Node("", 0, translation=(0, y, 0), scale=(0.5, 0.5, 0.5), mesh=0, instance_of=0) for y in (-1, 1))
    model = engine.load(replace(made, nodes=(Node("square", -1), *copies)))
    picture = engine.render(model, replace(FRONT, animation=AnimationState(0, 0.5))).pixels[..., 3] > 0
    for row in (16, 48):
        assert picture[row, 38]  # 0.375 m to the right
        assert not picture[row, 26]
    drawing, _ = model.draw_list(None, model.pose(None))
    assert drawing.commands[:, 1].tolist() == [2]
    engine.release(model)


def animated_material(path: str, first: list[float], last: list[float], **material: object) -> Scene:
    """A square whose material changes from the first value to the last in one second."""
    channel = Channel(
        0, path, "LINEAR", np.array([0, 1], np.float32), np.array([first, last], np.float32), of="material"
    )
    changed = frozenset({path.partition(".")[0]})
    made = scene(quad(half=3.0), materials=(unlit(1, 1, 1, animated=changed, **material),))
    return replace(made, animations=(Animation("a", (channel,), 1.0),))


def colour(engine: Engine, model: Model, time: float | None) -> list[int]:
    state = None if time is None else AnimationState(0, time)
    pixel: list[int] = engine.render(model, replace(FRONT, animation=state)).pixels[32, 32, :3].tolist()
    return pixel


def test_animated_factors_change_the_picture_and_change_back(engine: Engine) -> None:
    model = engine.load(animated_material("baseColorFactor", [1, 0, 0, 1], [0, 0, 1, 1]))
    assert colour(engine, model, 0.0) == [255, 0, 0]
    red, _, blue = colour(engine, model, 0.5)
    assert red == blue == pytest.approx(188, abs=1)  # sRGB of 0.5
    assert colour(engine, model, None) == [255, 255, 255]
    engine.release(model)


def test_animated_texture_transforms_move_the_texture(engine: Engine) -> None:
    halves = np.zeros((2, 2, 4), np.uint8)
    halves[..., 3] = 255
    halves[:, 0, 0] = halves[:, 1, 2] = 255  # red on the left, blue on the right
    made = animated_material(
        "baseColorTexture.offset", [-0.2, 0], [0.2, 0], textures={"baseColorTexture": TextureInfo(0)}
    )
    model = engine.load(replace(made, **textured(halves)))  # type: ignore[arg-type]
    assert colour(engine, model, 0.0)[0] > 200 > colour(engine, model, 0.0)[2]
    assert colour(engine, model, 0.99)[2] > 200 > colour(engine, model, 0.99)[0]
    engine.release(model)


def test_glass_that_becomes_glass_keeps_its_shader(engine: Engine) -> None:
    """What an animation makes transmissive is drawn as such from the beginning."""
    steps = {"factors": {"transmissionFactor": (0.0,)}, "features": frozenset({"TRANSMISSION"})}
    made = animated_material("transmissionFactor", [0], [1])
    glass = replace(Material(animated=frozenset({"transmissionFactor"})), **steps)  # type: ignore[arg-type]
    model = engine.load(replace(made, materials=(glass,)))
    lists = [model.draw_list(None, model.pose(AnimationState(0, t)))[0] for t in (0.0, 0.5)]
    assert lists[0] is lists[1]
    assert lists[0].see_through
    engine.release(model)


def test_hidden_nodes_vanish_with_all_below_them(engine: Engine) -> None:
    keys, values = np.array([0, 1, 2], np.float32), np.array([[1], [0], [0]], np.float32)
    switch = Channel(0, "visible", "STEP", keys, values)
    nodes = (Node("switch", -1), Node("square", 0, mesh=0))
    blink = (Animation("blink", (switch,), 2.0),)
    made = replace(scene(quad(), materials=(unlit(1, 1, 1),)), nodes=nodes, animations=blink)
    model = engine.load(made)
    for time, there in ((0.5, True), (1.5, False), (0.0, True)):
        picture = engine.render(model, replace(FRONT, animation=AnimationState(0, time))).pixels
        assert bool(picture[..., 3].any()) == there
    engine.release(model)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "state"), [("Fox", AnimationState(1, 0.5)), ("MorphStressTest", AnimationState(1, 0.7))]
)
def test_shared_models_are_deformed_alike_by_device_and_numpy(
    engine: Engine, shared_testdata: Path, name: str, state: AnimationState
) -> None:
    made = load_scene(shared_testdata / "fidelity" / "models" / f"{name}.glb")
    model = engine.load(made)
    pose = model.pose(state)
    size = np.ptp(model.bounds, axis=0).max()
    for node, mesh in ((i, n.mesh) for i, n in enumerate(made.nodes) if n.mesh is not None):
        for primitive in made.meshes[mesh].primitives:
            if shape_at(made, node, primitive) is not None:
                found = vertices(model, node, primitive)["positions"]
                world = np.eye(4) if made.nodes[node].skin is not None else pose.world[node]
                expected = placed(made, pose, node, primitive).positions
                np.testing.assert_allclose(found @ world[:3, :3].T + world[:3, 3], expected, atol=1e-5 * size)
    engine.release(model)

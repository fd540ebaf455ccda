"""The way of a scene between processes: nothing is lost of an honest one, and noise never becomes one."""

from __future__ import annotations

import dataclasses
import json
import random
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.decoding import codec, promises
from renderer.limits import DEFAULT_LIMITS
from renderer.scene import Material, Node, Scene, TextureInfo
from tests.fuzz.seeds import seeds
from tests.unit.glb import read

_MOST_TREE = 1 << 20


def sent(scene: Scene) -> NDArray[np.uint8]:
    pieces = list(codec.encode(scene))
    data = np.zeros(max(offset + len(piece) for offset, piece in pieces), np.uint8)
    for offset, piece in pieces:
        data[offset : offset + len(piece)] = np.frombuffer(piece, np.uint8)
    return data


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in every field and element."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one)
        )
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def parts(data: NDArray[np.uint8]) -> tuple[int, dict[str, Any]]:
    """Where the tree begins, and the tree."""
    _, offset, length = struct.unpack("<8sQQ", data[:24].tobytes())
    return offset, json.loads(data[offset : offset + length].tobytes())


def with_tree(data: NDArray[np.uint8], tree: object) -> NDArray[np.uint8]:
    offset, _ = parts(data)
    text = json.dumps(tree).encode()
    head = struct.pack("<8sQQ", b"vitrine1", offset, len(text))
    return np.frombuffer(head + data[24:offset].tobytes() + text, np.uint8)


@pytest.mark.parametrize("name", sorted(seeds()))
def test_a_scene_comes_as_it_went(name: str) -> None:
    scene = read(seeds()[name].data())
    received = codec.decode(sent(scene), _MOST_TREE)
    assert same(scene, received)
    promises.check(received, DEFAULT_LIMITS)


@pytest.mark.shared
def test_real_models_come_as_they_went(shared_testdata: Path) -> None:
    from renderer.load import load_scene

    for path in sorted(shared_testdata.rglob("*.glb")):
        scene = load_scene(path)
        received = codec.decode(sent(scene), _MOST_TREE)
        assert same(scene, received), path.name
        promises.check(received, DEFAULT_LIMITS)


def test_an_array_used_twice_is_sent_once_and_stays_one() -> None:
    scene = read(seeds()["rich"].data())
    primitive = scene.meshes[0].primitives[0]
    doubled = replace(scene, meshes=(replace(scene.meshes[0], primitives=(primitive, primitive)),))
    one, other = codec.decode(sent(doubled), _MOST_TREE).meshes[0].primitives
    assert one.positions is other.positions


def test_noise_is_no_scene() -> None:
    rng = random.Random(3)
    for length in (0, 1, 23, 24, 25, 100, 5000):
        with pytest.raises(ValueError, match=r"."):
            codec.decode(np.frombuffer(rng.randbytes(length), np.uint8), _MOST_TREE)


def test_changed_bytes_are_a_scene_that_keeps_its_promises_or_an_error() -> None:
    """Among them are such that still are honest: a changed position, say."""
    outcomes = set()
    for name in ("rich", "moving"):
        data = sent(read(seeds()[name].data()))
        offset, _ = parts(data)
        for number in range(1500):
            rng = random.Random(number)
            changed = data.copy()
            for _ in range(rng.choice((1, 2, 4))):
                at = rng.randrange(24) if number % 3 == 0 else rng.randrange(offset, len(data))
                changed[at if number % 5 else rng.randrange(len(data))] = rng.randrange(256)
            try:
                promises.check(codec.decode(changed, _MOST_TREE), DEFAULT_LIMITS)
                outcomes.add("scene")
            except ValueError:
                outcomes.add("error")
    assert outcomes == {"scene", "error"}


def _set(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(tree: dict[str, Any]) -> None:
        value: Any = tree
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = to

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("arrays", 0, 1, to=-64),
        _set("arrays", 0, 1, to=1),
        _set("arrays", 0, 1, to=1 << 40),
        _set("arrays", 0, 0, to=[1 << 50, 1 << 50]),
        _set("arrays", 0, 0, to=[-1, 3]),
        _set("arrays", 0, 0, to=[1.0, 3]),
        _set("arrays", 0, 0, to=[1] * 9),
        _set("arrays", to={}),
        _set("scene", "name", to=3),
        _set("scene", "name", to="two\nlines"),
        _set("scene", "nodes", 0, "parent", to=0),
        _set("scene", "nodes", 0, "parent", to=True),
        _set("scene", "nodes", 0, "mesh", to=9),
        _set("scene", "nodes", 0, "scale", to=[1.0, 1.0]),
        _set("scene", "nodes", 0, "scale", to=[1.0, 1.0, 1e999]),
        _set("scene", "nodes", 0, "__class__", to="os.system"),
        _set("scene", "meshes", 0, "primitives", 0, "material", to=77),
        _set("scene", "meshes", 0, "primitives", 0, "positions", to=10**6),
        _set("scene", "meshes", 0, "primitives", 0, "positions", to=None),
        _set("scene", "meshes", 0, "primitives", 0, "mode", to=99),
        _set("scene", "materials", 0, "alphaMode", to="WHAT"),
        _set("scene", "materials", 0, "features", to=["CLEARCOAT\n#error"]),
        _set("scene", "materials", 0, "features", to=["EVIL"]),
        _set("scene", "materials", 0, "factors", to=[["nobodyFactor", [1.0]]]),
        _set("scene", to=[]),
    ],
)
def test_a_tree_that_lies_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    data = sent(read(seeds()["rich"].data()))
    _, tree = parts(data)
    assert codec.decode(with_tree(data, tree), _MOST_TREE).nodes  # untouched, it is taken
    change(tree)
    with pytest.raises(ValueError, match=r"."):
        promises.check(codec.decode(with_tree(data, tree), _MOST_TREE), DEFAULT_LIMITS)


def test_a_tree_over_its_bound_is_not_parsed() -> None:
    with pytest.raises(ValueError, match="a wrong header"):
        codec.decode(sent(read(seeds()["rich"].data())), 100)


@pytest.mark.parametrize(
    "scene",
    [
        Scene("x", (Node("n", -1, skin=0),), (), ()),
        Scene("x", (), (), (Material(textures={"baseColorTexture": TextureInfo(0)}),)),
        Scene("x", (Node("n", -1, matrix=np.full((4, 4), np.nan)),), (), ()),
        Scene("x", (Node("n", 3),), (), ()),
    ],
)
def test_promises(scene: Scene) -> None:
    with pytest.raises(ValueError, match=r"."):
        promises.check(scene, DEFAULT_LIMITS)


def test_the_encoder_refuses_what_is_not_as_declared() -> None:
    with pytest.raises(TypeError, match="an array of float32 where float64 is declared"):
        list(codec.encode(Scene("x", (Node("n", -1, matrix=np.eye(4, dtype=np.float32)),), (), ())))  # type: ignore[arg-type]

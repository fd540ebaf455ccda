"""The flat scene: an absolute encoder whose every degree decodes, from geometry and from our own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import flat
from renderer.linalg import look_at, orbit_position, perspective

WHITE, BLACK = 230.0, 12.0  # what a tone mapper and limited range leave of 255 and 0


def projected_column(degree: float, height: int = 720) -> NDArray[np.uint8]:
    """The centre column as geometry says: the surface that faces the camera, projected ring by ring."""
    view = look_at(orbit_position(degree, flat.PHI, flat.CAMERA_RADIUS), (0, 0, 0), degree)
    projection = perspective(flat.FOV, 16 / 9, 0.01, 10)
    surface = np.linspace(-flat.HEIGHT / 2, flat.HEIGHT / 2, 20_001)
    angle = np.radians(degree)
    points = np.stack(
        [
            np.full_like(surface, flat.RADIUS * np.sin(angle)),
            surface,
            np.full_like(surface, flat.RADIUS * np.cos(angle)),
            np.ones_like(surface),
        ]
    )
    clip = projection @ view @ points
    assert np.abs(clip[0] / clip[3]).max() < 1e-9  # the sector faces the centre column
    rows = ((1 - clip[1] / clip[3]) / 2 * height).astype(int)
    ring = np.minimum(((flat.HEIGHT / 2 - surface) / flat.HEIGHT * flat.RINGS).astype(int), flat.RINGS - 1)
    column = np.full(height, 255.0)
    column[rows] = np.where(flat.ring_colours()[ring, round(degree) % flat.SECTORS], WHITE, BLACK)
    return column.astype(np.uint8)


@pytest.mark.parametrize("height", [180, 720])
def test_every_whole_degree_decodes_from_its_projection(height: int) -> None:
    assert [flat.decode(projected_column(float(d), height)) for d in range(flat.SECTORS)] == list(range(flat.SECTORS))


def test_neighbours_differ_in_one_bit_all_the_way_round() -> None:
    bits = flat.ring_colours()[2:-1]
    assert (np.roll(bits, -1, axis=1) != bits).sum(axis=0).tolist() == [1] * flat.SECTORS


def test_grey_mush_wrong_parity_and_unused_codes_are_refused() -> None:
    good = projected_column(40.0)
    assert flat.decode(np.full(720, 128, np.uint8)) is None
    flipped = good.copy()
    top, bottom = (round(edge * 720) for edge in flat.ring_span(5))
    flipped[top - 10 : bottom + 10] = 255 - flipped[(top + bottom) // 2]
    assert flat.decode(flipped) is None
    blurred = good.astype(float)
    blurred[top:bottom] = (WHITE + BLACK) / 2
    assert flat.decode(blurred.astype(np.uint8)) is None


def test_the_flat_file_is_the_same_every_time_and_reads_as_two_unlit_materials(tmp_path: Path) -> None:
    from renderer.load import load_scene

    first, second = flat.write(tmp_path / "a.glb"), flat.write(tmp_path / "b.glb")
    assert first.read_bytes() == second.read_bytes()
    scene = load_scene(first)
    assert len(scene.meshes[0].primitives) == 2
    assert all("UNLIT" in material.features for material in scene.materials)


@pytest.mark.gl
def test_our_pictures_of_the_flat_scene_decode_at_full_and_half_resolution(tmp_path: Path) -> None:
    from renderer.load import load_scene
    from renderer.thread import RenderThread
    from renderer.view import Orbit, View

    scene = load_scene(flat.write(tmp_path / "flat.glb"))

    def draw(engine: Any) -> list[tuple[int, int | None]]:
        model = engine.load(scene)
        found = []
        for degree in range(0, flat.SECTORS, 9):
            orbit = Orbit(float(degree), flat.PHI, flat.CAMERA_RADIUS)
            view = View(orbit=orbit, target=(0.0, 0.0, 0.0), fov=flat.FOV, width=640, height=360)
            for scale in (1.0, 0.5):
                frame = engine.finish(engine.begin(model, view, format="i420", scale=scale))
                middle = frame.width // 2  # a coarse picture leaves the renderer as small as it was drawn
                column = frame.pixels[: frame.height, middle - 1 : middle + 1].mean(axis=1).astype(np.uint8)
                found.append((degree, flat.decode(column)))
        engine.release(model)
        return found

    with RenderThread() as thread:
        found = thread.submit(draw).result()
    assert found == [(degree, degree) for degree, _ in found]

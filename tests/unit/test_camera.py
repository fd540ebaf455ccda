"""Cameras in numbers: conventions, framing, depth range, rays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from renderer import linalg
from renderer.camera import camera, screen_rectangle
from renderer.view import Orbit, View

BOX = (np.array([-1.0, -0.5, -0.25]), np.array([1.0, 0.5, 0.25]))


def project(view: View, point: tuple[float, float, float]) -> np.ndarray:
    seen = camera(view, BOX)
    clip = seen.projection @ seen.world_to_camera @ np.array([*point, 1.0])
    result: np.ndarray = clip[:3] / clip[3]
    return result


def test_the_target_is_in_the_middle_and_up_is_up() -> None:
    view = View(Orbit(40, 60, 5), (0.2, 0.1, 0.0))
    assert project(view, (0.2, 0.1, 0.0))[:2] == pytest.approx((0, 0), abs=1e-12)
    assert project(view, (0.2, 0.4, 0.0))[1] > 0


def test_from_the_front_plus_x_is_on_the_right() -> None:
    assert project(View(Orbit(0, 90, 5), (0, 0, 0)), (0.5, 0, 0))[0] > 0


@pytest.mark.parametrize("phi", [0.0, 180.0])
def test_straight_above_and_below_theta_says_which_way_is_up(phi: float) -> None:
    seen = camera(View(Orbit(30, phi, 5), (0, 0, 0)), BOX)
    assert np.allclose(seen.world_to_camera[:3, :3] @ seen.world_to_camera[:3, :3].T, np.eye(3))
    assert np.isfinite(seen.world_to_camera).all()


@pytest.mark.parametrize("size", [(1280, 720), (390, 844), (64, 64)])
def test_auto_frames_the_whole_box_from_everywhere(size: tuple[int, int]) -> None:
    for theta in range(0, 360, 45):
        for phi in (1, 45, 90, 135, 179):
            view = View(Orbit(theta, phi), width=size[0], height=size[1])
            corners = np.array([project(view, (x, y, z)) for x in (-1, 1) for y in (-0.5, 0.5) for z in (-0.25, 0.25)])
            assert np.abs(corners).max() <= 1.0 + 1e-9


def test_a_ray_through_a_pixel_hits_what_projects_there() -> None:
    view = View(Orbit(25, 70, 4))
    seen = camera(view, BOX)
    point = np.array([0.4, -0.2, 0.1])
    ndc = project(view, tuple(point))
    origin, direction = seen.ray((ndc[0] + 1) / 2, (1 - ndc[1]) / 2)
    assert np.linalg.norm(np.cross(point - origin, direction)) == pytest.approx(0, abs=1e-9)


def test_screen_rectangle_holds_every_corner() -> None:
    view = View(Orbit(25, 70, 6), width=640, height=360)
    seen = camera(view, BOX)
    x, y, w, h = screen_rectangle(seen.projection, seen, BOX, 640, 360)
    for px in (-1, 1):
        for py in (-0.5, 0.5):
            ndc = project(view, (px, py, 0.25))
            assert x <= (ndc[0] + 1) / 2 * 640 <= x + w
            assert y <= (ndc[1] + 1) / 2 * 360 <= y + h
    assert (w, h) < (640, 360)


def test_inside_the_box_everything_is_drawn() -> None:
    seen = camera(View(Orbit(0, 90, 0.01)), BOX)
    assert screen_rectangle(seen.projection, seen, BOX, 640, 360) == (0, 0, 640, 360)


def test_quaternions_turn_as_gltf_says() -> None:
    half = math.radians(90) / 2
    turned = linalg.translation_rotation_scale((1, 2, 3), (0, math.sin(half), 0, math.cos(half)), (2, 2, 2))
    assert turned @ [0, 0, 1, 1] == pytest.approx([3, 2, 3, 1])  # +Z goes to +X about +Y

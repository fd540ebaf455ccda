"""Draws the environment behind everything, at full sharpness."""

from __future__ import annotations

import numpy as np

from renderer.camera import Camera
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.program import Program
from renderer.gl.resources import VertexArray
from renderer.linalg import Matrix
from renderer.passes.environment import Environment


class BackgroundPass:
    """The environment as backdrop."""

    def __init__(self, context: Context, empty: VertexArray) -> None:
        self._empty = empty
        self._program = Program(context, "background.vert", "background.frag")

    def draw(self, environment: Environment, camera: Camera, projection: Matrix) -> None:
        """Fills the current target behind what is there. projection: with the frame's jitter."""
        corners = np.array([[-1, -1], [1, -1], [-1, 1]], np.float64)
        rays = np.ones((3, 3))
        rays[:, 0] = (corners[:, 0] + projection[0, 2]) / projection[0, 0]
        rays[:, 1] = (corners[:, 1] + projection[1, 2]) / projection[1, 1]
        rays[:, 2] = -1.0
        world = rays @ camera.world_to_camera[:3, :3]
        origin, right, top = (
            tuple(float(x) for x in row) for row in (world[0], world[1] - world[0], world[2] - world[0])
        )
        self._program.set(u_corner0=(*origin, 0.0), u_across=(*right, 0.0), u_up=(*top, 0.0), u_intensity=1.0)
        draw.state(depth_test=True, depth_write=False)
        draw.use(self._program.name)
        draw.bind_textures({0: environment.equirect})
        draw.fullscreen(self._empty)

    def close(self) -> None:
        """Frees the program."""
        self._program.close()

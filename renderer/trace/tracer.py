"""Draws samples of a path-traced picture: everything that light does between the surfaces of a model, no tone mapping.

Used for pictures at rest. One sample is one path for each pixel; a sum of them converges to what the materials mean.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack

import numpy as np

from renderer import camera as cameras
from renderer.camera import Camera, Rectangle
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.draw import Blend
from renderer.gl.program import Program
from renderer.gl.resources import Buffer, Resource, Texture, VertexArray
from renderer.gl.tables import Table
from renderer.lights import MAX_LIGHTS, lights_block
from renderer.linalg import Matrix
from renderer.passes.display import background_radiance
from renderer.passes.environment import DFG_SIZE, Environment
from renderer.pose import Pose
from renderer.trace import light, material
from renderer.trace.clean import CleanPass, TracedSum
from renderer.trace.residents import Residents, TracedScene
from renderer.view import View

#: Programs kept, one for each set of features; the least recently used goes first.
MAX_PROGRAMS = 16
#: Environments whose table is kept.
MAX_TABLES = 4
#: Samples of one picture that are spread evenly: 2^RANDOM_BITS (trace_random.glsl) / CANDIDATES (trace.frag).
MAX_SAMPLES = 2048
_VIEW_BINDING = 0
#: Texture units of a traced scene's tables.
_UNITS = {
    "srgb": 3,
    "linear": 4,
    "nodes": 5,
    "skips": 6,
    "triangles": 7,
    "corners": 8,
    "vertices": 9,
    "materials": 10,
    "emitters": 11,
}
_Key = tuple[frozenset[str], tuple[str, ...], bool, bool, bool]


class Tracer:
    """The programs of the path tracer and what they share."""

    def __init__(self, context: Context, empty: VertexArray, dfg: Texture) -> None:
        """dfg: the split-sum table of the environment filter, borrowed."""
        self._context, self._empty, self._dfg = context, empty, dfg
        self._stack = ExitStack()
        self.residents = Residents(context)
        self._stack.callback(self.residents.close)
        self.clean = CleanPass(context, empty)
        self._stack.callback(self.clean.close)
        self._view_block = self._stack.enter_context(Buffer(context, cameras.VIEW_DTYPE.itemsize, "traced view"))
        self._programs: OrderedDict[_Key, Program] = OrderedDict()
        self._tables: OrderedDict[Environment, Table] = OrderedDict()

    def draw(
        self,
        scene: TracedScene,
        pose: Pose,
        view: View,
        seen: Camera,
        environment: Environment,
        total: TracedSum,
        part: Rectangle,
    ) -> None:
        """Adds one path for each pixel in `part` to the sum."""
        program = self._program(
            (scene.features, scene.slots, bool(pose.lights), scene.see_through, "emitters" in scene.tables)
        )
        draw.use(program.name)
        self._write_view_block(pose, view, seen)
        width, height = view.width, view.height
        program.set_matrix("u_cameraRays", _camera_rays(seen, width, height))
        program.set(u_epsilon=scene.epsilon, u_sample=total.samples % MAX_SAMPLES)
        program.set(u_skybox=int(view.background == "environment"))
        self._bind(scene, environment)
        draw.target(total.framebuffer, width, height)
        draw.state(depth_test=False, depth_write=False, blend=Blend.ADD)
        if total.samples == 0:
            draw.clear(total.framebuffer, (0.0, 0.0, 0.0, 0.0), depth=False, pictures=3)
        with draw.only(part):
            draw.fullscreen(self._empty)
        total.samples += 1

    def forget(self, environment: Environment) -> None:
        """Frees what is kept for an environment that goes."""
        if environment in self._tables:
            self._tables.pop(environment).close()

    def close(self) -> None:
        """Frees programs and tables; TracedScenes are their makers' to close."""
        for kept in (*self._programs.values(), *self._tables.values()):
            kept.close()
        self._stack.close()

    def _bind(self, scene: TracedScene, environment: Environment) -> None:
        units: dict[int, Resource] = {
            0: environment.equirect,
            1: self._dfg,
            2: self._table(environment),
        }
        units |= {_UNITS[name]: table for name, table in scene.tables.items()}
        draw.bind_textures(units)

    def _table(self, environment: Environment) -> Table:
        if environment not in self._tables:
            if len(self._tables) >= MAX_TABLES:
                self._tables.popitem(last=False)[1].close()
            self._tables[environment] = Table(self._context, light.chances(environment.pixels), "environment's chances")
        self._tables.move_to_end(environment)
        return self._tables[environment]

    def _program(self, key: _Key) -> Program:
        if key not in self._programs:
            if len(self._programs) >= MAX_PROGRAMS:
                self._programs.popitem(last=False)[1].close()
            self._programs[key] = self._compile(*key)
        self._programs.move_to_end(key)
        return self._programs[key]

    def _compile(
        self, features: frozenset[str], slots: tuple[str, ...], lights: bool, see_through: bool, emitters: bool
    ) -> Program:
        ones = ("TRACING", "HAS_NORMAL", "HAS_TANGENT", "HAS_COLOR", "DOUBLE_SIDED", "ALPHA_BLEND")
        defines = dict.fromkeys(ones, 1) | {
            "ALPHA_MASK": 0,
            "LIGHTS": int(lights),
            "SEE_THROUGH": int(see_through),
            "EMITTERS": int(emitters),
            "DFG_SIZE": DFG_SIZE,
            "ENVIRONMENT_WIDTH": light.WIDTH,
            "ENVIRONMENT_HEIGHT": light.HEIGHT,
        }
        generated = {
            "trace_material.glsl": material.material_glsl(features, slots),
            "trace_hooks.glsl": material.hooks_glsl(features),
        }
        return Program(self._context, "fullscreen.vert", "trace.frag", defines, generated)

    def _write_view_block(self, pose: Pose, view: View, seen: Camera) -> None:
        lights = pose.lights[:MAX_LIGHTS]
        block = np.zeros((), cameras.VIEW_DTYPE)
        block["cameraPosition"] = (*seen.eye, len(lights))
        block["cameraForward"] = (*seen.forward, 1.0)
        block["backgroundRadiance"] = background_radiance(view)
        block["lights"] = lights_block(lights, [-1] * len(lights))
        self._view_block.write(block)
        draw.bind_uniforms(_VIEW_BINDING, self._view_block)


def _camera_rays(seen: Camera, width: int, height: int) -> Matrix:
    """[4, 4]: pixel coordinates (x, y, 0, 1), origin lower left, to a point on the pixel's ray, world, w = 1."""
    x, y = 1.0 / seen.projection[0, 0], 1.0 / seen.projection[1, 1]
    to_camera = np.array(
        [
            [2.0 * x / width, 0.0, 0.0, -x],
            [0.0, 2.0 * y / height, 0.0, -y],
            [0.0, 0.0, 0.0, -1.0],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    rays: Matrix = np.linalg.inv(seen.world_to_camera) @ to_camera
    return rays

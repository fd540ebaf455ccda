"""One picture of linear radiance: shadows, opaque surfaces, backdrop, glass, transparent surfaces, in this order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from renderer import camera as cameras
from renderer import drawlist
from renderer.camera import Camera, Rectangle
from renderer.drawlist import DrawList
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.resources import Buffer, Texture, VertexArray
from renderer.lights import MAX_LIGHTS, lights_block, shadow_views
from renderer.linalg import Matrix
from renderer.model import Model, Pose
from renderer.passes.background import BackgroundPass
from renderer.passes.behind import BehindPass
from renderer.passes.channel import ChannelPass
from renderer.passes.environment import Environment
from renderer.passes.post import background_radiance
from renderer.passes.shadow import ShadowPass
from renderer.passes.surface import SurfacePass
from renderer.passes.targets import Targets
from renderer.view import View

_VIEW_BINDING = 0


class RadiancePass:
    """Owns the passes that draw the scene, and the uniform block they share."""

    def __init__(self, context: Context, empty: VertexArray, dfg: Texture) -> None:
        """dfg: the split-sum table of the environment filter, borrowed."""
        self._context, self._dfg = context, dfg
        self._view_block = Buffer(context, cameras.VIEW_DTYPE.itemsize, "view")
        self._surfaces = SurfacePass(context)
        self._background = BackgroundPass(context, empty)
        self._behind = BehindPass(context, empty)
        self._shadows: ShadowPass | None = None
        self._channels: ChannelPass | None = None

    def draw(
        self,
        model: Model,
        view: View,
        environment: Environment,
        targets: Targets,
        size: tuple[int, int],
        jitter: tuple[float, float],
    ) -> Rectangle:
        """Draws into the lower left part, of `size` pixels, of `targets.radiance`.

        jitter: (x, y) in pixels, each in [-0.5, 0.5]. Returns the part that may hold anything; what `targets.radiance`
        has outside it is left over from earlier frames. Raises ViewError for an unknown variant or channel.
        """
        pose = model.pose(view.animation)
        drawing, commands = model.draw_list(view.variant, pose)
        seen = cameras.camera(view, model.bounds, pose.box)
        projection = cameras.jittered(seen.projection, jitter, *size)
        lit = len(pose.lights) > 0
        shadows = self._draw_shadows(model, pose, view)
        self._write_view_block(pose, shadows, view, targets, size, seen, projection)
        everywhere = 0, 0, *size
        part = cameras.screen_rectangle(projection, seen, pose.box, *size)
        if view.channel is not None:
            self._draw_channel(model, drawing, commands, view.channel, targets, size, part)
            return part
        if view.background == "environment":
            part = everywhere
        draw.target(targets.draw_buffer, *size)
        with draw.only(part if drawing.blur is None else everywhere):  # blurred glass reads beyond the model
            draw.clear(targets.draw_buffer, (0.0, 0.0, 0.0, 0.0), depth=True)
        shadow_map = self._shadows.map if shadows and self._shadows else None
        self._surfaces.frame_textures(environment, self._dfg, shadows=shadow_map)
        self._surfaces.draw(model.gpu, commands, drawing.opaque, lights=lit)
        if view.background == "environment":
            self._background.draw(environment, seen, projection)
        if drawing.blur is not None:
            self._behind.draw(targets, size, drawing.blur)
            draw.target(targets.draw_buffer, *size)
        behind = None if drawing.blur is None else targets.behind
        self._surfaces.frame_textures(environment, self._dfg, behind, shadow_map)
        self._surfaces.draw(model.gpu, commands, drawing.transmissive, lights=lit)
        ordered = drawlist.back_to_front(drawing.transparent, pose.world, seen.forward)
        self._surfaces.draw(model.gpu, commands, ordered, lights=lit, transparent=True)
        if targets.msaa > 1:
            draw.resolve(targets.draw_buffer, targets.radiance_buffer, *size)
        return part

    def close(self) -> None:
        """Frees programs and blocks."""
        for part in (self._view_block, self._surfaces, self._background, self._behind, self._shadows, self._channels):
            if part is not None:
                part.close()

    def _draw_channel(
        self,
        model: Model,
        drawing: DrawList,
        commands: Buffer,
        channel: str,
        targets: Targets,
        size: tuple[int, int],
        part: Rectangle,
    ) -> None:
        """One input of the materials instead of radiance: `post.py` writes it without tone mapping."""
        if self._channels is None:
            self._channels = ChannelPass(self._context)
        draw.target(targets.draw_buffer, *size)
        with draw.only(part):
            draw.clear(targets.draw_buffer, (0.0, 0.0, 0.0, 0.0), depth=True)
        groups = (*drawing.opaque, *drawing.transmissive, *drawing.transparent)
        self._channels.draw(model.gpu, commands, groups, channel, model.bounds)
        if targets.msaa > 1:
            draw.resolve(targets.draw_buffer, targets.radiance_buffer, *size)

    def _draw_shadows(self, model: Model, pose: Pose, view: View) -> list[int]:
        """Each light's first layer of the shadow map; empty when there are no shadows to draw."""
        if not view.shadows or not pose.lights:
            return []
        drawing, commands = model.draw_list(view.variant, pose)
        layers, matrices = shadow_views(pose.lights, pose.box)
        if self._shadows is None:
            self._shadows = ShadowPass(self._context)
        self._shadows.draw(model.gpu, commands, drawing.opaque, matrices)
        return layers

    def _write_view_block(
        self,
        pose: Pose,
        shadows: Sequence[int],
        view: View,
        targets: Targets,
        size: tuple[int, int],
        seen: Camera,
        projection: Matrix,
    ) -> None:
        lights = pose.lights[:MAX_LIGHTS]
        block = np.zeros((), cameras.VIEW_DTYPE)
        block["viewProjection"] = (projection @ seen.world_to_camera).T  # GLSL reads columns
        block["cameraPosition"] = (*seen.eye, len(lights))
        block["cameraForward"] = (*seen.forward, 1.0)
        block["backgroundRadiance"] = background_radiance(view)
        block["target"] = (1 / targets.width, 1 / targets.height, size[0] / targets.width, size[1] / targets.height)
        block["lights"] = lights_block(lights, shadows or [-1] * len(lights))
        self._view_block.write(block)
        draw.bind_uniforms(_VIEW_BINDING, self._view_block)

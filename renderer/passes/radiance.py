"""One picture of linear radiance: shadows, opaque surfaces, backdrop, see-through surfaces, in this order.

Or, where nothing is seen through anything, of display values at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from renderer import camera as cameras
from renderer import drawlist
from renderer.camera import Camera, Rectangle
from renderer.drawlist import DrawList, Group
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.resources import Buffer, DepthArray, DepthPicture, Texture, VertexArray
from renderer.lights import MAX_LIGHTS, lights_block, shadow_views
from renderer.linalg import Matrix
from renderer.model import Model, Pose
from renderer.passes.background import BackgroundPass
from renderer.passes.behind import BehindPass
from renderer.passes.casters import CastersPass
from renderer.passes.channel import ChannelPass
from renderer.passes.depth import DepthPass
from renderer.passes.display import backdrop, background, background_radiance
from renderer.passes.environment import Environment
from renderer.passes.ground import Floor, GroundPass, floor
from renderer.passes.layers import LayersPass
from renderer.passes.occlusion import OcclusionPass
from renderer.passes.shadow import ShadowPass
from renderer.passes.sky import MIN_PICTURES, SkyPass, Step
from renderer.passes.surface import Against, Style, SurfacePass
from renderer.passes.targets import Targets
from renderer.upload import GpuScene
from renderer.view import View

_VIEW_BINDING = 0


@dataclass(frozen=True, eq=False, slots=True)
class _Frame:
    """What the steps of one picture share.

    size: pixels. part: what may hold anything. shadows: None without. hidden: what surfaces read of what is
    hidden of the environment, by texture unit.
    """

    gpu: GpuScene
    commands: Buffer
    drawing: DrawList
    targets: Targets
    size: tuple[int, int]
    part: Rectangle
    style: Style
    environment: Environment
    shadows: DepthArray | None
    hidden: Mapping[int, Texture | DepthArray | DepthPicture]


class RadiancePass:
    """Owns the passes that draw the scene, and the uniform block they share."""

    def __init__(self, context: Context, empty: VertexArray, dfg: Texture, *, occlusion: bool) -> None:
        """dfg: the split-sum table of the environment filter, borrowed. occlusion: in pictures that stand alone."""
        self._context, self._empty, self._dfg = context, empty, dfg
        self._view_block = Buffer(context, cameras.VIEW_DTYPE.itemsize, "view")
        self._surfaces = SurfacePass(context)
        self._background = BackgroundPass(context, empty)
        self._behind = BehindPass(context, empty)
        self._depth = DepthPass(context)
        self._layers = LayersPass(self._depth)
        self._casters = CastersPass(context)
        self._shadows: ShadowPass | None = None
        self._sky: SkyPass | None = None
        self._occlusion = OcclusionPass(context, empty, self._depth) if occlusion else None
        self._ground: GroundPass | None = None
        self._channels: ChannelPass | None = None

    def draw(
        self,
        model: Model,
        view: View,
        environment: Environment,
        targets: Targets,
        size: tuple[int, int],
        jitter: tuple[float, float],
        *,
        step: Step | None = None,
        shown: bool = False,
    ) -> Rectangle:
        """Draws into the lower left part, of `size` pixels, of `targets.radiance`.

        jitter: (x, y) in pixels, each in [-0.5, 0.5]. step: of many pictures that are averaged. shown: draws to
        `targets.display` instead, its row 0 at the bottom, the background around the model, too; where `shows` allows
        it. Returns the part that may hold anything; what `targets.radiance` has outside it is left over from earlier
        frames. Raises ViewError for an unknown variant or channel.
        """
        pose = model.pose(view.animation)
        drawing, commands = model.draw_list(view.variant, pose)
        seen, place = _stage(view, model, pose)
        projection = cameras.jittered(seen.projection, jitter, *size)
        shadows = self._draw_shadows(model, pose, view, None if step is None else sum(jitter) % 1.0)
        looks, hidden = self._draw_sky(model, pose, view, environment, step)
        below = None if place is None else self._grounds().prepare(model, view, drawing, commands, place)
        self._write_view_block(pose, shadows, view, targets, size, seen, projection)
        part = (0, 0, *size) if shown else _covered(view, seen, projection, pose, place, size)
        if view.channel is not None:
            self._draw_channel(model, drawing, commands, view.channel, targets, size, part)
            return part
        occluded = self._occlusion is not None and not looks
        if self._occlusion is not None and occluded:
            solid = drawing.opaque
            hidden = self._occlusion.draw(model.gpu, commands, solid, targets, size, part, projection, pose.box)
        tone_mapping = view.tone_mapping if shown else None
        style = Style(len(pose.lights) > 0, targets.msaa, step is not None, looks, occluded, tone_mapping)
        shadow_map = self._shadows.map if shadows and self._shadows else None
        frame = _Frame(model.gpu, commands, drawing, targets, size, part, style, environment, shadow_map, hidden)
        self._draw_solid(frame, view)
        if view.background == "environment":
            self._background.draw(environment, seen, projection)
        if place is not None and below is not None:
            self._grounds().draw(below, place, shown=shown)
        if drawing.see_through:
            self._draw_see_through(frame, drawlist.back_to_front(drawing.singles, pose.carried, seen.forward))
        if targets.msaa > 1:
            draw.resolve(targets.draw_buffer, targets.radiance_buffer, *size)
        return part

    def shows(self, model: Model, view: View, targets: Targets) -> bool:
        """Whether a picture can be drawn as a screen shows it, without radiance: a third less work for a processor."""
        if targets.msaa > 1 or view.channel is not None or view.background == "environment":
            return False
        return not model.draw_list(view.variant, model.pose(view.animation))[0].see_through

    def _draw_solid(self, frame: _Frame, view: View) -> None:
        """Opaque surfaces in an empty picture, which stays the current target."""
        targets, drawing = frame.targets, frame.drawing
        if frame.style.shown is not None:
            draw.target(targets.display_drawing, *frame.size)
            draw.clear(targets.display_drawing, backdrop(view), depth=True)
        else:
            draw.target(targets.draw_buffer, *frame.size)
            with draw.only(frame.part if drawing.blur is None else (0, 0, *frame.size)):  # blurred glass reads beyond
                draw.clear(targets.draw_buffer, (0.0, 0.0, 0.0, 0.0), depth=True)
        self._bind(frame)
        self._surfaces.draw(frame.gpu, frame.commands, drawing.opaque, frame.style)

    def draw_ground(
        self, model: Model, view: View, targets: Targets, size: tuple[int, int], part: Rectangle
    ) -> Rectangle:
        """Draws only the shadow on the floor into `targets.radiance`, as if nothing stood before it.

        part: what else will be looked at. Returns the part that holds both; there is nothing else in it.
        """
        pose = model.pose(view.animation)
        seen, place = _stage(view, model, pose)
        below = None
        if place is not None:
            below = self._grounds().prepare(model, view, *model.draw_list(view.variant, pose), place)
            self._write_view_block(pose, [], view, targets, size, seen, seen.projection)
            part = cameras.joined(part, cameras.screen_rectangle(seen.projection, seen, place.box, *size))
        draw.target(targets.radiance_buffer, *size)
        with draw.only(part):
            draw.clear(targets.radiance_buffer, (0.0, 0.0, 0.0, 0.0), depth=False)
        if place is not None and below is not None:
            self._grounds().draw(below, place, alone=True)
        return part

    def forget(self, model: Model) -> None:
        """Frees what is kept for a model that goes."""
        if self._ground is not None:
            self._ground.forget(model)

    def close(self) -> None:
        """Frees programs and blocks."""
        parts = (self._view_block, self._surfaces, self._background, self._behind, self._depth, self._casters)
        for part in (*parts, self._shadows, self._sky, self._occlusion, self._ground, self._channels):
            if part is not None:
                part.close()

    def _draw_see_through(self, frame: _Frame, ordered: Sequence[Group]) -> None:
        """Blended and transmissive surfaces, from the farthest to the nearest. ordered: each alone, farthest first."""
        gpu, commands, style, targets = frame.gpu, frame.commands, frame.style, frame.targets
        # Looking through several panes costs a processor twice the frame; it shows the nearest until the picture rests.
        dear = frame.drawing.blur is not None and self._context.info.software and not style.refined
        if dear or not frame.drawing.layered:
            self._look_behind(frame)
            draw.target(targets.draw_buffer, *frame.size)
            self._surfaces.draw(gpu, commands, ordered, style)
            return
        groups = frame.drawing.see_through
        layers = self._layers.peel(gpu, commands, groups, targets, frame.size, frame.part, refined=style.refined)
        with layers[-1].found.when_any():
            self._look_behind(frame)
            draw.target(targets.draw_buffer, *frame.size)
            self._surfaces.draw(gpu, commands, ordered, style, Against.BEHIND_LAYERS)
        for layer in reversed(layers):
            with layer.found.when_any():
                self._look_behind(frame)
                draw.target(layer.shading, *frame.size)
                self._surfaces.draw(gpu, commands, groups, style, Against.LAYER)

    def _look_behind(self, frame: _Frame) -> None:
        """Makes what is drawn so far visible to transmissive surfaces, and binds what all surfaces read."""
        if frame.drawing.blur is not None:
            self._behind.draw(frame.targets, frame.size, frame.drawing.blur)
        self._bind(frame)

    def _bind(self, frame: _Frame) -> None:
        behind = None if frame.drawing.blur is None else frame.targets.behind
        self._surfaces.frame_textures(frame.environment, self._dfg, behind, frame.shadows, frame.hidden)

    def _grounds(self) -> GroundPass:
        if self._ground is None:
            self._ground = GroundPass(self._context, self._empty, self._casters)
        return self._ground

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
        groups = (*drawing.opaque, *drawing.see_through)
        self._channels.draw(model.gpu, commands, groups, channel, model.bounds)
        if targets.msaa > 1:
            draw.resolve(targets.draw_buffer, targets.radiance_buffer, *size)

    def _draw_shadows(self, model: Model, pose: Pose, view: View, turn: float | None) -> list[int]:
        """Each light's first layer of the shadow map; empty when there are no shadows to draw."""
        if not view.shadows or not pose.lights:
            return []
        drawing, commands = model.draw_list(view.variant, pose)
        layers, matrices = shadow_views(pose.lights, pose.box)
        if self._shadows is None:
            self._shadows = ShadowPass(self._context, self._casters)
        casters = (*drawing.opaque, *drawing.see_through)
        self._shadows.draw(model.gpu, commands, casters, matrices, turn)
        return layers

    def _draw_sky(
        self, model: Model, pose: Pose, view: View, environment: Environment, step: Step | None
    ) -> tuple[int, Mapping[int, Texture | DepthArray | DepthPicture]]:
        """What surfaces hide of the environment from one another: from how many directions, and what to bind for it."""
        if step is None or step.count < MIN_PICTURES or view.channel is not None:
            return 0, {}
        drawing, commands = model.draw_list(view.variant, pose)
        if self._sky is None:
            self._sky = SkyPass(self._context, self._casters)
        casters = (*drawing.opaque, *drawing.see_through)
        each = self._sky.directions_of(int(drawing.commands[:, 0].sum()) // 3)
        return each, self._sky.draw(model.gpu, commands, casters, environment, pose.box, step, each)

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
        block["display"] = (*background(view)[:3], view.exposure)
        block["lights"] = lights_block(lights, shadows or [-1] * len(lights))
        self._view_block.write(block)
        draw.bind_uniforms(_VIEW_BINDING, self._view_block)


def _covered(
    view: View, seen: Camera, projection: Matrix, pose: Pose, place: Floor | None, size: tuple[int, int]
) -> Rectangle:
    """The part of the picture that may hold anything. projection: with the jitter."""
    if view.background == "environment" and view.channel is None:
        return 0, 0, *size
    part = cameras.screen_rectangle(projection, seen, pose.box, *size)
    if place is None:
        return part
    return cameras.joined(part, cameras.screen_rectangle(projection, seen, place.box, *size))


def _stage(view: View, model: Model, pose: Pose) -> tuple[Camera, Floor | None]:
    """The camera of a view, and the floor with the model's shadow when it is asked for and seen from above."""
    seen = cameras.camera(view, model.bounds, pose.box)
    if not view.ground or view.channel is not None:
        return seen, None
    place = floor(model.bounds, pose.box)
    if seen.eye[1] <= place.level:
        return seen, None
    low, high = np.minimum(pose.box[0], place.box[0]), np.maximum(pose.box[1], place.box[1])
    return cameras.camera(view, model.bounds, (low, high)), place

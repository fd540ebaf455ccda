"""From linear radiance to bytes: accumulation, tone mapping and background, conversion to I420."""

from __future__ import annotations

from renderer.camera import Rectangle
from renderer.channels import is_color
from renderer.frame import PixelFormat
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.draw import Blend
from renderer.gl.program import Program
from renderer.gl.resources import Texture, VertexArray
from renderer.passes.display import CURVES, backdrop, background
from renderer.passes.targets import Sum, Targets
from renderer.view import TONE_MAPPINGS, View

# The define BT601 of post_i420.frag.
_BT601: dict[PixelFormat, int] = {"i420": 0, "i420-601": 1}


class PostPass:
    """The programs that end a frame."""

    def __init__(self, context: Context, empty: VertexArray) -> None:
        self._empty = empty

        def program(fragment: str, **defines: int) -> Program:
            return Program(context, "fullscreen.vert", fragment, defines)

        self._tone_map = {c: program("post_tonemap.frag", TONE_MAPPING=CURVES[c], ENCODE=1) for c in TONE_MAPPINGS}
        self._data = program("post_tonemap.frag", TONE_MAPPING=CURVES["none"], ENCODE=0)
        self._accumulate = program("post_accumulate.frag")
        self._under = program("post_under.frag")
        self._planes = {
            format: [program("post_i420.frag", CHROMA=chroma, BT601=bt601) for chroma in (0, 1)]
            for format, bt601 in _BT601.items()
        }

    def accumulate(self, targets: Targets, total: Sum, part: Rectangle) -> None:
        """Adds the radiance of one sample to the sum; only `part` of it may hold anything."""
        draw.target(total.framebuffer, targets.width, targets.height)
        if total.samples == 0:
            draw.clear(total.framebuffer, (0.0, 0.0, 0.0, 0.0), depth=False)
        draw.state(depth_test=False, depth_write=False, blend=Blend.ADD)
        with draw.only(part):
            self._run(self._accumulate, targets.radiance)
        total.samples += 1

    def lay_under(self, targets: Targets, total: Sum, part: Rectangle, both: Sum) -> None:
        """Fills `both` with the sum over what `targets.radiance` holds; only `part` of either may hold anything."""
        draw.target(both.framebuffer, targets.width, targets.height)
        draw.clear(both.framebuffer, (0.0, 0.0, 0.0, 0.0), depth=False)
        draw.state(depth_test=False, depth_write=False)
        draw.bind_textures({1: targets.radiance})
        self._under.set(u_samples=float(total.samples))
        with draw.only(part):
            self._run(self._under, total.texture)
        both.samples = total.samples

    def tone_map(
        self, targets: Targets, view: View, width: int, height: int, part: Rectangle, total: Sum | None = None
    ) -> None:
        """Fills the first width × height pixels of `targets.display`; from the sum when there is one.

        Only `part` of the radiance may hold anything; around it the background needs no arithmetic.
        """
        weight = 1.0 / total.samples if total else 1.0
        program, exposure, behind = self._display(view)
        draw.target(targets.display_buffer, width, height)
        draw.state(depth_test=False, depth_write=False)
        draw.clear(targets.display_buffer, backdrop(view), depth=False)
        program.set(u_exposure=exposure * weight, u_weight=weight, u_background=behind)
        program.set_ivec2("u_size", width, height)
        x, y, w, h = part
        with draw.only((x, height - y - h, w, h)):  # display rows run from the top
            self._run(program, total.texture if total else targets.radiance)

    def _display(self, view: View) -> tuple[Program, float, tuple[float, float, float, float]]:
        """The program that writes a view, its exposure, and the backdrop as that program takes it."""
        if view.channel is None:
            return self._tone_map[view.tone_mapping], view.exposure, background(view)
        if is_color(view.channel):
            return self._tone_map["none"], 1.0, background(view)
        return self._data, 1.0, backdrop(view)

    def planes(self, targets: Targets, width: int, height: int, format: PixelFormat, *, upright: bool = True) -> None:
        """Converts the drawn width × height pixels of `targets.display` to I420 in `planes_buffer`.

        upright: row 0 is the top, as `tone_map` leaves it; else it is the bottom.
        """
        draw.state(depth_test=False, depth_write=False)
        luma, chroma = self._planes[format]
        chroma.set(u_texel=(1 / targets.width, 1 / targets.height))
        for program, first, rows in ((luma, 0, height), (chroma, height, height // 2)):
            program.set(u_upright=int(upright))
            program.set_ivec2("u_size", width, height)
            draw.target(targets.planes_buffer, width // 4, rows, y=first)
            self._run(program, targets.display)

    def close(self) -> None:
        """Frees the programs."""
        planes = [program for pair in self._planes.values() for program in pair]
        for program in (*self._tone_map.values(), *planes, self._data, self._accumulate, self._under):
            program.close()

    def _run(self, program: Program, source: Texture) -> None:
        draw.use(program.name)
        draw.bind_textures({0: source})
        draw.fullscreen(self._empty)

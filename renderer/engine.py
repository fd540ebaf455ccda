"""Scene and View in, Frame out. Lives on the render thread only; everybody else asks through `renderer.thread`.

Bounds: `MAX_TARGETS` output sizes, `MAX_ENVIRONMENTS` filtered environments at a time, least recently used freed
first.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from renderer import camera as cameras
from renderer.camera import Camera, Rectangle
from renderer.errors import ViewError
from renderer.frame import Frame, PixelFormat
from renderer.gl import draw
from renderer.gl.context import Context, ContextInfo
from renderer.gl.ledger import Ledger
from renderer.gl.readback import Readback, Transfer
from renderer.gl.resources import VertexArray
from renderer.model import Model
from renderer.passes.environment import Environment, EnvironmentFilter
from renderer.passes.post import PostPass
from renderer.passes.radiance import RadiancePass
from renderer.passes.sky import Step
from renderer.passes.targets import Sum, Targets
from renderer.refine import Accumulation, Rasterised, Traced
from renderer.scene import Scene
from renderer.studio import STUDIOS, studio
from renderer.trace.clean import TracedSum
from renderer.trace.geometry import traceable
from renderer.trace.tracer import Tracer
from renderer.view import MIN_SCALE, TONE_MAPPINGS, View

MAX_TARGETS = 16
MAX_ENVIRONMENTS = 4
MAX_PIXELS = 8192 * 8192


@dataclass(eq=False)
class Pending:
    """A frame on its way from the device. `Engine.finish` takes it once."""

    transfer: Transfer
    view: View
    format: PixelFormat
    size: tuple[int, int]
    samples: int
    begun: float
    submitted: float = field(default_factory=time.perf_counter)


class Engine:
    """Everything that draws, around one OpenGL context."""

    def __init__(
        self,
        *,
        require_gpu: bool = False,
        msaa: int | None = None,
        occlusion: bool | None = None,
        traced: bool | None = None,
    ) -> None:
        """Opens the context on the calling thread. Raises DeviceError when there is none.

        msaa: samples a pixel while drawing. None: 4 on a GPU, which smooths edges for little, and 1 on a software
        rasteriser, which pays two to four times the frame for them. occlusion: whether single pictures know what the
        model hides of the environment from itself. None: on a GPU; a software rasteriser pays six times the frame.
        traced: whether pictures at rest are path-traced. None: on a GPU; a software rasteriser needs seconds for one.
        """
        self._stack = ExitStack()
        with ExitStack() as guard:
            guard.callback(self._stack.close)
            enter = self._stack.enter_context
            self._context = enter(Context(require_gpu=require_gpu))
            draw.context_state()
            wanted = msaa or (1 if self.info.software else 4)
            self._msaa = max(1, min(wanted, self.info.max_samples))
            empty = enter(VertexArray(self._context, "no inputs", (), (), None))
            self._filter = EnvironmentFilter(self._context, empty)
            wanted_occlusion = not self.info.software if occlusion is None else occlusion
            self._radiance = RadiancePass(self._context, empty, self._filter.dfg, occlusion=wanted_occlusion)
            self._post = PostPass(self._context, empty)
            self._readback = Readback(self._context)
            self._models: set[Model] = set()
            self._targets: OrderedDict[tuple[int, int], Targets] = OrderedDict()
            self._environments: OrderedDict[str, Environment] = OrderedDict()
            self._tracer: Tracer | None = None
            self._trace_at_rest = not self.info.software if traced is None else traced
            self._empty = empty
            self._sources: dict[str, Callable[[], NDArray[np.float32]]] = {
                name: partial(studio, setting=name) for name in STUDIOS
            }
            self._stack.callback(self._close_all)
            guard.pop_all()

    @property
    def context(self) -> Context:
        """The OpenGL context; for those who make resources of their own on the render thread."""
        return self._context

    @property
    def info(self) -> ContextInfo:
        """Vendor, renderer, version, and whether it is software."""
        return self._context.info

    @property
    def overlaps(self) -> bool:
        """Whether a begun picture is made while something else is done; a software rasteriser has made it by then."""
        return not self.info.software

    @property
    def ledger(self) -> Ledger:
        """Live GPU objects."""
        return self._context.ledger

    @property
    def environments(self) -> tuple[str, ...]:
        """Names that a View may use."""
        return tuple(self._sources)

    def load(self, scene: Scene) -> Model:
        """Uploads a scene. Raises DeviceError, with nothing left behind, when the device refuses."""
        model = Model(self._context, scene)
        self._models.add(model)
        if self._trace_at_rest and traceable(scene, model.pose(None)):
            self._trace().residents.ready(model, View())  # begins now what takes a moment
        return model

    def release(self, model: Model) -> None:
        """Frees a model's GPU memory."""
        self._models.discard(model)
        if self._tracer is not None:
            self._tracer.residents.forget(model)
        self._radiance.forget(model)
        model.close()

    def add_environment(self, name: str, pixels: NDArray[np.float32]) -> None:
        """Offers an environment to views. pixels: float32 [H, 2H, 3], linear radiance.

        It is filtered when first shown.
        """
        if name in self._environments:
            self._forget(self._environments.pop(name))
        self._sources[name] = lambda: pixels

    def warm(self, environment: str = "neutral") -> None:
        """Filters an environment before a first frame has to wait for it. Raises ViewError for an unknown one."""
        self._environment(environment)

    def render(
        self,
        model: Model,
        view: View,
        *,
        format: PixelFormat = "rgba8",
        scale: float = 1.0,
        samples: int = 1,
        traced: bool = True,
    ) -> Frame:
        """One finished frame; waits for the device. samples > 1: a refined picture, path-traced unless it may not be.

        Raises ViewError when the scene cannot be seen that way, DeviceError when the device fails.
        """
        if samples <= 1:
            return self.finish(self.begin(model, view, format=format, scale=scale))
        with self.accumulate(model, view, samples=samples, format=format, traced=traced) as accumulation:
            while not accumulation.done:
                accumulation.step()
            return accumulation.frame()

    def begin(self, model: Model, view: View, *, format: PixelFormat = "i420", scale: float = 1.0) -> Pending:
        """Queues a frame and its readback and returns at once.

        scale: of the frame's size to the view's, each axis, at most 1; for I420 only. Who encodes it scales it up,
        which costs a processor a tenth of what sampling a texture does.
        """
        begun = time.perf_counter()
        targets = self._target(view, format)
        width, height = (view.width, view.height) if format == "rgba8" else _reduced(view, scale)
        if format != "rgba8" and self._radiance.shows(model, view, targets):
            self._draw_scene(model, view, targets, (width, height), shown=True)
            return self._deliver(targets, view, format, width, height, 1, begun, upright=False)
        part = self._draw_scene(model, view, targets, (width, height))
        self._post.tone_map(targets, view, width, height, part)
        return self._deliver(targets, view, format, width, height, 1, begun)

    def finish(self, pending: Pending) -> Frame:
        """Waits for a begun frame and copies it out. Raises DeviceError when the device hangs."""
        waiting = time.perf_counter()
        pixels = self._readback.collect(pending.transfer)
        done = time.perf_counter()
        self._context.check("a frame")
        timings = {
            "submit": (pending.submitted - pending.begun) * 1e3,
            "wait": (done - waiting) * 1e3,
            "total": (done - pending.begun) * 1e3,
        }
        width, height = pending.size
        scale = width / pending.view.width
        return Frame(width, height, pending.format, pixels, pending.view, pending.samples, scale, timings)

    def accumulate(
        self, model: Model, view: View, *, samples: int = 16, format: PixelFormat = "i420", traced: bool | None = None
    ) -> Accumulation:
        """Starts a refined picture, one sample a step, so that others can be drawn in between.

        traced: by following light between surfaces, else by rasterising from jittered cameras. None: as the engine was
        opened for pictures at rest, and once the model is prepared for it in the background. What rays cannot meet
        (points, lines) is always rasterised, and so are debug channels. ViewError for an unknown variant or animation.
        """
        self._target(view, format)
        wanted = self._trace_at_rest if traced is None else traced
        possible = wanted and view.channel is None and traceable(model.scene, model.pose(view.animation))
        if possible and (traced or self._trace().residents.ready(model, view)):
            return Traced(self, model, view, samples, format)
        return Rasterised(self, model, view, samples, format)

    def add_jittered(
        self, model: Model, view: View, format: PixelFormat, total: Sum, jitter: tuple[float, float], count: int
    ) -> Rectangle:
        """Adds one rasterised picture to a sum; returns the part it may cover.

        jitter: (x, y) in pixels. count: how many pictures the sum will hold.
        """
        targets = self._target(view, format)
        part = self._draw_scene(model, view, targets, (view.width, view.height), jitter, Step(total.samples, count))
        self._post.accumulate(targets, total, part)
        return part

    def add_traced(self, model: Model, view: View, total: TracedSum) -> Rectangle:
        """Adds one path for each pixel to a sum; returns the part they may cover."""
        tracer = self._trace()
        scene, pose = tracer.residents.scene(model, view), model.pose(view.animation)
        seen = cameras.camera(view, model.bounds, pose.box)
        part: Rectangle = (0, 0, view.width, view.height)
        if view.background != "environment":
            part = cameras.screen_rectangle(seen.projection, seen, pose.box, view.width, view.height)
        environment = self._environment(view.environment)
        tracer.draw(scene, pose, view, seen, environment, total, part)
        return part

    def lay_ground(
        self, model: Model, view: View, format: PixelFormat, total: Sum, part: Rectangle, both: Sum
    ) -> Rectangle:
        """Fills `both` with a sum over the shadow on the floor, which is behind all of a model that is seen from above.

        part: of the sum. Returns the part of `both` that may hold anything.
        """
        targets = self._target(view, format)
        joined = self._radiance.draw_ground(model, view, targets, (view.width, view.height), part)
        self._post.lay_under(targets, total, joined, both)
        return joined

    def cleaned(self, total: TracedSum, part: Rectangle) -> Sum:
        """The average of a traced sum without grain, the caller's to close."""
        return self._trace().clean.draw(total, part)

    def deliver(self, view: View, format: PixelFormat, total: Sum, part: Rectangle, begun: float) -> Frame:
        """The average of a sum as a finished frame. begun: time.perf_counter() of its first sample."""
        targets = self._target(view, format)
        self._post.tone_map(targets, view, view.width, view.height, part, total)
        return self.finish(self._deliver(targets, view, format, view.width, view.height, total.samples, begun))

    def camera(self, model: Model, view: View) -> Camera:
        """The camera of a view of this model, for picking."""
        return cameras.camera(view, model.bounds)

    def close(self) -> None:
        """Frees everything, models included, and the context."""
        self._stack.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _draw_scene(
        self,
        model: Model,
        view: View,
        targets: Targets,
        size: tuple[int, int],
        jitter: tuple[float, float] = (0.0, 0.0),
        step: Step | None = None,
        *,
        shown: bool = False,
    ) -> Rectangle:
        """Linear radiance in the first `size` pixels of `targets.radiance`; returns the part it may cover.

        jitter: pixels. step: which of many pictures that are averaged; None for a picture that stands alone.
        shown: display values in `targets.display` instead.
        """
        light = self._environment(view.environment)
        return self._radiance.draw(model, view, light, targets, size, jitter, step=step, shown=shown)

    def _deliver(
        self,
        targets: Targets,
        view: View,
        format: PixelFormat,
        width: int,
        height: int,
        samples: int,
        begun: float,
        *,
        upright: bool = True,
    ) -> Pending:
        """Queues everything from display values to bytes in main memory. upright: see `PostPass.planes`."""
        if format != "rgba8":
            self._post.planes(targets, width, height, format, upright=upright)
            transfer = self._readback.start(targets.planes_buffer, width // 4, height * 3 // 2, 4)
            transfer.shape = (height * 3 // 2, width)
        else:
            transfer = self._readback.start(targets.display_buffer, width, height, 4)
        return Pending(transfer, view, format, (width, height), samples, begun)

    def _target(self, view: View, format: PixelFormat) -> Targets:
        """The pictures for a view's size. Raises ViewError for a size, exposure or tone mapping out of range."""
        w, h = view.width, view.height
        if not (w >= 1 and h >= 1 and w * h <= MAX_PIXELS):
            raise ViewError(
                f"size {w}x{h} is out of range; each side at least 1 and at most {MAX_PIXELS} pixels in all"
            )
        if format != "rgba8" and (w % 8 or h % 4):
            raise ViewError(f"size {w}x{h} cannot be I420: the width must be a multiple of 8, the height of 4")
        if view.tone_mapping not in TONE_MAPPINGS:
            raise ViewError(f"no tone mapping {view.tone_mapping!r}; allowed: {', '.join(TONE_MAPPINGS)}")
        if (w, h) not in self._targets and len(self._targets) >= MAX_TARGETS:
            self._targets.popitem(last=False)[1].close()
        if (w, h) not in self._targets:
            self._targets[w, h] = Targets(self._context, w, h, msaa=self._msaa)
        self._targets.move_to_end((w, h))
        return self._targets[w, h]

    def _environment(self, name: str) -> Environment:
        """A filtered environment. Raises ViewError that lists the allowed names."""
        if name not in self._sources:
            raise ViewError(f"no environment {name!r}; allowed: {', '.join(self._sources)}")
        if name not in self._environments:
            if len(self._environments) >= MAX_ENVIRONMENTS:
                self._forget(self._environments.popitem(last=False)[1])
            self._environments[name] = self._filter.make(name, self._sources[name]())
        self._environments.move_to_end(name)
        return self._environments[name]

    def _trace(self) -> Tracer:
        if self._tracer is None:
            self._tracer = Tracer(self._context, self._empty, self._filter.dfg)
        return self._tracer

    def _forget(self, environment: Environment) -> None:
        if self._tracer is not None:
            self._tracer.forget(environment)
        environment.close()

    def _close_all(self) -> None:
        for model in list(self._models):
            self.release(model)
        for targets in self._targets.values():
            targets.close()
        for environment in self._environments.values():
            environment.close()
        for part in (self._readback, self._post, self._tracer, self._radiance, self._filter):
            if part is not None:
                part.close()


def _reduced(view: View, scale: float) -> tuple[int, int]:
    """The size in pixels of a picture drawn smaller than its view, as I420 by fours of bytes allows it."""
    scale = min(1.0, max(MIN_SCALE, scale))
    return math.ceil(view.width * scale / 8) * 8, math.ceil(view.height * scale / 4) * 4

"""The render process: models, the scheduler, encoders. Views come in, packets go out; it knows no WebRTC and no HTTP.

One event loop for messages, one render thread, a bounded pool of encoder threads, one thread that reads files. Python
work is kept small here: it would be paid in milliseconds by every picture that is being encoded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from renderer.errors import DeviceError, RendererError, ViewError
from renderer.frame import Frame
from streaming import encoders, metrics
from streaming.backend import Backend, RenderThread
from streaming.config import Config
from streaming.encoding import Done, EncoderPool, StreamEncoder
from streaming.errors import ProtocolError, SignallingError
from streaming.ipc import Answer, CameraInput, Handler, Link, Packet, Params
from streaming.memory import Trimmer
from streaming.models import Loaded, ModelCache
from streaming.protocol import (
    CONTROL_CHANNEL,
    VERSION,
    Camera,
    ErrorReply,
    Hello,
    Inbound,
    Outbound,
    Pick,
    Picked,
    Ready,
    dump,
    from_dict,
)
from streaming.scheduler import Pace, Scheduler
from streaming.state import Facts, State, apply
from streaming.stream import Refinement, Stream
from streaming.viewspec import check_names, view_from_json

DEVICE_FAILURES = 3  # sessions in a row that the device would not draw, until the process asks to be restarted

logger = logging.getLogger(__name__)


class Viewer:
    """One session as the render process sees it."""

    def __init__(self, number: int, network: Link, model_id: str, model: Loaded, state: State, max_pixels: int) -> None:
        self.number = number
        self.max_pixels = max_pixels  # of one picture
        self.network = network
        self.model_id = model_id
        self.model = model
        self.state = state
        self.picking = False
        self.joined = time.monotonic()
        self.frames = self.bytes = 0  # encoded for it
        self.stream: Stream
        self.encoder: StreamEncoder

    def send(self, message: Outbound) -> None:
        """Send a control message."""
        self.network.notice("control", session=self.number, text=dump(message))

    def told(self, now: float) -> dict[str, int | float]:
        """For operators. idle: seconds since its last input; bitrate: aimed at, bits per second."""
        return {
            "session": self.number,
            "width": self.state.view.width,
            "height": self.state.view.height,
            "bitrate": self.encoder.bitrate,
            "frames": self.frames,
            "bytes": self.bytes,
            "idle": round(now - max(self.joined, self.stream.last_input), 1),
        }


class RenderProcess(Handler):
    """Answers the gateway and the network processes; everything here runs on one event loop."""

    def __init__(self, config: Config, backend: Backend, thread: RenderThread) -> None:
        self.config, self.backend, self.thread = config, backend, thread
        self.metrics = metrics.RenderMetrics()
        self._loop = asyncio.get_running_loop()
        self._workers = ThreadPoolExecutor(config.load_threads, thread_name_prefix="load")
        self._pickers = ThreadPoolExecutor(1, thread_name_prefix="pick")
        self._models = ModelCache(
            backend, thread, config.gpu_bytes, config.frame_budget, self._workers, config.channels
        )
        self.broken = asyncio.Event()  # the device fails again and again: only a new process helps
        self._device_failures = 0  # in a row
        self._viewers: dict[int, Viewer] = {}
        self._trimmer = Trimmer()
        self._networks: dict[int, Link] = {}
        pace = Pace(1 / config.frame_rate, 1 / config.animation_rate, config.rest_seconds, config.refine_samples)
        self._scheduler = Scheduler(thread.submit, self._timer, time.monotonic, pace, self._stream_failed)
        factories = {
            "video/H264": encoders.choose("video/H264", config.encoder_h264),
            "video/VP8": encoders.choose("video/VP8", config.encoder_vp8),
        }
        self._encoders = EncoderPool(self._scheduler, factories, config.encoder_threads)

    def close(self) -> None:
        """End every session, free every model, end every thread."""
        for number in list(self._viewers):
            self._end(number)
        self._trimmer.close()
        self._models.close()
        self._encoders.close()
        self._workers.shutdown(cancel_futures=True)
        self._pickers.shutdown(cancel_futures=True)
        self.thread.close()

    # -- links --------------------------------------------------------------------------------------------------------

    async def on_request(self, method: str, params: Params) -> Answer:
        """The gateway's questions."""
        match method:
            case "load":
                model = await self._acquire(params)
                self._models.release(model)
                return Answer({"bytes": model.bytes})
            case "open":
                return await self._open(params)
            case "close":
                self._end(params["session"])
                return Answer({})
            case "still":
                return await self._still(params)
            case "sessions":
                now = time.monotonic()
                return Answer([viewer.told(now) for viewer in self._viewers.values()])
            case "stats":
                return Answer(await self._stats())
            case _:
                return await super().on_request(method, params)

    def on_notice(self, link: Link, method: str, params: Params) -> None:
        """What the network processes tell, and the gateway's wish to end a session."""
        if method == "network":
            link.name = f"network process {params['index']}"
            self._networks[params["index"]] = link
            return
        if method == "close":
            self._end(params["session"])
            return
        viewer = self._viewers.get(params["session"])
        if viewer is None or viewer.network is not link:
            return
        match method:
            case "message":
                kind = CONTROL_CHANNEL[params["message"]["type"]]
                self._message(viewer, from_dict(kind, params["message"]))
            case "key":
                self._scheduler.request_key(viewer.stream)
            case "bitrate":
                viewer.encoder.retarget(params["bitrate"])
            case "gone":
                self._end(viewer.number)

    def on_camera(self, camera: CameraInput) -> None:
        """The input that comes most often."""
        viewer = self._viewers.get(camera.session)
        if viewer is not None:
            self._apply(viewer, Camera(camera.seq, camera.orbit, camera.target, camera.fov))

    def on_ack(self, session: int) -> None:
        """A picture has left the host."""
        viewer = self._viewers.get(session)
        if viewer is not None:
            self._scheduler.acknowledge(viewer.stream)

    def on_lost(self, link: Link) -> None:
        """A network process ended: so do its sessions."""
        for viewer in [v for v in self._viewers.values() if v.network is link]:
            self._end(viewer.number)
        for index in [i for i, known in self._networks.items() if known is link]:
            del self._networks[index]

    # -- sessions -----------------------------------------------------------------------------------------------------

    async def _acquire(self, params: Params) -> Loaded:
        return await self._models.acquire((params["model"], params["version"]), Path(params["path"]))

    async def _open(self, params: Params) -> Answer:
        number, codec = params["session"], params["codec"]
        model = await self._acquire(params)
        network = self._networks.get(params["network"])
        if network is None:
            self._models.release(model)
            raise SignallingError(503, "starting", "the network process is not ready; try again")
        try:
            view = check_names(view_from_json(params["view"]), model.facts)
        except ViewError as error:
            self._models.release(model)
            raise SignallingError(400, "bad-view", str(error)) from error
        state = State(view, playing=params["playing"] and view.animation is not None, since=time.monotonic())
        viewer = Viewer(number, network, params["model"], model, state, params["max_pixels"])
        viewer.encoder = StreamEncoder(
            self._encoders, codec, round(self.config.frame_rate), self.config.bitrate, self._sink(viewer)
        )
        viewer.stream = Stream(model.model, model.governor, viewer.state, viewer.encoder.offer)
        self._viewers[number] = viewer
        self.metrics.sessions.set(len(self._viewers))
        self._scheduler.add(viewer.stream)
        return Answer({})

    def _end(self, number: int) -> None:
        viewer = self._viewers.pop(number, None)
        if viewer is None:
            return
        self._scheduler.remove(viewer.stream)
        viewer.encoder.close()
        self._models.release(viewer.model)
        self.metrics.sessions.set(len(self._viewers))
        self._trimmer.soon()

    def _message(self, viewer: Viewer, message: Inbound) -> None:
        match message:
            case Hello(version=version):
                self._hello(viewer, version)
            case Pick():
                self._pick(viewer, message)
            case _:
                self._apply(viewer, message)

    def _apply(self, viewer: Viewer, message: Inbound) -> None:
        try:
            viewer.state = apply(
                viewer.state,
                message,
                viewer.model.facts,
                now=time.monotonic(),
                max_pixels=viewer.max_pixels,
            )
        except ProtocolError as error:
            viewer.send(ErrorReply(error.code, str(error)))
        else:
            self._scheduler.change(viewer.stream, viewer.state)

    def _hello(self, viewer: Viewer, version: int) -> None:
        if version != VERSION:
            viewer.send(ErrorReply("bad-version", f"this server speaks version {VERSION}, not {version}"))
            return
        facts = viewer.model.facts
        viewer.send(_ready(viewer.model_id, facts))

    def _pick(self, viewer: Viewer, pick: Pick) -> None:
        if viewer.picking:
            viewer.send(ErrorReply("busy", "the pick before this one has not been answered yet"))
            return
        viewer.picking = True
        view = viewer.state.at(time.monotonic())
        future = self._loop.run_in_executor(self._pickers, self.backend.pick, viewer.model.model, view, pick.x, pick.y)

        def answer(done: asyncio.Future[tuple[str, list[float], list[float]] | None]) -> None:
            viewer.picking = False
            if done.cancelled():
                return
            error = done.exception()
            if error is not None:
                logger.error("pick failed", exc_info=error)
                viewer.send(ErrorReply("internal", "the pick failed; the server's log has the details"))
                return
            viewer.send(Picked(pick.id, *(done.result() or (None, None, None))))

        future.add_done_callback(answer)

    # -- pictures out -------------------------------------------------------------------------------------------------

    def _sink(self, viewer: Viewer) -> Callable[[Done | Exception], None]:
        """Called on encoder threads; goes on on the event loop."""

        def sink(done: Done | Exception) -> None:
            with suppress(RuntimeError):  # the loop has been closed: the process is ending
                self._loop.call_soon_threadsafe(self._encoded, viewer, done)

        return sink

    def _encoded(self, viewer: Viewer, done: Done | Exception) -> None:
        if viewer.number not in self._viewers:
            return
        if isinstance(done, Exception):
            self._fail(viewer, done)
            return
        self._device_failures = 0
        frame, data = done.shot.frame, done.encoded
        timestamp = round(done.shot.captured * 90_000) & 0xFFFFFFFF
        viewer.frames += 1
        viewer.bytes += len(data.data)
        viewer.network.packet(Packet(viewer.number, timestamp, done.shot.seq, data.key, data.data))
        numbers = self.metrics
        numbers.frames.labels("refined" if frame.samples > 1 else "moving").inc()
        numbers.render.observe(frame.timings.get("total", 0.0))
        numbers.encoded.inc()
        numbers.target.observe(viewer.encoder.bitrate / 1e3)
        numbers.encode.observe(done.seconds * 1e3)
        numbers.bytes.inc(len(data.data))
        if data.key:
            numbers.keys.inc()

    def _stream_failed(self, stream: Stream, error: Exception) -> None:
        """Called on the render thread."""

        def fail() -> None:
            for viewer in [v for v in self._viewers.values() if v.stream is stream]:
                self._fail(viewer, error)

        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(fail)

    def _fail(self, viewer: Viewer, error: Exception) -> None:
        """A session that cannot be drawn or encoded ends; the viewer is told and the others go on."""
        logger.error("session %d ends: %s", viewer.number, error, exc_info=error, extra={"session": viewer.number})
        self.metrics.failures.inc()
        if isinstance(error, DeviceError):
            self._device_failures += 1
            if self._device_failures >= DEVICE_FAILURES:
                self.broken.set()
        viewer.send(ErrorReply("session-failed", "this session cannot be drawn any more; connect again"))
        viewer.network.notice("end", session=viewer.number)
        self._end(viewer.number)

    def _timer(self, delay: float, wake: Callable[[], None]) -> None:
        """Called on the render thread."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.call_later, delay, wake)

    # -- stills and numbers -------------------------------------------------------------------------------------------

    async def _still(self, params: Params) -> Answer:
        model = await self._acquire(params)
        try:
            view = check_names(view_from_json(params["view"]), model.facts)
            frame = await self._accumulate(model.model, view, params["samples"])
        except ViewError as error:
            raise SignallingError(400, "bad-view", str(error)) from error
        except RendererError as error:
            raise SignallingError(503, "device", str(error)) from error
        finally:
            self._models.release(model)
        return Answer({"width": frame.width, "height": frame.height}, frame.pixels.tobytes())

    async def _accumulate(self, model: Any, view: Any, samples: int) -> Frame:
        future: asyncio.Future[Frame] = self._loop.create_future()

        def finished(frame: Frame) -> None:
            self._loop.call_soon_threadsafe(_set, future, frame)

        def failed(error: Exception) -> None:
            self._loop.call_soon_threadsafe(_set, future, error)

        self._scheduler.still(
            Refinement(model, view, samples, "rgba8", finished, failed, lambda: not future.cancelled())
        )
        return await future

    async def _stats(self) -> metrics.Snapshot:
        objects, size = await asyncio.wrap_future(self.thread.submit(self.backend.ledger))
        self.metrics.objects.set(objects)
        self.metrics.device.set(size)
        self.metrics.models.set(len(self._models))
        self.metrics.model_bytes.set(self._models.bytes)
        return metrics.snapshot(self.metrics.registry)


def _ready(model: str, facts: Facts) -> Ready:
    low, high = facts.bounds
    return Ready(
        version=VERSION,
        model=model,
        bounds={"min": list(low), "max": list(high)},
        variants=list(facts.variants),
        animations=list(facts.animations),
        cameras=list(facts.cameras),
        environments=list(facts.environments),
    )


def _set(future: asyncio.Future[Frame], result: Frame | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)

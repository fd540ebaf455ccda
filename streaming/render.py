"""The render process: models, the scheduler, encoders. Views come in, packets go out; it knows no WebRTC and no HTTP.

One event loop for messages, one render thread, bounded pools of threads that encode and that read files. Python
work is kept small here: it would be paid in milliseconds by every picture that is being encoded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from renderer.errors import DeviceError
from streaming import asked, encoders, metrics
from streaming.backend import Backend, RenderThread
from streaming.config import Config
from streaming.encoding import Done, EncoderPool
from streaming.errors import SignallingError
from streaming.ipc import Answer, CameraInput, Handler, Link, Params
from streaming.load import LoadMeter
from streaming.memory import Trimmer
from streaming.models import Loaded, ModelCache
from streaming.protocol import CONTROL_CHANNEL, Camera, ErrorReply, Hello, Inbound, Pick, from_dict
from streaming.scheduler import Scheduler
from streaming.stream import Pace, Stream
from streaming.versions import is_preview
from streaming.viewers import Limits, Viewer, first_state
from streaming.watching import Output

DEVICE_FAILURES = 3  # sessions in a row that the device would not draw, until the process asks to be restarted

logger = logging.getLogger(__name__)


class RenderProcess(Handler):
    """Answers the gateway and the network processes; everything here runs on one event loop."""

    def __init__(self, config: Config, backend: Backend, thread: RenderThread) -> None:
        self.config, self.backend, self.thread = config, backend, thread
        self.metrics = metrics.RenderMetrics()
        self._loop = asyncio.get_running_loop()
        self._workers = ThreadPoolExecutor(config.load_threads, thread_name_prefix="load")
        self._picker = asked.Picker(backend)
        self.models = ModelCache(
            backend,
            thread,
            config.gpu_bytes,
            config.frame_budget,
            self._workers,
            channels=config.channels,
            metrics=self.metrics,
        )
        self.broken = asyncio.Event()  # the device fails again and again: only a new process helps
        self._device_failures = 0  # in a row
        self._viewers: dict[int, Viewer] = {}  # by their owners' sessions
        self._watched: dict[int, Viewer] = {}  # by their watchers' sessions
        self._trimmer = Trimmer()
        self._networks: dict[int, Link] = {}
        self._meter = LoadMeter(config.encoder_threads)
        pace = Pace(
            moving=1 / config.frame_rate,
            playing=1 / config.animation_rate,
            rest=config.rest_seconds,
            prompt=config.prompt_seconds,
            samples=config.refine_samples,
            ahead=config.encoder_threads + 1,
        )
        self._scheduler = Scheduler(thread.submit, self._timer, time.monotonic, pace, self._stream_failed, self._meter)
        factories = {
            "video/H264": encoders.choose("video/H264", config.encoder_h264),
            "video/VP8": encoders.choose("video/VP8", config.encoder_vp8),
        }
        self._encoders = EncoderPool(self._scheduler, factories, config.encoder_threads, self._meter)

    def close(self) -> None:
        """End every session, free every model, end every thread."""
        for number in list(self._viewers):
            self._end(number)
        self._scheduler.close()
        self._trimmer.close()
        self.models.close()
        self._encoders.close()
        self._workers.shutdown(cancel_futures=True)
        self._picker.close()
        self.thread.close()

    # -- links --------------------------------------------------------------------------------------------------------

    async def on_request(self, method: str, params: Params) -> Answer:
        """The gateway's questions."""
        match method:
            case "load":
                model = await self._acquire(params)
                self.models.release(model)
                return Answer({"bytes": model.bytes})
            case "loaded":
                return Answer((params["model"], params["version"]) in self.models)
            case "open":
                return await self._open(params)
            case "exchange":
                return await self._exchange(params)
            case "watch":
                return self._watch(params)
            case "close":
                self._end(params["session"])
                return Answer({})
            case "still":
                return await self._still(params)
            case "sessions":
                now = time.monotonic()
                return Answer([viewer.told(now) for viewer in self._viewers.values()])
            case "busy":
                return Answer(self._busy())
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
        number = params["session"]
        if method == "close":
            self._end(number)
        elif number in self._watched:
            self._on_watcher(Output(link, number), method, params)
        elif number in self._viewers and self._viewers[number].owner.link is link:
            self._on_owner(self._viewers[number], method, params)

    def _on_owner(self, viewer: Viewer, method: str, params: Params) -> None:
        match method:
            case "message":
                kind = CONTROL_CHANNEL[params["message"]["type"]]
                self._message(viewer, from_dict(kind, params["message"]))
            case "key":
                self._scheduler.request_key(viewer.stream)
            case "bitrate":
                viewer.retarget(params["bitrate"], params["sustained"])
            case "gone":
                self._end(viewer.number)

    def _on_watcher(self, watcher: Output, method: str, params: Params) -> None:
        """A watcher may greet, need a key frame and leave; whatever else it says changes nothing."""
        viewer = self._watched[watcher.session]
        match method:
            case "message" if params["message"]["type"] == "hello":
                viewer.greet(watcher, params["message"]["version"])
            case "key":
                viewer.watchers.key_wanted(watcher.session)
            case "connected":
                viewer.watchers.connected(watcher.session)
            case "gone":
                self._end(watcher.session)

    def on_camera(self, camera: CameraInput) -> None:
        """The input that comes most often."""
        viewer = self._viewers.get(camera.session)
        if viewer is not None:
            self._apply(viewer, Camera(camera.seq, camera.orbit, camera.target, camera.fov))

    def on_ack(self, session: int) -> None:
        """A picture has left the host; only the owner's network sets the pace."""
        viewer = self._viewers.get(session)
        if viewer is not None:
            self._scheduler.acknowledge(viewer.stream)
        elif session in self._watched:
            self._watched[session].watchers.acknowledge(session)

    def on_lost(self, link: Link) -> None:
        """A network process ended: so do its sessions."""
        for viewer in list(self._viewers.values()):
            if viewer.owner.link is link:
                self._end(viewer.number)
            else:
                for watcher in [output for output in viewer.watchers if output.link is link]:
                    self._end(watcher.session)
        for index in [i for i, known in self._networks.items() if known is link]:
            del self._networks[index]

    # -- sessions -----------------------------------------------------------------------------------------------------

    async def _acquire(self, params: Params) -> Loaded:
        key, path = (params["model"], params["version"]), Path(params["path"])
        return await self.models.acquire(key, path, secret=params.get("secret", False))

    async def _open(self, params: Params) -> Answer:
        """Begin a session, or begin one again that a render process before this one had. Raises SignallingError."""
        model = await self._acquire(params)
        try:
            owner = self._output(params)
            state, refused = first_state(params, model.facts)
        except SignallingError:
            self.models.release(model)
            raise
        self._end(owner.session)
        limits = Limits(params["max_pixels"], round(self.config.frame_rate), params.get("bitrate", self.config.bitrate))
        encoding = (self._encoders, params["codec"])
        viewer = Viewer(owner, (params["model"], model), state, encoding, limits, self._sink)
        viewer.await_whole(is_preview(params["version"]), refused)
        viewer.stream.resumed = params.get("resumed", False)
        self._viewers[owner.session] = viewer
        self.metrics.sessions.set(len(self._viewers))
        self._scheduler.add(viewer.stream)
        return Answer({})

    async def _exchange(self, params: Params) -> Answer:
        """Show a session another file of its model, mostly the whole after a preview; whatever it has chosen stays."""
        model = await self._acquire(params)
        viewer = self._viewers.get(params["session"])
        if viewer is None:  # it has ended meanwhile
            self.models.release(model)
            return Answer({})
        before = viewer.model
        self._scheduler.exchange(viewer.stream, model.model, model.governor)
        for message in viewer.exchange(model):
            self._apply(viewer, message)
        self.models.release(before)
        return Answer({})

    def _watch(self, params: Params) -> Answer:
        """Show the session `watch` to the session `session`, too. Raises SignallingError."""
        viewer = self._viewers.get(params["watch"])
        if viewer is None:
            raise SignallingError(404, "no-session", "the session to watch has ended")
        if viewer.codec != params["codec"]:
            raise SignallingError(409, "codec", f"the session to watch is sent as {viewer.codec}")
        watcher = self._output(params)
        self._end(watcher.session)
        self._watched[watcher.session] = viewer
        viewer.watchers.join(watcher)
        if params["connected"]:
            viewer.watchers.connected(watcher.session)
        return Answer({})

    def _output(self, params: Params) -> Output:
        network = self._networks.get(params["network"])
        if network is None:
            raise SignallingError(503, "starting", "the network process is not ready; try again")
        return Output(network, params["session"])

    def _end(self, number: int) -> None:
        """End a session; with an owner's go those of its watchers."""
        watched = self._watched.pop(number, None)
        if watched is not None:
            watched.watchers.leave(number)
            return
        viewer = self._viewers.pop(number, None)
        if viewer is None:
            return
        for watcher in list(viewer.watchers):
            watcher.link.notice("end", session=watcher.session)
            self._end(watcher.session)
        self._scheduler.remove(viewer.stream)
        viewer.encoder.close()
        self.models.release(viewer.model)
        self.metrics.sessions.set(len(self._viewers))
        self._trimmer.soon()

    def _message(self, viewer: Viewer, message: Inbound) -> None:
        match message:
            case Hello(version=version):
                viewer.greet(viewer.owner, version)
            case Pick():
                self._picker.pick(viewer, message)
            case _:
                self._apply(viewer, message)

    def _apply(self, viewer: Viewer, message: Inbound) -> None:
        if viewer.apply(message):
            self._scheduler.change(viewer.stream, viewer.state)

    # -- pictures out -------------------------------------------------------------------------------------------------

    def _sink(self, viewer: Viewer, done: Done | Exception) -> None:
        """Called on encoder threads; goes on on the event loop."""
        with suppress(RuntimeError):  # the loop has been closed: the process is ending
            self._loop.call_soon_threadsafe(self._encoded, viewer, done)

    def _encoded(self, viewer: Viewer, done: Done | Exception) -> None:
        if self._viewers.get(viewer.number) is not viewer:
            return
        if isinstance(done, Exception):
            self._fail(viewer, done)
            return
        self._device_failures = 0
        viewer.deliver(done)
        frame, numbers = done.shot.frame, self.metrics
        numbers.frames.labels("refined" if frame.samples > 1 else "moving").inc()
        numbers.render.observe(frame.timings.get("total", 0.0))
        numbers.encoded.inc()
        numbers.target.observe(viewer.encoder.bitrate / 1e3)
        numbers.encode.observe(done.seconds * 1e3)
        numbers.bytes.inc(len(done.encoded.data))
        if done.encoded.key:
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
        viewer.owner.link.notice("end", session=viewer.number)
        self._end(viewer.number)

    def _timer(self, delay: float, wake: Callable[[], None]) -> None:
        """Called on the render thread."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.call_later, delay, wake)

    # -- stills and numbers -------------------------------------------------------------------------------------------

    async def _still(self, params: Params) -> Answer:
        model = await self._acquire(params)
        try:
            return await asked.still(self._scheduler, model, params)
        finally:
            self.models.release(model)

    def _busy(self) -> dict[str, float]:
        """What moving pictures take: shares from 0 to 1, viewers that moved in the last second, all viewers."""
        load = self._meter.read(time.monotonic())
        moving = self._scheduler.moving(1.0)
        self.metrics.busy.labels("render").set(load.render)
        self.metrics.busy.labels("encode").set(load.encode)
        self.metrics.late.set(load.late)
        self.metrics.moving.set(moving)
        return {**asdict(load), "moving": moving, "sessions": len(self._viewers)}

    async def _stats(self) -> metrics.Snapshot:
        self._busy()
        objects, size = await asyncio.wrap_future(self.thread.submit(self.backend.ledger))
        self.metrics.objects.set(objects)
        self.metrics.device.set(size)
        self.metrics.models.set(len(self.models))
        self.metrics.model_bytes.set(self.models.bytes)
        return metrics.snapshot(self.metrics.registry)

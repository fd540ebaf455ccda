"""Owns the baseline's video track and its passive trace. Pacing and encoding are aiortc's own."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from aiortc import VideoStreamTrack, rtcrtpsender
from av import VideoFrame

from benchmarks.baseline.scene import Scene

_MAX_TRACE = 20_000  # frames and inputs remembered: ten minutes at 30 a second


@dataclass(frozen=True, slots=True)
class Camera:
    """The newest camera message. Degrees and metres."""

    seq: int = 0
    orbit: tuple[float, float, float] = (30.0, 75.0, 2.0)
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fov: float = 30.0


@dataclass(slots=True)
class Trace:
    """What happened when, in wall-clock milliseconds. frames: one dict per frame, named by its time stamp `pts`."""

    inputs: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_MAX_TRACE))
    frames: deque[dict[str, float]] = field(default_factory=lambda: deque(maxlen=_MAX_TRACE))

    def clear(self) -> None:
        self.inputs.clear()
        self.frames.clear()


def now() -> float:
    """Wall clock, milliseconds."""
    return time.time() * 1000


class RenderTrack(VideoStreamTrack):
    """Draws the newest camera at each tick of aiortc's clock."""

    def __init__(self, scene: Scene, camera: Callable[[], Camera], executor: Executor, trace: Trace) -> None:
        super().__init__()
        self._scene, self._camera, self._executor, self._trace = scene, camera, executor, trace
        self._previous: dict[str, float] | None = None

    async def recv(self) -> VideoFrame:
        """The next frame; the sender calls again when all packets of the one before have left."""
        if self._previous is not None:
            self._previous["sent"] = now()
        pts, time_base = await self.next_timestamp()
        entry: dict[str, float] = {"pts": pts}
        frame = await asyncio.get_running_loop().run_in_executor(self._executor, self._draw, entry)
        frame.pts, frame.time_base = pts, time_base
        self._trace.frames.append(entry)
        self._previous = entry
        return frame

    def _draw(self, entry: dict[str, float]) -> VideoFrame:
        camera = self._camera()
        entry["seq"], entry["render_start"] = camera.seq, now()
        picture = self._scene.render(*camera.orbit, camera.target, camera.fov)
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        entry["render_end"] = now()
        return frame


def trace_encoders(trace: Trace) -> None:
    """Wrap aiortc's encoder factory: each encode leaves its times in the trace, the encoders stay as they are."""
    sender: Any = rtcrtpsender  # the factory is no public name
    factory = sender.get_encoder

    def traced(codec: Any) -> Any:
        encoder = factory(codec)
        encode = encoder.encode

        def timed(frame: Any, force_keyframe: bool = False) -> Any:
            start = now()
            packets = encode(frame, force_keyframe)
            for entry in reversed(trace.frames):
                if entry["pts"] == frame.pts:
                    entry.update(encode_start=start, encode_end=now(), bytes=sum(map(len, packets[0])))
                    break
            return packets

        encoder.encode = timed
        return encoder

    sender.get_encoder = traced

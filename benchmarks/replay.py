"""Owns the backends that replay: `VITRINE_BACKEND=benchmarks.replay:frames` hands over ready pictures at the price of a
copy, `benchmarks.replay:packets` ready packets at none. What is left is the price of everything behind the renderer.

The "model" is a file of pictures that `benchmarks.pictures` drew.
"""

from __future__ import annotations

import queue
import struct
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.pictures import COUNTS, picture_at
from renderer.errors import FormatError
from renderer.frame import Frame, PixelFormat
from renderer.view import View
from streaming.encoders import Encoded, EncoderSettings, find
from streaming.state import Facts

T = TypeVar("T")
Pixels = NDArray[np.uint8]

PACKET_ENCODER = "benchmarks.replay:Replayed"  # for VITRINE_ENCODER_H264, beside the backend `packets`
_PACKET_BITRATE, _PACKET_RATE = 3_000_000, 30  # of the packets that are replayed, whatever the pictures are of
_FILLER = b"\0\0\0\1\x0c"  # a NAL unit of H.264 that decoders skip, of any length
_SIZES = struct.Struct("<II")  # of a predicted picture, and of its first NAL unit


def frames() -> Replay:
    """The backend of ready pictures."""
    return Replay(packed=False)


def packets() -> Replay:
    """The backend of ready packets; needs the encoder `Replayed`."""
    return Replay(packed=True)


@dataclass(frozen=True, eq=False, slots=True)
class Turntable:
    """Pictures by step: I420 [steps, height * 3 / 2, width], or for each step a packet in two readings."""

    pictures: Pixels
    packets: Sequence[Pixels]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pictures.shape[2], self.pictures.shape[1] * 2 // 3


class Replayed:
    """An encoder that encodes nothing: its pictures are packets already."""

    def __init__(self, settings: EncoderSettings) -> None:
        self.settings = settings

    def encode(self, pixels: Pixels, timestamp: int, *, key: bool, still: bool = False) -> Encoded:  # noqa: ARG002
        """The packet that the picture is, as a key frame or predicted. pixels: what `pack` made."""
        data = pixels.reshape(-1)
        size, first = _SIZES.unpack(data[: _SIZES.size].tobytes())
        split = _SIZES.size + min(size, data.size)
        if key:
            return Encoded(data[split:].tobytes(), key)
        units = (first, size - first) if first < size else (first,)
        return Encoded(data[_SIZES.size : split].tobytes(), key, units=units)

    def retarget(self, bitrate: int) -> None:
        """Packets are as large as they are."""

    def exert(self, thorough: bool) -> None:
        """Packets are as good as they are."""

    def close(self) -> None:
        """Nothing to free."""


def pack(predicted: bytes, first: int, key: bytes) -> Pixels:
    """Two readings of one picture as what `Replayed` takes: sizes, the predicted one, the key frame.

    first: bytes of the predicted one's first NAL unit; another one may follow.
    """
    return np.frombuffer(_SIZES.pack(len(predicted), first) + predicted + key, np.uint8)


def filled(data: bytes, size: int) -> bytes:
    """A picture of at least about `size` bytes: what is missing is filler."""
    room = size - len(data) - len(_FILLER) - 1
    return data if room < 0 else data + _FILLER + b"\xff" * room + b"\x80"


def encode_all(pictures: Pixels) -> list[Pixels]:
    """Every picture as a packet that follows the one before it, filled up to the bitrate, and as a key frame."""
    height, width = pictures.shape[1] * 2 // 3, pictures.shape[2]
    make = find("x264")
    settings = EncoderSettings(width, height, _PACKET_RATE, _PACKET_BITRATE)
    chain, single = make(settings), make(settings)
    chain.encode(pictures[1], 0, key=True)  # the step before the first one on the way back
    found = []
    for step, picture in enumerate(pictures):
        time = (step + 1) * 90_000 // _PACKET_RATE
        predicted, key = chain.encode(picture, time, key=False), single.encode(picture, time, key=True)
        whole = filled(predicted.data, _PACKET_BITRATE // _PACKET_RATE // 8)
        found.append(pack(whole, len(predicted.data), key.data))
    chain.close()
    single.close()
    return found


class _Thread:
    """Does what is asked in order, on one thread."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[Any], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Any], T]) -> Future[T]:
        future: Future[T] = Future()
        self._work.put((work, future))
        return future

    def close(self) -> None:
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        engine = _Engine()
        while (item := self._work.get()) is not None:
            work, future = item
            try:
                future.set_result(work(engine))
            except Exception as error:
                future.set_exception(error)


class _Engine:
    """Answers a view with the picture of its theta."""

    overlaps = False

    def begin(self, model: Turntable, view: View, *, format: PixelFormat = "i420", scale: float = 1.0) -> Any:  # noqa: ARG002
        return model, view, format

    def finish(self, pending: Any) -> Frame:
        model, view, format = pending
        step = picture_at(view.orbit.theta, len(model.pictures))
        if model.packets:
            return Frame(view.width, view.height, "i420", model.packets[step], view)
        picture = model.pictures[step]
        if format == "rgba8":
            grey = _fitted(picture, view)[: view.height]
            return Frame(view.width, view.height, format, np.repeat(grey[:, :, None], 4, axis=2), view)
        return Frame(view.width, view.height, format, _fitted(picture, view), view)

    def accumulate(self, model: Turntable, view: View, *, samples: int = 16, format: PixelFormat = "i420") -> _Still:
        return _Still(self, model, view, samples, format)


@dataclass(eq=False, slots=True)
class _Still:
    engine: _Engine
    model: Turntable
    view: View
    samples: int
    format: PixelFormat

    @property
    def done(self) -> bool:
        return True

    def step(self) -> None:
        """Every sample would be the same."""

    def frame(self) -> Frame:
        frame = self.engine.finish((self.model, self.view, self.format))
        return Frame(frame.width, frame.height, frame.format, frame.pixels, self.view, samples=self.samples)

    def close(self) -> None:
        """Nothing to free."""


@dataclass(eq=False, slots=True)
class _Governor:
    scale: float = 1.0

    def observe(self, milliseconds: float) -> None:
        """Pictures cost what they cost."""


class Replay:
    """A `streaming.backend.Backend` without a device."""

    def __init__(self, packed: bool) -> None:
        self._packed = packed

    def open_thread(self, *, require_gpu: bool) -> _Thread:  # noqa: ARG002
        return _Thread()

    def load_scene(self, path: Path) -> Pixels:
        try:
            pictures: Pixels = np.load(path)
        except (OSError, ValueError) as error:
            raise FormatError(f"{path.name}: not a file of pictures: {error}") from error
        if pictures.dtype != np.uint8 or pictures.ndim != 3 or len(pictures) not in COUNTS:
            raise FormatError(f"{path.name}: expected uint8 of {COUNTS} pictures, not {pictures.shape}")
        return pictures

    def upload(self, engine: Any, scene: Pixels) -> Turntable:  # noqa: ARG002
        return Turntable(scene, encode_all(scene) if self._packed else ())

    def release(self, engine: Any, model: Turntable) -> None:
        """Nothing lives on a device."""

    def size(self, model: Turntable) -> int:
        return int(model.pictures.nbytes)

    def facts(self, engine: Any, model: Turntable) -> Facts:  # noqa: ARG002
        return Facts(
            bounds=((-0.5, 0.0, -0.5), (0.5, 1.0, 0.5)),
            variants=(),
            animations=(),
            durations=(),
            cameras=(),
            environments=("neutral",),
            channels=(),
        )

    def ledger(self, engine: Any) -> tuple[int, int]:  # noqa: ARG002
        return 0, 0

    def pick(self, model: Turntable, view: View, x: float, y: float) -> None:  # noqa: ARG002
        return None

    def governor(self, budget: float) -> _Governor:  # noqa: ARG002
        return _Governor()


def _fitted(picture: Pixels, view: View) -> Pixels:
    """A copy in the size asked for; another size than the file's is made by leaving out or doubling pixels."""
    width, height = picture.shape[1], picture.shape[0] * 2 // 3
    if (width, height) == (view.width, view.height):
        return picture.copy()
    planes = []
    start = 0
    for part in (1, 2, 2):
        rows, columns = height // part, width // part
        plane = picture.reshape(-1)[start : start + rows * columns].reshape(rows, columns)
        start += rows * columns
        wanted_rows, wanted_columns = view.height // part, view.width // part
        down = np.arange(wanted_rows) * rows // wanted_rows
        across = np.arange(wanted_columns) * columns // wanted_columns
        planes.append(plane[down][:, across].reshape(-1))
    return np.concatenate(planes).reshape(view.height * 3 // 2, view.width)

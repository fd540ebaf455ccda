"""From a viewer's mailbox to packets: a bounded pool of encoder threads, one picture of one viewer at a time on each.

Owns the encoders. Refuses to queue pictures: it takes what waits in the mailbox, encodes, hands over, and looks again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from streaming.encoders import Encoded, Encoder, EncoderFactory, EncoderSettings
from streaming.load import LoadMeter
from streaming.scheduler import Scheduler
from streaming.stream import Shot, Stream

# Shares of the render and encoder threads' time, the larger counts (a software rasteriser wants the same cores): below
# the first there is headroom to take half as long again over each picture, above the second there is none. Taking that
# long at the first ends well below the second, so it does not go to and fro.
HEADROOM, CROWDED = 0.2, 0.4
LATE = 10  # times as much as busy threads count late pictures: whatever else wants the cores, they tell


@dataclass(frozen=True, eq=False, slots=True)
class Done:
    """An encoded picture with what was encoded and how long it took (seconds)."""

    shot: Shot
    encoded: Encoded
    seconds: float


class StreamEncoder:
    """One viewer's encoder; rebuilt when the size changes. `offer` may be called from any thread."""

    def __init__(
        self, pool: EncoderPool, codec: str, frame_rate: int, bitrate: int, sink: Callable[[Done | Exception], None]
    ) -> None:
        self._pool, self._codec, self._frame_rate, self._sink = pool, codec, frame_rate, sink
        self._bitrate = bitrate
        self._encoder: Encoder | None = None
        self._lock = threading.Lock()
        self._running = False
        self._closed = False

    def offer(self, stream: Stream) -> None:
        """A picture waits in the stream's mailbox."""
        with self._lock:
            if self._running or self._closed:
                return
            self._running = True
        self._pool.run(lambda: self._work(stream))

    @property
    def bitrate(self) -> int:
        """What it aims at, bits per second."""
        return self._bitrate

    def retarget(self, bitrate: int) -> None:
        """Aim at another bitrate from the next picture on."""
        self._bitrate = bitrate

    def close(self) -> None:
        """Free the encoder, as soon as it is not at work."""
        with self._lock:
            self._closed = True
            idle = not self._running
        if idle:
            self._drop()

    def _work(self, stream: Stream) -> None:
        try:
            taken = self._pool.scheduler.take(stream)
            if taken is not None:
                done = self._encode(*taken)
                self._sink(done)
                if done.encoded.again is not None:
                    self._pool.scheduler.polish(stream, done.shot, done.encoded.again)
        except Exception as error:
            self._sink(error)
        self._rest(stream)

    def _rest(self, stream: Stream) -> None:
        with self._lock:
            self._running = False
            closed = self._closed
        if closed:
            self._drop()
        elif stream.mailbox is not None:
            self.offer(stream)

    def _encode(self, shot: Shot, key: bool) -> Done:
        started = time.perf_counter()
        frame, before = shot.frame, self._encoder
        encoder = self._ready(frame.view.width, frame.view.height)
        key = key or encoder is not before
        encoded = encoder.encode(frame.pixels, round(shot.captured * 90_000), key=key, still=shot.still)
        seconds = time.perf_counter() - started
        if not shot.still:
            self._pool.meter.encoded(seconds, time.monotonic())
        return Done(shot, encoded, seconds)

    def _ready(self, width: int, height: int) -> Encoder:
        encoder = self._encoder
        if encoder is not None and (encoder.settings.width, encoder.settings.height) != (width, height):
            self._drop()
            encoder = None
        if encoder is None:
            settings = EncoderSettings(width, height, self._frame_rate, self._bitrate)
            encoder = self._encoder = self._pool.factories[self._codec](settings)
        encoder.retarget(self._bitrate)
        encoder.exert(self._pool.thorough)
        return encoder

    def _drop(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()


class EncoderPool:
    """The threads that encode; each viewer has at most one picture in it."""

    def __init__(
        self, scheduler: Scheduler, factories: Mapping[str, EncoderFactory], threads: int, meter: LoadMeter
    ) -> None:
        self.scheduler = scheduler
        self.factories = factories
        self.meter = meter
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="encoder")
        self._thorough = True

    @property
    def thorough(self) -> bool:
        """Whether there is time to spend more on each picture, for fewer bytes."""
        load = self.meter.read(time.monotonic())
        self._thorough = max(load.encode, load.render, LATE * load.late) < (CROWDED if self._thorough else HEADROOM)
        return self._thorough

    def run(self, work: Callable[[], None]) -> None:
        """Run on one of the threads."""
        self._threads.submit(work)

    def close(self) -> None:
        """Wait for the pictures at work and end the threads."""
        self._threads.shutdown()

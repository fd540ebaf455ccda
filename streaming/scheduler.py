"""Which viewer's picture is made next: newest view wins, earliest deadline first, refine at rest, then silence.

Owns no thread and no device: `submit` runs one turn on the render thread, `timer` wakes it later, `clock` tells
seconds. Between turns other work of the render thread (loads, uploads) gets in. No viewer waits for more than one
sample of another's refinement. Refuses to queue: a viewer has at most one picture being made, one waiting for its
encoder, WINDOW on the way; all together have `ahead` moving pictures before the encoders, so that none gets old there.

A viewer's deadline is the moment at which its next picture may begin: its interval after the last one, and not before
there is something new to show. Whoever is past it for longest comes first, so too much work slows everybody alike.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from renderer.frame import Frame
from streaming.load import LoadMeter
from streaming.state import State
from streaming.stream import WINDOW, Engine, Governor, Pace, Refinement, Shot, Stream

POLISH = 12  # times that a picture at rest is encoded again, where the bitrate did not allow its quality at once
EARLY = 4  # samples that make a refined picture worth showing before it is complete
PATIENCE = 8  # moving pictures after which a waiting refinement gets one sample, at the earliest
PRECEDENCE = 5  # times as long as the last sample took that moving pictures are made for before the next one
STILLS = 2  # that are made by turns; the others wait


class Scheduler:
    """Decides, one turn at a time."""

    def __init__(
        self,
        submit: Callable[[Callable[[Any], None]], Any],
        timer: Callable[[float, Callable[[], None]], None],
        clock: Callable[[], float],
        pace: Pace,
        failed: Callable[[Stream, Exception], None],
        meter: LoadMeter | None = None,
    ) -> None:
        self._submit, self._timer, self._clock, self._pace, self._failed = submit, timer, clock, pace, failed
        self._meter = meter or LoadMeter(1)
        self.lock = threading.Lock()
        self._streams: list[Stream] = []
        self._stills: deque[Refinement] = deque()  # bounded by the gateway
        self._resting: Refinement | None = None  # of a viewer
        self._making: deque[Refinement] = deque()  # stills that are made, a sample each by turns
        self._still_next = False  # whether a still's sample comes before that of a viewer at rest
        self._in_flight: tuple[Stream, Any, State, float] | None = None
        self._queued = self._closed = False
        self._alarm = float("inf")
        self._since_refinement = 0  # moving pictures
        self._moved = self._sampled = 0.0  # seconds they took since then, and seconds the last sample took

    # -- from any thread ----------------------------------------------------------------------------------------------

    def add(self, stream: Stream) -> None:
        """Begin to draw for a viewer."""
        with self.lock:
            stream.wanted = self._clock()
            self._streams.append(stream)
        self.wake()

    def remove(self, stream: Stream) -> None:
        """Draw no more for it; its pictures are dropped."""
        with self.lock:
            stream.closed = True
            stream.mailbox = stream.last = None
            if stream in self._streams:
                self._streams.remove(stream)
        self.wake()

    def change(self, stream: Stream, state: State) -> None:
        """The viewer's newest choices; only the newest is ever drawn."""
        with self.lock:
            if state is stream.state:
                return
            pending = stream.drawn != stream.version  # then its picture is planned, and will show this instead
            stream.follow(state, self._clock())
        if not pending:
            self.wake()

    def exchange(self, stream: Stream, model: Any, governor: Governor) -> None:
        """Draw another model for this viewer. Pictures of the one before that are begun may still come."""
        with self.lock:
            stream.exchange(model, governor, self._clock())
        self.wake()

    def limit(self, stream: Stream, interval: float) -> None:
        """Begin this viewer's moving pictures at least `interval` seconds apart; 0 leaves it to the pace of all."""
        with self.lock:
            stream.interval = interval
        self.wake()

    def request_key(self, stream: Stream) -> None:
        """The next picture is a key frame; at rest the last one is encoded again, not drawn again."""
        with self.lock:
            stream.key_wanted = True
        self.wake()

    def polish(self, stream: Stream, shot: Shot, delay: float) -> None:
        """Encode this picture again in `delay` seconds, if it is still the last one then; bounded by POLISH."""
        with self.lock:
            if stream.last is not shot or stream.polished >= POLISH or stream.refined != stream.version:
                return
            stream.polish_at = self._clock() + delay
        self.wake()

    def acknowledge(self, stream: Stream) -> None:
        """One encoded picture has left the host."""
        with self.lock:
            kept = stream.unsent >= WINDOW
            if kept:
                stream.wanted = max(stream.wanted, self._clock())  # what its network kept back is not late
            stream.unsent = max(0, stream.unsent - 1)
        if kept:
            self.wake()

    def take(self, stream: Stream) -> tuple[Shot, bool] | None:
        """For an encoder: what waits in the mailbox, see `Stream.take`. The next picture may begin meanwhile."""
        with self.lock:
            kept = self._full() or stream.next_at(self._pace) <= self._clock()
            taken = stream.take()
        if taken is not None and kept:
            self.wake()
        return taken

    def moving(self, seconds: float) -> int:
        """How many viewers had a moving picture begun in the last `seconds`; the first one of all moves nothing."""
        with self.lock:
            since = self._clock() - seconds
            moved = [stream for stream in self._streams if stream.drawn > 1 or stream.state.playing]
            return sum(stream.last_begin >= since for stream in moved)

    def still(self, refinement: Refinement) -> None:
        """Make a picture outside any session, when nobody moves or a little at a time."""
        with self.lock:
            self._stills.append(refinement)
        self.wake()

    def close(self) -> None:
        """Draw no more; alarms that still ring are not heard."""
        with self.lock:
            self._closed = True

    def wake(self) -> None:
        """Look again; cheap, and harmless when nothing is to do."""
        with self.lock:
            if self._queued or self._closed:
                return
            self._queued = True
        self._submit(self._turn)

    # -- on the render thread -----------------------------------------------------------------------------------------

    def _turn(self, engine: Engine) -> None:
        with self.lock:
            self._queued = False
            now = self._clock()
            repeats = [s for s in self._streams if s.drawn == s.version and self._repeats(s, now)]
            for stream in repeats:
                self._repeat(stream, now)
            chosen = self._next(now)
            flying = None if self._in_flight is None else self._in_flight[0]
            fresh = any(stream is not None and stream.last is None for stream in (chosen, flying))
        for stream in repeats:
            stream.deliver(stream)
        if chosen is not None:
            self._since_refinement += 1
            self._draw(engine, chosen)
        with self.lock:
            another = engine.overlaps and self._next(self._clock()) is not None
        if not another:
            self._finish(engine, None)
        if not fresh:
            self._measure(now)
        if chosen is None or self._may_refine(now):
            self._refine(engine)
        self._plan()

    def _may_refine(self, since: float) -> bool:
        """While viewers move: on a processor one sample takes as long as many moving pictures, on a GPU as one."""
        self._moved += self._clock() - since
        return self._since_refinement >= PATIENCE and self._moved >= PRECEDENCE * self._sampled

    def _measure(self, since: float) -> None:
        """The part of a turn that moving pictures took; what an arrival takes once is no load that stays."""
        now = self._clock()
        self._meter.rendered(now - since, now)

    def _repeats(self, stream: Stream, now: float) -> bool:
        """Whether the last picture must be encoded again: as a key frame, for looks, or to answer a newer input."""
        quiet = stream.drawn == stream.version and not stream.state.playing and stream.last is not None
        return quiet and stream.free and (stream.key_wanted or stream.polish_at <= now or stream.unanswered)

    def _repeat(self, stream: Stream, now: float) -> None:
        if stream.last is not None:
            stream.polished += stream.polish_at <= now
            stream.polish_at = float("inf")
            seq = max(stream.last.seq, stream.state.seq)
            stream.mailbox = stream.last = replace(stream.last, seq=seq, captured=now)

    def _next(self, now: float) -> Stream | None:
        """The one that is past its deadline for longest; nobody while enough pictures wait for the encoders."""
        chosen, earliest, waiting = None, now, 0
        for stream in self._streams:  # with many viewers most of the time of a turn: no calls for those at rest
            if stream.busy or stream.mailbox is not None:
                waiting += 1
            elif stream.unsent < WINDOW and (stream.drawn != stream.version or stream.state.playing):
                due = stream.due(self._pace)
                if due < earliest or (chosen is None and due <= now):
                    chosen, earliest = stream, due
        return None if waiting >= self._pace.ahead else chosen

    def _full(self) -> bool:
        return sum(stream.busy or stream.mailbox is not None for stream in self._streams) >= self._pace.ahead

    def _draw(self, engine: Engine, stream: Stream) -> None:
        """Begin this viewer's picture, then finish the one before: the device is never without work between two."""
        with self.lock:
            state, now = stream.state, self._clock()
            if stream.last is not None:  # a viewer's first picture waits for what its arrival takes
                self._meter.began(stream.late(self._pace, now), now)
            stream.drawn, stream.last_begin, stream.busy = stream.version, now, True
        scale = stream.governor.scale
        if scale >= 1.0:
            stream.sharp = stream.drawn
        try:
            pending = engine.begin(stream.model, stream.moving(state.at(now)), format=stream.format, scale=scale)
        except Exception as error:
            self._give_up(stream, error)
            return
        self._finish(engine, (stream, pending, state, now))

    def _finish(self, engine: Engine, following: tuple[Stream, Any, State, float] | None) -> None:
        flight, self._in_flight = self._in_flight, following
        if flight is None:
            return
        stream, pending, state, captured = flight
        try:
            frame = engine.finish(pending)
        except Exception as error:
            self._give_up(stream, error)
            return
        # A viewer's first picture also pays for compiling and filtering. Where all viewers of a dead render process
        # begin again at once, it counts: small pictures for everybody are there sooner than full ones one by one.
        if stream.last is not None or stream.resumed:
            stream.governor.observe(frame.timings.get("total", 0.0))
        self._hand_over(stream, Shot(frame, stream.answered(state), captured))

    def _hand_over(self, stream: Stream, shot: Shot) -> None:
        with self.lock:
            stream.busy = False
            if stream.closed:
                return
            stream.mailbox = stream.last = shot
            stream.polished, stream.polish_at = 0, float("inf")
        stream.deliver(stream)

    def _give_up(self, stream: Stream, error: Exception) -> None:
        with self.lock:
            stream.busy = False
        self._failed(stream, error)

    # -- refinement ---------------------------------------------------------------------------------------------------

    def _refine(self, engine: Engine) -> None:
        """One sample for a picture that is being refined; viewers at rest and stills take turns."""
        self._since_refinement = 0
        with self.lock:
            now = self._clock()
            jobs = [*self._making] if self._resting is None else [self._resting, *self._making]
        for job in jobs:
            if not job.current():
                self._end(job)
        with self.lock:
            self._resting = self._resting or self._next_resting(now)
            self._begin_stills()
            chosen = self._turn_of()
        if chosen is not None:
            began = self._clock()
            self._step(engine, chosen)
            self._moved, self._sampled = 0.0, self._clock() - began

    def _turn_of(self) -> Refinement | None:
        """A viewer at rest never waits for more than one sample of a still, a still for no more than one of theirs."""
        if self._making and (self._still_next or self._resting is None):
            self._still_next = False
            self._making.rotate(-1)
            return self._making[-1]
        self._still_next = True
        return self._resting

    def _step(self, engine: Engine, job: Refinement) -> None:
        try:
            if job.samples == 1:  # nothing to add up: as a moving picture, which takes a third of the time
                frame: Frame | None = engine.finish(engine.begin(job.model, job.view, format=job.format))
            else:
                frame = self._sample(engine, job)
        except Exception as error:
            self._end(job)
            job.failed(error)
            return
        if frame is not None:
            self._end(job)
            job.finished(frame)

    def _sample(self, engine: Engine, job: Refinement) -> Frame | None:
        """One more sample; the picture when it was the last. Once, when its time has come, it is shown early."""
        if job.running is None:
            job.running = engine.accumulate(job.model, job.view, samples=job.samples, format=job.format)
        job.running.step()
        job.steps += 1
        if job.running.done:
            return job.running.frame()
        if job.early is not None and job.steps >= EARLY and self._clock() >= job.early_at:
            early, job.early = job.early, None
            early(job.running.frame())
        return None

    def _end(self, job: Refinement) -> None:
        with self.lock:
            self._resting = None if self._resting is job else self._resting
            if job in self._making:
                self._making.remove(job)
        if job.running is not None:
            job.running.close()

    def _next_resting(self, now: float) -> Refinement | None:
        resting = [s for s in self._streams if s.rests_at(self._pace) <= now and s.free]
        return self._refinement(min(resting, key=lambda stream: stream.last_input)) if resting else None

    def _begin_stills(self) -> None:
        while self._stills and len(self._making) < STILLS:
            job = self._stills.popleft()
            if job.current():
                self._making.append(job)

    def _refinement(self, stream: Stream) -> Refinement:
        """At rest: first, when the moving picture was coarse, one at full resolution; then the refined one."""
        version, state = stream.version, stream.state
        coarse = stream.sharp != version

        def finished(frame: Frame) -> None:
            with self.lock:
                stream.sharp = version
                if not coarse:
                    stream.refined = version
            self._hand_over(stream, Shot(frame, stream.answered(state), self._clock(), still=not coarse))

        def current() -> bool:
            return not stream.closed and stream.version == version

        def early(frame: Frame) -> None:
            self._hand_over(stream, Shot(frame, stream.answered(state), self._clock()))

        samples = 1 if coarse else self._pace.samples
        view = (stream.moving if coarse else stream.resting)(state.view)
        early_at, failed = stream.last_input + self._pace.prompt, partial(self._failed, stream)
        return Refinement(
            stream.model, view, samples, stream.format, finished, failed, current, None if coarse else early, early_at
        )

    # -- when to look again -------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Another turn at once when there is work now; one alarm when there will be; nothing else."""
        with self.lock:
            now = self._clock()
            at = self._when()
            if at > now:
                if at < self._alarm or self._alarm <= now:
                    self._alarm = at
                else:
                    return
        if at <= now:
            self.wake()
        elif at < float("inf"):
            self._timer(at - now, self._ring)

    def _when(self) -> float:
        if self._in_flight is not None or self._resting is not None or self._making or self._stills:
            return 0.0
        now, full = self._clock(), self._full()
        times = [
            at
            for stream in self._streams
            if (at := stream.next_at(self._pace, full)) > now or stream.free  # else whatever frees it wakes us
        ]
        return min(times, default=float("inf"))

    def _ring(self) -> None:
        with self.lock:
            self._alarm = float("inf")
        self.wake()

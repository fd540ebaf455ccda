"""Owns one round: a fresh session with one server, its phases, and what the pixels say. Knows no statistics of runs."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import flat, poses, probes, stages
from benchmarks.browser import Chromium, Phase, Session
from benchmarks.errors import BenchError
from benchmarks.machine import await_quiet, cpu_percent, sample_cpu
from benchmarks.poses import Subject
from benchmarks.probes import Recording
from benchmarks.servers import Server

DRAG_HZ = 60.0
SLOW_HZ = 20.0  # the flat scene is dragged at this pace too: a phone's worst, and other projects' figure
_CAST_WIDTH = 480  # pixels: enough to read the flat scene's sectors; larger ones cost the compositor more
_SETTLE = {"quiet": 500, "limit": 5000}  # ms without a visible change, at most
# Between steps longer, so that a refined picture, which may change too little to be noticed, has been drawn as well.
_REST = {"quiet": 1200, "limit": 5000}

Latencies = list[float | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. Size in pixels; seconds of dragging, steps and connections per round; seconds to wait for quiet.

    compositor: film every step, and every drag of the flat scene, once more. source: "model", or "frames" when both
    sides replay ready pictures of the flat scene.
    """

    subject: Subject
    width: int
    height: int
    codec: str
    seconds: float
    steps: int
    compositor: bool = True
    patience: float = 0.0
    joins: int = 10
    source: str = "model"


@dataclass(slots=True)
class Round:
    """What one round found. Latencies in ms, None where a message was never seen; rates per second.

    steps: by the page, nothing filmed. compositor: the same steps again, filmed, by the compositor's swaps. filmed:
    those by the page; filming costs what they are later than `steps`. lags: how much later swaps were than the page.
    paths, compositor_paths, filmed_paths: messages a second → the same of every message of a drag (flat scene).
    joins: milliseconds of each step of every connection. qp: mean quantiser. cpu: phase → process tree → % of a core.
    """

    server: str
    setup: dict[str, float]
    steps: Latencies = field(default_factory=list)
    compositor: Latencies = field(default_factory=list)
    filmed: Latencies = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    paths: dict[str, Latencies] = field(default_factory=dict)
    compositor_paths: dict[str, Latencies] = field(default_factory=dict)
    filmed_paths: dict[str, Latencies] = field(default_factory=dict)
    joins: list[dict[str, float]] = field(default_factory=list)
    fps: float = 0.0
    decoded_fps: float = 0.0
    gaps: list[float] = field(default_factory=list)
    kbps: float = 0.0
    qp: float = 0.0
    cpu: dict[str, dict[str, float]] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    unread: int = 0


def phases(plan: Plan) -> int:
    """How many phases `run_round` reports to `advance`."""
    drags = 1 + plan.subject.flat
    filmed = 1 + plan.subject.flat * drags
    return 1 + drags + plan.compositor * filmed + (plan.joins > 0)


def run_round(server: Server, chromium: Chromium, plan: Plan, advance: Callable[[str], None]) -> Round:
    """Connect, step, drag, leave. advance: called with the name of each phase as it ends."""
    config = {
        "width": plan.width,
        "height": plan.height,
        "codec": plan.codec,
        "pose": plan.subject.rest,
        "probe": poses.probe(plan.width, plan.height, plan.subject.flat),
    }
    with chromium.session(server, config) as session:
        found = Round(server.name, session.setup)
        _Runner(server, chromium, plan, session, found).measure(advance)
    await_quiet({"server": server.pid, "browser": chromium.pid}, plan.patience)
    for _ in range(plan.joins):
        with chromium.session(server, config) as session:
            found.joins.append(session.setup)
    if plan.joins:
        advance("connecting")
    return found


@dataclass(frozen=True, eq=False, slots=True)
class _Taken:
    """A phase, when its messages were sent, what its function answered, and the server's words before and after."""

    phase: Phase
    sends: list[float]
    answer: Any
    before: stages.Snapshot
    after: stages.Snapshot


@dataclass(frozen=True, slots=True)
class _Runner:
    server: Server
    chromium: Chromium
    plan: Plan
    session: Session
    found: Round

    def settle(self) -> None:
        self.session.call("settle", _SETTLE)

    def phase(self, name: str, function: str, argument: dict[str, Any]) -> _Taken:
        """Run one function of the page from a settled picture and record everything around it."""
        self.settle()
        roots = {"server": self.server.pid, "browser": self.chromium.pid}
        await_quiet(roots, self.plan.patience)
        self.session.call("forget")
        before, cpu = stages.snapshot(self.server), sample_cpu(time.monotonic(), roots)
        answer = self.session.call(function, argument)
        self.found.cpu[name] = cpu_percent(cpu, sample_cpu(time.monotonic(), roots))
        after = stages.snapshot(self.server)
        self.settle()
        taken = self.session.take()
        if not taken.sent or not len(taken.recording):
            raise BenchError(f"{self.server.name}: nothing was recorded while {name}")
        return _Taken(taken, [sent for _, sent in taken.sent], answer, before, after)

    def steps(self, count: int) -> dict[str, Any]:
        jump = {"contrast": probes.STEP_CONTRAST, **_REST}
        return {"poses": self.plan.subject.steps(count), "waits": poses.waits(count), **jump}

    def measure(self, advance: Callable[[str], None]) -> None:
        """Every phase; `advance` hears of each as it ends."""
        self.settle()
        shown, wanted = self.session.call("size"), [self.plan.width, self.plan.height]
        if shown != wanted:
            raise BenchError(
                f"{self.server.name} streams {shown[0]}x{shown[1]} where {wanted[0]}x{wanted[1]} was asked for"
            )
        stepping = self.phase("stepping", "steps", self.steps(self.plan.steps))
        frames = probes.step_frames(stepping.phase.recording, stepping.sends, stepping.phase.end)
        self.found.steps = probes.since(stepping.phase.recording, stepping.sends, frames)
        advance("stepping")
        dragging = self.drag(DRAG_HZ)
        self.found.fps, gaps = probes.shown_rate(dragging.phase.recording, dragging.sends[0], dragging.sends[-1])
        self.found.gaps = [float(gap) for gap in gaps]
        self._rates(dragging.answer["before"]["inbound"], dragging.answer["after"]["inbound"])
        offset = self.session.clock_offset()
        self.found.stages = stages.breakdown(dragging.before, dragging.after, stepping.phase, frames, offset)
        advance(f"dragging at {DRAG_HZ:.0f} Hz")
        if self.plan.subject.flat:
            self.drag(SLOW_HZ)
            advance(f"dragging at {SLOW_HZ:.0f} Hz")
        if self.plan.compositor:
            self.film_steps()
            advance("stepping, filmed")
        if self.plan.compositor and self.plan.subject.flat:
            for hz in (DRAG_HZ, SLOW_HZ):
                self.film_drag(hz)
                advance(f"dragging at {hz:.0f} Hz, filmed")

    def drag(self, hz: float) -> _Taken:
        """Drag; on the flat scene every message is timed by what each picture says."""
        path = self.plan.subject.drag(hz, self.plan.seconds)
        taken = self.phase(f"dragging at {hz:.0f} Hz", "drag", {"poses": path.poses, "at": path.at})
        if self.plan.subject.flat:
            self.found.paths[f"{hz:.0f}"] = self._timed(taken.phase.recording, taken.sends, path.codes)
        return taken

    def _timed(self, recording: Recording, sends: list[float], codes: list[int]) -> Latencies:
        """Every message of a drag of the flat scene, by what the pictures say."""
        seen = [flat.decode(picture) for picture in recording.pictures]
        self.found.unread += sum(code is None for code in seen)
        return probes.since(recording, sends, probes.path_frames(recording, seen, sends, codes))

    def _rates(self, first: dict[str, Any], last: dict[str, Any]) -> None:
        seconds = max((last["timestamp"] - first["timestamp"]) / 1000, 1e-9)
        self.found.kbps = (last["bytesReceived"] - first["bytesReceived"]) * 8 / 1000 / seconds
        decoded = last["framesDecoded"] - first["framesDecoded"]
        self.found.decoded_fps = decoded / seconds
        self.found.qp = (last["qpSum"] - first["qpSum"]) / max(decoded, 1)

    def film_steps(self) -> None:
        """The steps again, timed by the compositor's own swaps beside the page's callbacks."""
        taken, film, sends, end = self.filmed("stepping, filmed", "steps", self.steps(self.plan.steps))
        self.found.compositor = probes.since(film, sends, probes.step_frames(film, sends, end))
        frames = probes.step_frames(taken.phase.recording, taken.sends, taken.phase.end)
        self.found.filmed = probes.since(taken.phase.recording, taken.sends, frames)
        pairs = zip(self.found.compositor, self.found.filmed, strict=True)
        self.found.lags = [swap - seen for swap, seen in pairs if swap is not None and seen is not None]

    def film_drag(self, hz: float) -> None:
        """A drag of the flat scene again, every message timed by the compositor's swaps beside the page's callbacks."""
        path = self.plan.subject.drag(hz, self.plan.seconds)
        what = {"poses": path.poses, "at": path.at}
        taken, film, sends, _ = self.filmed(f"dragging at {hz:.0f} Hz, filmed", "drag", what)
        self.found.compositor_paths[f"{hz:.0f}"] = self._timed(film, sends, path.codes)
        self.found.filmed_paths[f"{hz:.0f}"] = self._timed(taken.phase.recording, taken.sends, path.codes)

    def filmed(self, name: str, function: str, what: dict[str, Any]) -> tuple[_Taken, Recording, list[float], float]:
        """A phase and the compositor's recording of it, with the sends and the end on that one's clock."""
        with self.session.screencast(_CAST_WIDTH) as shots:
            taken = self.phase(name, function, what)
        offset = self.session.clock_offset()
        return taken, _film(shots, self.plan), [sent + offset for sent in taken.sends], taken.phase.end + offset


def _film(shots: list[tuple[float, bytes]], plan: Plan) -> Recording:
    """Compositor pictures as a recording on the same grid as the page's."""
    probe = poses.probe(plan.width, plan.height, plan.subject.flat)
    grid = (probe["columns"], probe["rows"])
    pictures = []
    for _, jpeg in shots:
        with Image.open(io.BytesIO(jpeg)) as picture:
            scale = picture.width / plan.width
            left, top = probe["x"] * scale, probe["y"] * scale
            box = (left, top, left + probe["width"] * scale, top + probe["height"] * scale)
            small = picture.convert("L").resize(grid, Image.Resampling.BOX, box)
            pictures.append(np.asarray(small).reshape(-1))
    times = np.array([at for at, _ in shots], np.float64)
    unknown = np.full(len(shots), -1, np.int64)
    grey = np.array(pictures, np.uint8).reshape(len(shots), grid[0] * grid[1])
    return Recording(times, np.full(len(shots), np.nan), unknown, grey)

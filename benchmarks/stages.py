"""Owns where the time of a step went: what the browser and the server each say of it, put end to end. Milliseconds.

The ends are measured in the page: a step was sent, the packets of its frame were complete, the frame was seen. Between
the first two lies the server, which says what it spent on each of its stages; what it leaves out is the network and
waiting. The baseline tells by the time stamps of its `/trace`, our server by the histograms of `/metrics`; these are
read around a drag, because at rest they also count refined pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.browser import Phase
from benchmarks.servers import Server

REST, PRESENT = "network and waiting", "decode and present"
OURS = ("render", "encode", "pacing")  # histograms of ours that follow each other; others look at the same time again
ORDER = ("input", "wait for a turn", *OURS, REST, PRESENT)
_PREFIX, _SUFFIX = "vitrine_", "_milliseconds"

Snapshot = Mapping[str, Any]


def snapshot(server: Server) -> Snapshot:
    """What the server can tell about its stages so far."""
    if server.adapter == "whep":
        return {"histograms": histograms(server.get("/metrics"))}
    return {"trace": json.loads(server.get("/trace"))}


def histograms(text: str) -> dict[str, tuple[float, float]]:
    """Stage → (sum in ms, count) of each `vitrine_<stage>_milliseconds` histogram, its labels added up."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, tuple[float, float]] = {}
    for family in text_string_to_metric_families(text):
        if family.type != "histogram" or not (family.name.startswith(_PREFIX) and family.name.endswith(_SUFFIX)):
            continue
        total = sum(sample.value for sample in family.samples if sample.name.endswith("_sum"))
        count = sum(sample.value for sample in family.samples if sample.name.endswith("_count"))
        found[family.name[len(_PREFIX) : -len(_SUFFIX)]] = (total, count)
    return found


def ordered(sides: Iterable[Iterable[str]]) -> list[str]:
    """Every stage that any side names, in the order a frame passes them; those unknown here come last."""
    named = dict.fromkeys(stage for side in sides for stage in side)
    return sorted(named, key=lambda stage: ORDER.index(stage) if stage in ORDER else len(ORDER))


def breakdown(
    before: Snapshot, after: Snapshot, phase: Phase, frames: Sequence[int | None], offset: float
) -> dict[str, float]:
    """Mean ms of each stage of the steps that were seen; empty when none was.

    before, after: around a drag for our server; the baseline's `after` covers the session. phase: the stepping, with
    the frame that answered each step. offset: what to add to page times for wall-clock times.
    """
    recording = phase.recording
    seen = [(seq, sent, frame) for (seq, sent), frame in zip(phase.sent, frames, strict=True) if frame is not None]
    seen = [item for item in seen if np.isfinite(recording.received[item[2]])]
    if not seen:
        return {}
    outward = float(np.mean([recording.received[frame] - sent for _, sent, frame in seen]))
    present = float(np.mean([recording.times[frame] - recording.received[frame] for _, _, frame in seen]))
    if "trace" in after:
        stages = traced(after["trace"], {seq: sent + offset for seq, sent, _ in seen})
    else:
        means = observed(before["histograms"], after["histograms"])
        stages = {name: means[name] for name in OURS if name in means}
    stages[REST] = max(outward - sum(stages.values()), 0.0)
    stages[PRESENT] = present
    return {name: round(value, 2) for name, value in stages.items()}


def traced(trace: Mapping[str, Any], sends: Mapping[int, float]) -> dict[str, float]:
    """Mean stages of the first frame that answers each message. sends: seq → wall-clock ms."""
    arrivals = dict(trace["inputs"])
    first: dict[int, Mapping[str, float]] = {}
    for frame in trace["frames"]:
        if "encode_end" in frame:
            first.setdefault(int(frame["seq"]), frame)
    rows = [(sends[seq], arrivals[seq], first[seq]) for seq in sends if seq in arrivals and seq in first]
    if not rows:
        return {}
    spans = {
        "input": [arrival - sent for sent, arrival, _ in rows],
        "wait for a turn": [frame["render_start"] - arrival for _, arrival, frame in rows],
        "render": [frame["render_end"] - frame["render_start"] for _, _, frame in rows],
        "encode": [frame["encode_end"] - frame["render_end"] for _, _, frame in rows],
    }
    return {name: float(np.mean(values)) for name, values in spans.items()}


def observed(before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Mean ms of each histogram over what it gained between two snapshots."""
    means = {}
    for name, (total, count) in after.items():
        old_total, old_count = before.get(name, (0.0, 0.0))
        if count > old_count:
            means[name] = (total - old_total) / (count - old_count)
    return means

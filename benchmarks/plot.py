"""Owns the picture of a latency result: how latencies are distributed, pictures a second, where a step's time goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.errors import UsageError
from benchmarks.stages import ordered

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"vitrine": "#0f766e", "baseline": "#b45309"}
_STAGE_COLOURS = "Set2"


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Write a PNG. UsageError when matplotlib is missing."""
    with canvas(path, 3, (13, 4.2), width_ratios=(5, 2.2, 4.2)) as (figure, (curves, bars, stack)):
        sides = result["sides"]
        _distributions(curves, sides)
        _frames(bars, sides)
        _stages(stack, sides)
        plan, machine = result["plan"], result["machine"]
        figure.suptitle(
            f"{result['model']['name']}, {plan['width']}×{plan['height']} {plan['codec']}, {machine['cores']} cores, "
            f"{machine['gl_renderer'] or 'GL unknown'}, {result['created'][:10]}",
            fontsize=10,
        )


@contextmanager
def canvas(
    path: Path, columns: int, size: tuple[float, float], width_ratios: Sequence[float] | None = None
) -> Iterator[tuple[Figure, Sequence[Axes]]]:
    """A figure with axes side by side, written as a PNG at the end. UsageError when matplotlib is missing."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise UsageError("matplotlib is not installed: pip install 'vitrine[bench]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, columns, figsize=size, width_ratios=width_ratios, layout="constrained")
    yield figure, axes
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _distributions(axes: Axes, sides: Mapping[str, Any]) -> None:
    for name, side in sides.items():
        colour = COLOURS.get(name, "grey")
        _curve(axes, side["samples"]["step"], colour, "-", f"{name}, step from rest")
        _curve(axes, side["samples"]["compositor"], colour, "-.", f"{name}, step, by the compositor")
        for hz, values in side["samples"]["paths"].items():
            _curve(axes, values, colour, "--" if float(hz) > 30 else ":", f"{name}, drag at {hz} Hz")
    axes.set(
        xlabel="camera message to changed pixel in the page, ms", ylabel="share of messages", xscale="log", ylim=(0, 1)
    )
    for formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        formatter(lambda value, _: f"{value:g}" if f"{value:g}"[0] in "125" else "")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)


def _curve(axes: Axes, values: Sequence[float | None], colour: str, style: str, label: str) -> None:
    known = np.sort([value for value in values if value is not None])
    if len(known):
        axes.step(
            known, np.arange(1, len(known) + 1) / len(known), color=colour, linestyle=style, label=label, where="post"
        )


def _frames(axes: Axes, sides: Mapping[str, Any]) -> None:
    names = list(sides)
    rates = [sides[name]["drag"]["fps"] for name in names]
    bars = axes.bar(names, rates, color=[COLOURS.get(name, "grey") for name in names], width=0.6)
    axes.bar_label(bars, fmt="%.1f")
    axes.set(ylabel="pictures shown a second, dragging")
    axes.spines[["top", "right"]].set_visible(False)


def _stages(axes: Axes, sides: Mapping[str, Any]) -> None:
    from matplotlib import colormaps

    names = list(sides)
    stages = ordered(sides[name]["stages"] for name in names)
    left = np.zeros(len(names))
    for index, stage in enumerate(stages):
        widths = np.array([sides[name]["stages"].get(stage, 0.0) for name in names])
        axes.barh(names, widths, left=left, label=stage, color=colormaps[_STAGE_COLOURS](index % 8), height=0.5)
        left += widths
    axes.invert_yaxis()
    axes.set(xlabel="mean ms of a step by stage")
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3)
    axes.spines[["top", "right"]].set_visible(False)

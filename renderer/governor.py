"""How large to draw while a product moves, from what frames have cost. Pure arithmetic, no clock."""

from __future__ import annotations

from renderer.view import MIN_SCALE

_STEPS = 16  # scales are multiples of 1/16: the picture does not breathe with every millisecond
_SMOOTHING = 0.25
_SLACK = 1.12  # grow only when the larger picture is sure to fit


class ResolutionGovernor:
    """Chooses the internal scale so that a frame takes about `target_ms`.

    Cost is modelled as fixed + pixels · rate; only the sum is seen, so each observation is scaled by the area alone and
    the fixed part makes the steps cautious rather than wrong.
    """

    def __init__(self, target_ms: float, scale: float = 1.0) -> None:
        self.target_ms = target_ms
        self._scale = scale
        self._cost: float | None = None

    @property
    def scale(self) -> float:
        """Internal resolution ÷ output, each axis, a multiple of 1/16 in [MIN_SCALE, 1]."""
        return max(MIN_SCALE, int(self._scale * _STEPS) / _STEPS)

    def observe(self, milliseconds: float) -> None:
        """Tells what a frame at the present scale cost."""
        self._cost = milliseconds if self._cost is None else self._cost + _SMOOTHING * (milliseconds - self._cost)
        ideal = self.scale * (self.target_ms / max(self._cost, 0.1)) ** 0.5
        if ideal < self.scale:
            self._move(ideal)
        elif ideal > (self.scale + 1 / _STEPS) * _SLACK:
            self._move(self.scale + 1 / _STEPS)

    def _move(self, scale: float) -> None:
        before = self.scale
        self._scale = min(1.0, max(MIN_SCALE, scale))
        if self._cost is not None and self.scale != before:
            self._cost *= (self.scale / before) ** 2

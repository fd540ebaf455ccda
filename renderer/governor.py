"""How large to draw while a product moves, from what frames have cost. Pure arithmetic, no clock."""

from __future__ import annotations

from renderer.view import MIN_SCALE

_STEPS = 16  # scales are multiples of 1/16: the picture does not breathe with every millisecond
_SMOOTHING = 0.25
_SLACK = 0.95  # grow only when the larger picture is sure to fit
_PATIENCE = 4.0  # at SOFT_SCALE a frame may take this many times its target before it gets any smaller
#: Below this the eye sees pixels: frames may take longer rather than be drawn smaller.
SOFT_SCALE = 0.5
# A frame costs something whatever its size (vertices, conversion, readback): this share of it, when nothing is known.
_FIXED = 0.3


class ResolutionGovernor:
    """Chooses the internal scale so that a frame takes about `target_ms`; at `SOFT_SCALE` it may take longer."""

    def __init__(self, target_ms: float, scale: float = 1.0) -> None:
        self.target_ms = target_ms
        self._scale = self._step(scale)
        self._cost: float | None = None

    @property
    def scale(self) -> float:
        """Internal resolution ÷ output, each axis, a multiple of 1/16 in [MIN_SCALE, 1]."""
        return self._scale

    def observe(self, milliseconds: float) -> None:
        """Tells what a frame at the present scale cost."""
        self._cost = milliseconds if self._cost is None else self._cost + _SMOOTHING * (milliseconds - self._cost)
        allowed = self._allowed(self._scale)
        if self._cost > allowed and self._scale > MIN_SCALE:
            self._move(max(self._fitting(self.target_ms), min(SOFT_SCALE, self._fitting(_PATIENCE * self.target_ms))))
        elif self._scale < 1.0 and self._expected(larger := self._scale + 1 / _STEPS) < _SLACK * self._allowed(larger):
            self._move(larger)

    def _allowed(self, scale: float) -> float:
        """Milliseconds a frame may take at this scale."""
        return self.target_ms * (_PATIENCE if scale <= SOFT_SCALE else 1.0)

    def _expected(self, scale: float) -> float:
        """Milliseconds a frame should take at another scale."""
        return (self._cost or 0.0) * (_FIXED + (1 - _FIXED) * (scale / self._scale) ** 2)

    def _fitting(self, milliseconds: float) -> float:
        """The scale at which a frame should take so long."""
        share = (milliseconds / max(self._cost or 0.0, 0.1) - _FIXED) / (1 - _FIXED)
        return self._scale * float(max(share, 0.0) ** 0.5)

    def _move(self, scale: float) -> None:
        scale = self._step(scale)
        self._cost, self._scale = self._expected(scale), scale

    @staticmethod
    def _step(scale: float) -> float:
        return min(1.0, max(MIN_SCALE, int(scale * _STEPS + 1e-9) / _STEPS))

"""Keyframes: the values of many channels at one moment, by a few numpy calls whatever their number. Knows no nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from renderer.scene import Channel, Floats

Values = NDArray[np.float64]
#: From this cosine on two rotations are so close that a straight blend equals slerp and divides by nothing small.
_NEARLY_EQUAL = 0.9995
_TINY = 1e-12


def is_rotation(channel: Channel) -> bool:
    """Whether the channel's values are unit quaternions."""
    return channel.of == "node" and channel.path == "rotation"


class Curves:
    """Channels of one interpolation, one width and one meaning (rotations, or plain numbers), evaluated together."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        """channels: at least one; all alike as said above."""
        self._interpolation = channels[0].interpolation
        self._rotation = is_rotation(channels[0])
        self._values = np.concatenate([c.values for c in channels])
        first = np.cumsum([0, *(len(c.values) for c in channels)])[:-1]
        self._first = first.astype(np.intp)
        self._times, self._clock = _distinct([c.times for c in channels])
        self._keys = np.array([len(t) for t in self._times], np.intp)
        self._start = np.cumsum(self._keys) - self._keys
        self._all_times = np.concatenate(self._times).astype(np.float64)

    def at(self, time: float) -> Values:
        """float64 [channels, C] at `time` seconds, each held before its first and after its last key."""
        low, high, share, seconds = self._find(time)
        clock = self._clock
        low, high = low[clock], high[clock]
        t, span = share[clock][:, None], seconds[clock][:, None]
        if self._interpolation == "CUBICSPLINE":
            value = self._hermite(low, high, t, span)
            return _unit(value) if self._rotation else value
        a, b = self._row(low), self._row(high)
        return slerp(_unit(a), _unit(b), t) if self._rotation else a + (b - a) * t

    def _find(self, time: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Values, Values]:
        """For each distinct clock: keys before and after, the share of the way between them, and seconds between
        them."""
        moment = np.float32(time)
        key = np.array([t.searchsorted(moment, "right") for t in self._times], np.intp) - 1
        last = self._keys - 1
        low = np.clip(key, 0, last)
        still = (key < 0) | (key >= last) | (self._interpolation == "STEP")
        high = np.where(still, low, np.minimum(low + 1, last))
        begin = self._all_times[self._start + low]
        span = self._all_times[self._start + high] - begin
        return low, high, np.where(still, 0.0, time - begin) / np.where(span > 0.0, span, 1.0), span

    def _row(self, key: NDArray[np.intp]) -> Values:
        row: Values = self._values[self._first + key].astype(np.float64)
        return row

    def _hermite(self, low: NDArray[np.intp], high: NDArray[np.intp], t: Values, span: Values) -> Values:
        """glTF's cubic spline (specification C.5); each key has in-tangent, value and out-tangent."""
        p0, m0 = self._row(3 * low + 1), self._row(3 * low + 2) * span
        p1, m1 = self._row(3 * high + 1), self._row(3 * high) * span
        t2, t3 = t * t, t * t * t
        value: Values = (2 * t3 - 3 * t2 + 1) * p0 + (t3 - 2 * t2 + t) * m0 + (3 * t2 - 2 * t3) * p1 + (t3 - t2) * m1
        return value


def evaluate(channel: Channel, time: float) -> Values:
    """One channel's value [C] at `time` seconds."""
    value: Values = Curves((channel,)).at(time)[0]
    return value


def slerp(a: Values, b: Values, t: Values | float) -> Values:
    """Unit quaternions [..., 4] at t in [0, 1] (a number, or [..., 1]) on the shorter arc from a to b."""
    cosine = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(cosine < 0.0, -b, b)
    cosine = np.minimum(np.abs(cosine), 1.0)
    angle = np.arccos(cosine)
    sine = np.where(cosine > _NEARLY_EQUAL, 1.0, np.sin(angle))
    arc = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / sine
    return np.where(cosine > _NEARLY_EQUAL, _unit(a + (b - a) * t), arc)


def _unit(quaternions: Values) -> Values:
    """Rows at length 1; those without a direction are no rotation."""
    length = np.sqrt(np.sum(quaternions * quaternions, axis=-1, keepdims=True))
    none = np.array([0.0, 0.0, 0.0, 1.0])
    return np.where(length > _TINY, quaternions / np.where(length > _TINY, length, 1.0), none)


def _distinct(times: Sequence[Floats]) -> tuple[list[Floats], NDArray[np.intp]]:
    """The different key times among `times`, and for each of `times` which of them it is: channels mostly share one."""
    places: dict[bytes, int] = {}
    kept: list[Floats] = []
    clock = []
    for array in times:
        place = places.setdefault(array.tobytes(), len(kept))
        if place == len(kept):
            kept.append(array)
        clock.append(place)
    return kept, np.array(clock, np.intp)

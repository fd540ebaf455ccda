"""Feedback messages: what a player writes is read back, what does not add up is refused, in bounded work."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.congestion.feedback import MOST_PACKETS, TICK, FeedbackError, Unwrapper, parse
from streaming.congestion.history import History
from tests.streaming.congestion import twcc

GAPS = st.one_of(st.none(), st.integers(-3, 260), st.integers(-30_000, 30_000))


@given(base=st.integers(0, 0xFFFF), start=st.integers(0, 1 << 20), gaps=st.lists(GAPS, min_size=1, max_size=200))
def test_what_was_written_is_read(base: int, start: int, gaps: list[int | None]) -> None:
    """gaps: ticks after the packet before, None for a packet that did not arrive."""
    arrivals, ticks = {}, start + 10_000_000
    for index, gap in enumerate(gaps):
        if gap is not None:
            ticks += gap
            arrivals[base + index] = ticks * TICK
    feedback = parse(twcc.write(base, arrivals, len(gaps)))
    assert feedback.base == base
    expected = tuple(round(arrivals[base + i] / TICK) if base + i in arrivals else None for i in range(len(gaps)))
    assert feedback.arrivals == expected


@given(st.binary(max_size=1500))
def test_any_bytes_are_read_or_refused(fci: bytes) -> None:
    try:
        feedback = parse(fci)
    except FeedbackError:
        return
    assert 0 < len(feedback.arrivals) <= MOST_PACKETS


@given(st.integers(0, 1 << 30), st.data())
def test_a_damaged_message_is_read_or_refused(seed: int, data: st.DataObject) -> None:
    rng = random.Random(seed)
    arrivals = {n: n * 0.002 + rng.random() * 0.03 for n in range(100, 180) if rng.random() < 0.9}
    fci = bytearray(twcc.write(100, arrivals, 80))
    position = data.draw(st.integers(0, len(fci) - 1))
    fci[position] ^= data.draw(st.integers(1, 255))
    try:
        feedback = parse(bytes(fci[: data.draw(st.integers(0, len(fci)))]))
    except FeedbackError:
        return
    assert len(feedback.arrivals) <= MOST_PACKETS


@pytest.mark.parametrize(
    ("fci", "message"),
    [
        (b"", "at least 8"),
        (bytes(7), "at least 8"),
        (struct.pack("!HHI", 1, 0, 0), "about 0 packets"),
        (struct.pack("!HHI", 1, MOST_PACKETS + 1, 0), "allowed are 1 to"),
        (struct.pack("!HHI", 1, 3, 0), "ends after the status of 0 of 3"),
        (struct.pack("!HHIH", 1, 3, 0, 0x2000), "run of no packets"),
        (struct.pack("!HHIH", 1, 3, 0, 0x2002), "ends after the status of 2 of 3"),
        (struct.pack("!HHIH", 1, 3, 0, 0x6003), "reserved"),
        (struct.pack("!HHIH", 1, 3, 0, 0xF000), "reserved"),
        (struct.pack("!HHIHB", 1, 2, 0, 0x2002, 5), "before the last arrival time"),
        (struct.pack("!HHIHBB", 1, 1, 0, 0x4001, 5, 0)[:-1], "before the last arrival time"),
    ],
)
def test_what_does_not_add_up_is_refused(fci: bytes, message: str) -> None:
    with pytest.raises(FeedbackError, match=message):
        parse(fci)


def test_a_few_bytes_cannot_ask_for_much_work() -> None:
    """Runs of absent packets cost the sender two bytes for 8191: what is kept stays bounded."""
    fci = struct.pack("!HHI", 0, MOST_PACKETS, 0) + struct.pack("!H", 0x1FFF) * 700
    assert len(parse(fci).arrivals) == MOST_PACKETS


def test_reference_time_wraps() -> None:
    """24 bits of 64 ms: twelve days."""
    history = History()
    history.sent(0, (1200, 1200), 0.0)
    last = history.match(parse(struct.pack("!HHIHBx", 0, 1, 0xFFFFFF00, 0x2001, 4))).arrivals[0]
    first = history.match(parse(struct.pack("!HHIHBx", 1, 1, 0x00000001, 0x2001, 4))).arrivals[0]
    assert first[1] - last[1] == pytest.approx(0.064)


@given(st.lists(st.integers(-20_000, 20_000), max_size=50), st.integers(0, 0xFFFF))
def test_numbers_without_wrap(steps: list[int], start: int) -> None:
    unwrapper, number, newest = Unwrapper(16), start, start
    assert unwrapper.unwrap(start) == start
    for step in steps:
        number = newest + step
        newest = max(newest, number)
        assert unwrapper.unwrap(number & 0xFFFF) == number

"""`vitrine bench send`: both ways send the same pictures to the same players, and the table says what each costs."""

from __future__ import annotations

import asyncio
from io import StringIO

import pytest
from aiortc.codecs.h264 import H264Encoder
from rich.console import Console

from benchmarks import send


@pytest.mark.slow
@pytest.mark.parametrize("side", [send.OURS, send.STOCK])
def test_every_picture_is_sent_and_every_camera_answered(side: str) -> None:
    plan = send.Plan(viewers=2, pictures=5, octets=5000, pace=20.0, drag=0.5)
    found = asyncio.run(send._side(side, plan))
    assert found["packets"] >= 2 * 5 * 4
    assert found["packet_us"] * found["packets"] == pytest.approx(found["picture_us"] * 2 * 5)
    assert found["camera_us"] > 0


def test_the_picture_is_one_slice_of_the_size_that_is_asked_for() -> None:
    picture = send.picture(12_500)
    assert len(picture) == 12_500
    assert list(H264Encoder._split_bitstream(picture)) == [picture[4:]]


def test_the_table_has_both_sides_the_ratio_and_the_promise() -> None:
    figures = {"packet_us": 8.0, "picture_us": 88.0, "camera_us": 100.0}
    sides = {send.OURS: figures, send.STOCK: {key: 4 * value for key, value in figures.items()}}
    ratios = dict.fromkeys(figures, 4.0)
    result = {"plan": {"viewers": 8, "octets": 12_500}, "sides": sides, "ratios": ratios}
    console = Console(file=StringIO(), width=100)
    console.print(send.table(result))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in ("RTP packet", "32.0", "8.0", "4.0", "≤ 10", "camera message"):
        assert expected in text

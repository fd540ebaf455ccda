"""libvpx called directly: the bitrate followed without key frames, effort changed in place, stills that get finer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming import encoders
from streaming.encoders import Encoded, libvpx
from streaming.encoders.libvpx import Coder, Library, library
from streaming.encoders.vp8 import Vp8
from streaming.encoders.vp8_ffmpeg import Vp8Ffmpeg
from streaming.errors import EncoderError
from tests.streaming.test_x264 import HEIGHT, moving, psnr, settings


def decoded(packets: Sequence[Encoded]) -> list[NDArray[np.float64]]:
    """The luma of every picture."""
    context = av.CodecContext.create("vp8", "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_count = 1
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet.data))]
    return [frame.to_ndarray()[:HEIGHT].astype(float) for frame in [*frames, *context.decode(None)]]


def test_the_rate_follows_4_to_2_to_4_megabits_without_a_key_frame() -> None:
    steps = {0: 4_000_000, 60: 2_000_000, 120: 4_000_000}
    pictures = list(moving(180))
    with closing(Vp8(settings(4_000_000))) as encoder:
        packets = []
        for i, pixels in enumerate(pictures):
            if i in steps:
                encoder.retarget(steps[i])
            packets.append(encoder.encode(pixels, i * 3000, key=i == 0))
    second = [sum(len(p.data) for p in packets[start : start + 30]) * 8 for start in (30, 75, 150)]
    assert second == [pytest.approx(rate, rel=0.25) for rate in (4_000_000, 2_000_000, 4_000_000)]
    assert [i for i, packet in enumerate(packets) if packet.key] == [0]
    shown = decoded(packets)
    assert len(shown) == 180
    assert min(psnr(s, p) for s, p in zip(shown[150:], pictures[150:], strict=True)) > 25


def test_a_new_picture_altogether_is_no_key_frame_unless_asked() -> None:
    one, *_, other = moving(60)
    with closing(Vp8(settings(2_000_000))) as encoder:
        packets = [encoder.encode(one if i < 5 else 255 - other, i * 3000, key=i == 0) for i in range(10)]
    assert [packet.key for packet in packets] == [True] + [False] * 9


def test_effort_changes_in_place() -> None:
    pictures = list(moving(40))
    with closing(Vp8(settings(2_000_000))) as encoder:
        packets = []
        for i, pixels in enumerate(pictures):
            encoder.exert(i >= 20)
            packets.append(encoder.encode(pixels, i * 3000, key=i == 0))
    assert [i for i, packet in enumerate(packets) if packet.key] == [0]
    assert len(decoded(packets)) == 40


@pytest.mark.parametrize("bitrate", [150_000, 1_000_000])
def test_a_still_gets_finer_by_repetition_and_ends_and_is_no_key_frame(bitrate: int) -> None:
    *before, still = moving(20)
    with closing(Vp8(settings(bitrate))) as encoder:
        packets = [encoder.encode(pixels, i * 3000, key=i == 0) for i, pixels in enumerate(before)]
        now, again = 1.0, list[Encoded]()
        while not again or again[-1].again is not None:
            again.append(encoder.encode(still, round(now * 90_000), key=False, still=True))
            now += again[-1].again or 0.0
            assert len(again) < 10
    assert not any(packet.key for packet in again)
    shown = [psnr(picture, still) for picture in decoded([*packets, *again])[len(packets) :]]
    assert shown == sorted(shown)
    assert shown[-1] > max(42, shown[0] + 6)  # noise all over: products reach 49


def test_after_a_still_the_bitrate_counts_again() -> None:
    pictures = list(moving(60))
    with closing(Vp8(settings(1_500_000))) as encoder:
        encoder.encode(pictures[0], 0, key=True)
        encoder.encode(pictures[0], 9_000, key=False, still=True)
        later = [encoder.encode(pixels, 90_000 + i * 3000, key=False) for i, pixels in enumerate(pictures)]
    assert sum(len(packet.data) for packet in later[30:]) * 8 == pytest.approx(1_500_000, rel=0.25)


def test_sizes_and_bitrates_that_libvpx_does_not_take_are_refused() -> None:
    with pytest.raises(EncoderError, match="0x64"):
        Coder(0, 64, 1_000_000, 30, 8)
    with closing(Coder(64, 64, 1_000_000, 30, 8)) as coder, pytest.raises(EncoderError, match="shape"):
        coder.encode(np.zeros((96, 128), np.uint8)[:, ::2], 0, key=True)


def test_a_library_whose_settings_lie_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = library()
    monkeypatch.setattr(libvpx._Settings, "bitrate", libvpx._Settings.coarsest)
    with pytest.raises(EncoderError, match="not the known ones"):
        Library(known.path)


def test_without_the_library_the_next_encoder_is_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing() -> Library:
        raise EncoderError("FFmpeg here has no libvpx")

    monkeypatch.setattr(libvpx, "library", missing)
    with caplog.at_level(logging.INFO):
        assert encoders.choose("video/VP8") is Vp8Ffmpeg
    assert "no libvpx" in caplog.text

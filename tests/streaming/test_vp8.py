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
from streaming.encoders.vp8 import Vp8, step_of
from streaming.encoders.vp8_ffmpeg import Vp8Ffmpeg
from streaming.encoders.x264 import X264
from streaming.errors import EncoderError
from tests.streaming.test_x264 import HEIGHT, WIDTH, moving, psnr, settings
from tests.streaming.test_x264 import decoded as decoded_h264


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
    assert min(psnr(s, p) for s, p in zip(shown[150:], pictures[150:], strict=True)) > 22


def test_a_new_picture_altogether_is_no_key_frame_unless_asked() -> None:
    one, *_, other = moving(60)
    with closing(Vp8(settings(2_000_000))) as encoder:
        packets = [encoder.encode(one if i < 5 else 255 - other, i * 3000, key=i == 0) for i in range(10)]
    assert [packet.key for packet in packets] == [True] + [False] * 9


def test_quantisers_are_taken_as_asked() -> None:
    (pixels,) = moving(1)
    sizes = []
    for quantiser in (0, 8, 16, 32, 48, 62, 63):
        with closing(Coder(WIDTH, HEIGHT, 30, 8)) as coder:
            sizes.append(len(coder.encode(pixels, 0, quantiser, key=True)[0]))
    assert sizes == sorted(set(sizes), reverse=True)


def test_steps_are_as_coarse_as_those_of_h264() -> None:
    """At the same quantiser of H.264's scale both codecs show about the same."""
    pictures = list(moving(10))
    for bitrate in (1_500_000, 6_000_000):
        shown = []
        for make, show in ((Vp8, decoded), (X264, decoded_h264)):
            with closing(make(settings(bitrate))) as encoder:
                packets = [encoder.encode(pixels, i * 3000, key=i == 0) for i, pixels in enumerate(pictures)]
            shown.append(psnr(show(packets)[-1], pictures[-1]))
        assert shown[0] == pytest.approx(shown[1], abs=1.5)
    assert [step_of(quantiser) for quantiser in (-10, 18, 24, 45, 56)] == [0, 7, 17, 63, 63]


def test_effort_changes_in_place() -> None:
    pictures = list(moving(40))
    with closing(Vp8(settings(2_000_000))) as encoder:
        packets = []
        for i, pixels in enumerate(pictures):
            encoder.exert(i >= 20)
            packets.append(encoder.encode(pixels, i * 3000, key=i == 0))
    assert [i for i, packet in enumerate(packets) if packet.key] == [0]
    assert len(decoded(packets)) == 40


@pytest.mark.parametrize("bitrate", [300_000, 1_000_000])
def test_a_still_gets_finer_by_repetition_and_ends_and_is_no_key_frame(bitrate: int) -> None:
    *before, still = moving(20)
    with closing(Vp8(settings(bitrate))) as encoder:
        packets = [encoder.encode(pixels, i * 3000, key=i == 0) for i, pixels in enumerate(before)]
        now, again = 1.0, list[Encoded]()
        while not again or again[-1].again is not None:
            again.append(encoder.encode(still, round(now * 90_000), key=False, still=True))
            now += again[-1].again or 0.0
            assert len(again) < 40
    assert not any(packet.key for packet in again)
    shown = [psnr(picture, still) for picture in decoded([*packets, *again])[len(packets) :]]
    assert shown == sorted(shown)
    assert shown[-1] > max(39, shown[0] + 6)  # noise all over: products reach 48


def test_after_a_still_the_bitrate_counts_again() -> None:
    pictures = list(moving(60))
    with closing(Vp8(settings(1_500_000))) as encoder:
        encoder.encode(pictures[0], 0, key=True)
        encoder.encode(pictures[0], 9_000, key=False, still=True)
        later = [encoder.encode(pixels, 90_000 + i * 3000, key=False) for i, pixels in enumerate(pictures)]
    assert sum(len(packet.data) for packet in later[30:]) * 8 == pytest.approx(1_500_000, rel=0.25)


def test_sizes_and_bitrates_that_libvpx_does_not_take_are_refused() -> None:
    with pytest.raises(EncoderError, match="0x64"):
        Coder(0, 64, 30, 8)
    with closing(Coder(64, 64, 30, 8)) as coder, pytest.raises(EncoderError, match="shape"):
        coder.encode(np.zeros((96, 128), np.uint8)[:, ::2], 0, 20, key=True)


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

"""x264 called directly: the bitrate followed without key frames, effort changed in place, stills without traces."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from copy import deepcopy

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming import encoders
from streaming.encoders import Encoded, EncoderSettings, libx264
from streaming.encoders.libx264 import Coder, Library, library
from streaming.encoders.rate import COARSEST, RateControl
from streaming.encoders.x264 import FINEST_STILL, X264
from streaming.errors import EncoderError

WIDTH, HEIGHT = 640, 360
Pixels = NDArray[np.uint8]


def texture(seed: int) -> NDArray[np.float64]:
    """Soft noise twice the picture's size."""
    coarse = np.random.default_rng(seed).normal(0, 45, (HEIGHT // 2, WIDTH // 2))
    return np.kron(coarse, np.ones((4, 4))).astype(np.float64)


def moving(count: int) -> Iterator[Pixels]:
    """Two textures that slide over each other: no motion vector predicts both."""
    one, other = texture(1), texture(2)
    for i in range(count):
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        x, y = (i * 3) % 500, (i * 2) % 300
        over = one[:HEIGHT, x : x + WIDTH] + other[y : y + HEIGHT, :WIDTH]
        planes[:HEIGHT] = np.clip(120 + over / 2, 16, 235)
        yield planes


def settings(bitrate: int) -> EncoderSettings:
    return EncoderSettings(WIDTH, HEIGHT, frame_rate=30, bitrate=bitrate)


def decoded(packets: Sequence[Encoded]) -> list[NDArray[np.float64]]:
    """The luma of every picture."""
    context = av.CodecContext.create("h264", "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_count = 1
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet.data))]
    return [frame.to_ndarray()[:HEIGHT].astype(float) for frame in [*frames, *context.decode(None)]]


def psnr(shown: NDArray[np.float64], pixels: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.mean((shown - pixels[:HEIGHT]) ** 2)))


@pytest.mark.parametrize("name", ["x264", "x264-ffmpeg"])
def test_the_rate_follows_4_to_1_to_4_megabits_without_a_key_frame(name: str) -> None:
    steps = {0: 4_000_000, 60: 1_000_000, 120: 4_000_000}
    with closing(encoders.find(name)(settings(4_000_000))) as encoder:
        packets = []
        for i, pixels in enumerate(moving(180)):
            if i in steps:
                encoder.retarget(steps[i])
            packets.append(encoder.encode(pixels, i * 3000, key=i == 0))
    second = [sum(len(p.data) for p in packets[start : start + 30]) * 8 for start in (30, 75, 150)]
    assert second == [
        pytest.approx(4_000_000, rel=0.25),
        pytest.approx(1_000_000, rel=0.25),
        pytest.approx(4_000_000, rel=0.25),
    ]
    assert [i for i, packet in enumerate(packets) if packet.key] == [0]


def test_after_a_step_down_few_pictures_are_too_large() -> None:
    with closing(X264(settings(4_000_000))) as encoder:
        sizes = []
        for i, pixels in enumerate(moving(75)):
            if i == 60:
                encoder.retarget(500_000)
            sizes.append(len(encoder.encode(pixels, i * 3000, key=i == 0).data) * 8)
    assert max(sizes[61:]) < 2.5 * 500_000 / 30


def test_effort_changes_in_place_and_saves_bytes() -> None:
    with closing(X264(settings(20_000_000))) as encoder:
        packets = []
        pictures = list(moving(60))
        for i, pixels in enumerate(pictures):
            encoder.exert(i >= 30)
            packets.append(encoder.encode(pixels, i * 3000, key=i == 0))
    assert [i for i, packet in enumerate(packets) if packet.key] == [0]
    shown = decoded(packets)
    assert len(shown) == 60
    assert min(psnr(s, p) for s, p in zip(shown, pictures, strict=True)) > 35
    fast, thorough = (sum(len(p.data) for p in part) for part in (packets[5:30], packets[35:]))
    assert thorough < 0.9 * fast


def test_a_still_after_coarse_pictures_keeps_no_trace_and_is_no_key_frame() -> None:
    *before, still = moving(20)
    with closing(X264(settings(8_000_000))) as encoder, closing(X264(settings(8_000_000))) as fresh:
        encoder.retarget(400_000)
        packets = [encoder.encode(pixels, i * 3000, key=i == 0) for i, pixels in enumerate(before)]
        encoder.retarget(8_000_000)
        packets.append(encoder.encode(still, 90_000, key=False, still=True))
        alone = fresh.encode(still, 0, key=True, still=True)
    assert not packets[-1].key
    assert packets[-1].again is None
    assert psnr(decoded(packets)[-1], still) > psnr(decoded([alone])[-1], still) - 1.0


def test_a_still_on_a_narrow_network_gets_better_by_repetition_and_ends() -> None:
    *before, still = moving(10)
    with closing(X264(settings(300_000))) as encoder:
        packets = [encoder.encode(pixels, i * 3000, key=i == 0) for i, pixels in enumerate(before)]
        now, again = 1.0, list[Encoded]()
        while not again or again[-1].again is not None:
            again.append(encoder.encode(still, round(now * 90_000), key=False, still=True))
            now += again[-1].again or 0.0
            assert len(again) < 40
    shown = [psnr(picture, still) for picture in decoded([*packets, *again])[len(packets) :]]
    assert shown == sorted(shown)
    assert shown[-1] > shown[0] + 6
    assert not any(packet.key for packet in again)
    assert max(len(packet.data) for packet in again) * 8 < 300_000
    assert sum(len(packet.data) for packet in again[:-1]) * 8 <= 300_000 * (now - 1.0 + 0.1)


def test_a_finer_quantiser_is_not_reached_at_once_and_a_coarser_one_is() -> None:
    rate = RateControl(1_000_000, 1280 * 720)
    quantisers = []
    for i in range(60):
        quantisers.append(rate.choose(i / 30, 20, key=i == 0))
        weight = 40_000 if i == 30 else 4_000
        rate.spent(int(weight * 2 ** ((30 - quantisers[-1]) / 6)), quantisers[-1], key=i == 0)
    falls = [before - after for before, after in zip(quantisers, quantisers[1:], strict=False)]
    assert max(falls[1:]) <= 3
    assert quantisers[31] >= quantisers[30] + 6
    assert all(20 <= quantiser <= COARSEST for quantiser in quantisers)
    assert abs(quantisers[-1] - quantisers[29]) <= 2


def test_twice_as_much_change_makes_a_picture_coarser_beforehand() -> None:
    rate = RateControl(1_000_000, 1280 * 720)
    for i in range(20):
        quantiser = rate.choose(i / 30, 18, key=i == 0)
        rate.spent(int(5_000 * 2 ** ((30 - quantiser) / 6)), quantiser, key=i == 0)
    calm = deepcopy(rate).choose(20 / 30, 18, key=False, change=1.0)
    assert rate.choose(20 / 30, 18, key=False, change=2.0) == calm + 6


def test_after_a_rest_the_whole_rate_is_there_again() -> None:
    rate = RateControl(1_000_000, 1280 * 720)
    rate.choose(0.0, 18, key=True)
    rate.spent(60_000, 30, key=True)
    assert rate.room(0.0) == pytest.approx(0.47, abs=0.01)
    assert rate.room(0.2) == pytest.approx(0.27, abs=0.01)
    assert rate.room(2.0) == 0.0


def test_options_and_sizes_that_x264_does_not_take_are_refused() -> None:
    with pytest.raises(EncoderError, match="quantum"):
        Coder(64, 64, "ultrafast", {"quantum": "1"})
    with pytest.raises(EncoderError, match="preset"):
        Coder(64, 64, "warp", {})
    with pytest.raises(EncoderError, match="0x64"):
        Coder(0, 64, "ultrafast", {})


def test_quantisers_from_stills_to_the_coarsest_are_taken_as_asked() -> None:
    """x264 bounds what it is asked for by its options; a bound would show as two equal sizes."""
    sizes = []
    for quantiser in (FINEST_STILL, FINEST_STILL + 1, 30, 45, COARSEST - 1, COARSEST):
        with closing(X264(settings(1_000_000))) as encoder:
            (pixels,) = moving(1)
            base = pixels.ctypes.data
            planes = [(base, WIDTH), (base + WIDTH * HEIGHT, WIDTH // 2), (base + WIDTH * HEIGHT, WIDTH // 2)]
            sizes.append(len(encoder._coder.encode(planes, 0, quantiser, key=True)))
    assert sizes == sorted(set(sizes), reverse=True)


def test_a_library_whose_structs_lie_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = library()
    monkeypatch.setattr(libx264._Head, "csp", libx264._Head.width)
    with pytest.raises(EncoderError, match="not the known ones"):
        Library(known.path, known.build)


def test_without_the_library_the_next_encoder_is_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing() -> Library:
        raise EncoderError("FFmpeg here has no x264")

    monkeypatch.setattr(libx264, "library", missing)
    with caplog.at_level(logging.INFO):
        factory = encoders.choose("video/H264", "x264,x264-ffmpeg")
    assert factory is encoders.find("x264-ffmpeg")
    assert "x264 is not usable here" in caplog.text

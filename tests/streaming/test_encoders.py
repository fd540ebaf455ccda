"""What comes out of the encoders decodes to the picture, at once; key frames on demand; bitrate in place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming import encoders
from streaming.encoders import Encoded, Encoder, EncoderSettings
from streaming.errors import ConfigError, EncoderError

WIDTH, HEIGHT = 320, 240
DECODERS = {"x264": "h264", "vp8": "vp8"}


def settings(bitrate: int = 1_000_000) -> EncoderSettings:
    return EncoderSettings(WIDTH, HEIGHT, frame_rate=30, bitrate=bitrate)


def noise(index: int) -> NDArray[np.uint8]:
    """Soft blobs that move, expensive enough that the bitrate matters."""
    rng = np.random.default_rng(index)
    coarse = rng.integers(40, 210, (HEIGHT * 3 // 2 // 8, WIDTH // 8), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(coarse, np.ones((8, 8), np.uint8)))


def flat(level: int) -> NDArray[np.uint8]:
    planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    planes[:HEIGHT] = level
    return planes


@pytest.fixture(params=["x264", "vp8", "vp8-ffmpeg"])
def encoder(request: pytest.FixtureRequest) -> Iterator[Encoder]:
    with closing(encoders.find(request.param)(settings())) as made:
        yield made


def decoder(encoder: Encoder) -> av.VideoCodecContext:
    name = {"X264": "h264", "Vp8": "vp8", "Vp8Ffmpeg": "vp8"}[type(encoder).__name__]
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, av.VideoCodecContext)
    return context


def decode(context: av.VideoCodecContext, encoded: Encoded) -> list[av.VideoFrame]:
    return list(context.decode(av.Packet(encoded.data)))


def test_each_picture_comes_out_at_once_and_is_the_picture(encoder: Encoder) -> None:
    context = decoder(encoder)
    if isinstance(context, av.VideoCodecContext):
        context.thread_count = 1
    shown = []
    for index, level in enumerate((60, 120, 180)):
        frames = decode(context, encoder.encode(flat(level), index * 3000, key=index == 0))
        shown += [float(frame.to_ndarray()[:HEIGHT].mean()) for frame in frames]
    assert shown == pytest.approx([60, 120, 180], abs=3)


def test_key_frames_come_only_on_demand(encoder: Encoder) -> None:
    keys = [encoder.encode(noise(i), i * 3000, key=i in (0, 20)).key for i in range(40)]
    assert [i for i, key in enumerate(keys) if key] == [0, 20]


def test_a_key_frame_decodes_without_what_came_before(encoder: Encoder) -> None:
    for i in range(5):
        encoder.encode(noise(i), i * 3000, key=i == 0)
    frames = decode(decoder(encoder), encoder.encode(flat(77), 15_000, key=True))
    assert [round(float(frame.to_ndarray()[:HEIGHT].mean())) for frame in frames] == [pytest.approx(77, abs=3)]


def test_x264_says_bt709_limited_and_is_constrained_baseline() -> None:
    with closing(encoders.find("x264")(settings())) as encoder:
        context = decoder(encoder)
        (frame,) = decode(context, encoder.encode(flat(90), 0, key=True))
    assert (frame.colorspace, frame.color_range) == (1, 1)
    assert context.profile == "Constrained Baseline"


def test_vp8_through_ffmpeg_is_rebuilt_only_for_a_large_change() -> None:
    with closing(encoders.find("vp8-ffmpeg")(settings(1_000_000))) as encoder:
        encoder.encode(noise(0), 0, key=True)
        encoder.retarget(900_000)
        assert not encoder.encode(noise(1), 3000, key=False).key
        assert encoder.settings.bitrate == 1_000_000
        assert encoder.encode(noise(1), 4000, key=True).key
        assert encoder.settings.bitrate == 900_000
        encoder.retarget(300_000)
        assert encoder.encode(noise(2), 6000, key=False).key
        assert not encoder.encode(noise(3), 9000, key=False).key


@pytest.mark.parametrize("shape", [(364, 320), (360, 328), (300, 321), (301, 320)])
def test_planes_of_no_use_are_refused(encoder: Encoder, shape: tuple[int, int]) -> None:
    with pytest.raises(EncoderError, match="320x240"):
        encoder.encode(np.zeros(shape, np.uint8), 0, key=True)


def test_smaller_planes_are_scaled_up(encoder: Encoder) -> None:
    """A ramp from left to right stays one, edges where they were."""
    ramp = np.full((180, 160), 128, np.uint8)
    ramp[:120] = np.linspace(20, 230, 160)
    (frame,) = decode(decoder(encoder), encoder.encode(ramp, 0, key=True))
    assert (frame.width, frame.height) == (320, 240)
    luma = frame.to_ndarray()[:240].astype(int)
    assert abs(luma - np.linspace(20, 230, 320)).max() <= 6


def test_a_closed_encoder_says_so(encoder: Encoder) -> None:
    encoder.close()
    with pytest.raises(EncoderError, match="closed"):
        encoder.encode(flat(1), 0, key=True)


@pytest.mark.parametrize("codec", ["video/H264", "video/VP8"])
def test_choose_finds_one_that_works(codec: str) -> None:
    with closing(encoders.choose(codec)(settings())) as encoder:
        assert encoder.encode(flat(50), 0, key=True).key


def test_choose_proves_and_passes_over_what_only_claims_to_work(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**encoders.TABLE, "nvenc": "tests.streaming.test_encoders:Claims"}
    monkeypatch.setattr(encoders, "TABLE", table)
    assert encoders.choose("video/H264").__name__ == "X264"
    with pytest.raises(EncoderError, match="no such device"):
        encoders.choose("video/H264", "nvenc")


def test_unknown_encoder_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="x264"):
        encoders.choose("video/H264", "theora")


class Claims:
    """Imports fine, does not open: what FFmpeg's hardware encoders do on a machine without the hardware."""

    def __init__(self, _: EncoderSettings) -> None:
        raise EncoderError("no such device")

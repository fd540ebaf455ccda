"""The codecs, by name, imported only when used; `choose` proves one by encoding a picture. Knows no network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TypeAlias

import numpy as np

from streaming.encoders.base import Encoded, Encoder, EncoderSettings
from streaming.errors import ConfigError, EncoderError

__all__ = ["PREFERENCE", "TABLE", "Encoded", "Encoder", "EncoderFactory", "EncoderSettings", "choose", "find"]

EncoderFactory: TypeAlias = Callable[[EncoderSettings], Encoder]

TABLE: Mapping[str, str] = {
    "nvenc": "streaming.encoders.nvenc:Nvenc",
    "x264": "streaming.encoders.x264:X264",
    "x264-ffmpeg": "streaming.encoders.x264_ffmpeg:X264Ffmpeg",
    "vp8": "streaming.encoders.vp8:Vp8",
    "vp8-ffmpeg": "streaming.encoders.vp8_ffmpeg:Vp8Ffmpeg",
}
PREFERENCE: Mapping[str, tuple[str, ...]] = {
    "video/H264": ("nvenc", "x264", "x264-ffmpeg"),
    "video/VP8": ("vp8", "vp8-ffmpeg"),
}

logger = logging.getLogger(__name__)


def find(name: str) -> EncoderFactory:
    """The encoder class of that name, or any "module:Class". Raises ConfigError when there is none."""
    module, _, attribute = TABLE.get(name, name if ":" in name else "").partition(":")
    if not module:
        raise ConfigError(f"no encoder {name!r}; there are: {', '.join(TABLE)}")
    try:
        factory: EncoderFactory = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"no encoder {name!r}: {error}") from error
    return factory


def choose(codec: str, name: str = "auto") -> EncoderFactory:
    """A factory for a codec ("video/H264" or "video/VP8") that has just encoded a picture on this machine.

    name: one of the table, several between commas (the first that works), or "auto" for all in order of preference.

    FFmpeg lists hardware encoders everywhere and they fail only on opening, so being listed proves nothing.
    Raises EncoderError when none works.
    """
    reasons = []
    for candidate in PREFERENCE[codec] if name == "auto" else name.split(","):
        factory = find(candidate)
        try:
            _prove(factory)
        except EncoderError as error:
            reasons.append(f"{candidate}: {error}")
            logger.info("encoder %s is not usable here: %s", candidate, error)
        else:
            return factory
    raise EncoderError(f"no encoder for {codec} works here ({'; '.join(reasons)})")


def _prove(factory: EncoderFactory) -> None:
    settings = EncoderSettings(width=320, height=240, frame_rate=30, bitrate=1_000_000)
    encoder = factory(settings)
    try:
        grey = np.full((settings.height * 3 // 2, settings.width), 128, np.uint8)
        if not encoder.encode(grey, 0, key=True).key:
            raise EncoderError("the first picture is not a key frame")
    finally:
        encoder.close()

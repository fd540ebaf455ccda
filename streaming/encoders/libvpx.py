"""libvpx called directly, for VP8: open, encode, change in place, close. Knows no rate control and no FFmpeg.

FFmpeg's wrapper has no way to say the quantiser of a picture, or to change the bitrate or effort of an open encoder.
The library is the one that FFmpeg has loaded. Of its settings only the first are touched; they have been the same since
libvpx 1.8, and `Library` looks whether they lie where they should before it is used.
"""

from __future__ import annotations

import ctypes as c
from functools import cache
from typing import Any

from numpy.typing import NDArray

from streaming.encoders.loaded import find
from streaming.errors import EncoderError

_OLDEST = 6  # libvpx 1.8
_ABI_VERSIONS = range(8, 80)  # that `vpx_codec_enc_init_ver` may want: no function tells it
_ABI_MISMATCH = 3  # VPX_CODEC_ABI_MISMATCH
_I420 = 0x102  # VPX_IMG_FMT_I420
_FORCE_KEY, _IS_KEY = 1, 1  # VPX_EFLAG_FORCE_KF, VPX_FRAME_IS_KEY
_REALTIME = 1  # VPX_DL_REALTIME
_CBR = 1  # VPX_CBR
_CPU_USED, _STATIC_THRESHOLD = 13, 17  # VP8E_SET_CPUUSED, VP8E_SET_STATIC_THRESHOLD
_CLOCK = 90_000  # ticks a second of timestamps
_CONTEXT = 1024  # bytes; vpx_codec_ctx_t takes 56
_BITRATE = 20_000  # kb/s; only what is asked for decides


class _Settings(c.Structure):
    """How vpx_codec_enc_cfg_t begins; the rest is only made room for."""

    _fields_ = (
        ("usage", c.c_uint),
        ("threads", c.c_uint),
        ("profile", c.c_uint),
        ("width", c.c_uint),
        ("height", c.c_uint),
        ("bit_depth", c.c_int),
        ("input_bit_depth", c.c_uint),
        ("tick", c.c_int * 2),
        ("error_resilient", c.c_uint32),
        ("passes", c.c_int),
        ("lag", c.c_uint),
        ("drop", c.c_uint),
        ("resize", c.c_uint * 5),
        ("mode", c.c_int),
        ("statistics", c.c_size_t * 4),
        ("bitrate", c.c_uint),
        ("finest", c.c_uint),
        ("coarsest", c.c_uint),
        ("undershoot", c.c_uint),
        ("overshoot", c.c_uint),
        ("buffer", c.c_uint * 3),
        ("two_pass", c.c_uint * 4),
        ("key_mode", c.c_int),
        ("key_distance", c.c_uint * 2),
        ("rest", c.c_byte * 4096),
    )


class _Packet(c.Structure):
    """How vpx_codec_cx_pkt_t begins, for a picture."""

    _fields_ = (
        ("kind", c.c_int),
        ("data", c.c_void_p),
        ("size", c.c_size_t),
        ("timestamp", c.c_int64),
        ("duration", c.c_ulong),
        ("flags", c.c_uint32),
    )


class Library:
    """The functions. Raises EncoderError when the library is missing or not as expected."""

    def __init__(self, path: str) -> None:
        library = c.CDLL(path)  # calls let other Python threads go on
        self.path = path
        try:
            self.interface, self.defaults = library.vpx_codec_vp8_cx, library.vpx_codec_enc_config_default
            self.open, self.close = library.vpx_codec_enc_init_ver, library.vpx_codec_destroy
            self.encode, self.packets = library.vpx_codec_encode, library.vpx_codec_get_cx_data
            self.change, self.control = library.vpx_codec_enc_config_set, library.vpx_codec_control_
            self.wrap, self.unwrap = library.vpx_img_wrap, library.vpx_img_free
            self.why = library.vpx_codec_error_detail
        except AttributeError as error:
            raise EncoderError(f"{path}: {error}") from error
        self.interface.restype = self.wrap.restype = c.c_void_p
        self.defaults.argtypes = (c.c_void_p, c.c_void_p, c.c_uint)
        self.open.argtypes = (c.c_void_p, c.c_void_p, c.c_void_p, c.c_long, c.c_int)
        self.encode.argtypes = (c.c_void_p, c.c_void_p, c.c_int64, c.c_ulong, c.c_long, c.c_ulong)
        self.packets.argtypes, self.packets.restype = (c.c_void_p, c.c_void_p), c.POINTER(_Packet)
        self.change.argtypes = (c.c_void_p, c.c_void_p)
        self.control.argtypes = (c.c_void_p, c.c_int)  # and one more, after C's rules for what has no prototype
        self.wrap.argtypes = (c.c_void_p, c.c_int, c.c_uint, c.c_uint, c.c_uint, c.c_void_p)
        self.unwrap.argtypes, self.unwrap.restype = (c.c_void_p,), None
        self.why.argtypes, self.why.restype = (c.c_void_p,), c.c_char_p
        self.close.argtypes = (c.c_void_p,)
        self.version = self._verify()

    def settings(self) -> _Settings:
        """The library's own, for one picture in, one packet out."""
        settings = _Settings()
        if self.defaults(self.interface(), c.byref(settings), 0):
            raise EncoderError(f"{self.path} has no settings for VP8")
        return settings

    def _verify(self) -> int:
        """The ABI version that the library wants to be told."""
        known = self.settings()
        found = [known.width, known.height, known.bit_depth, *known.tick, *known.resize[3:], known.bitrate]
        found += [known.finest, known.coarsest, known.undershoot, known.overshoot, *known.buffer, known.key_distance[1]]
        expected = [320, 240, 8, 1, 30, 60, 30, 256, 4, 63, 100, 100, 6000, 4000, 5000, 128]
        if found != expected:
            raise EncoderError(f"{self.path}: its settings are not the known ones ({found}, expected {expected})")
        for version in _ABI_VERSIONS:
            context = c.create_string_buffer(_CONTEXT)
            result = self.open(context, self.interface(), c.byref(known), 0, version)
            if result != _ABI_MISMATCH:
                self.close(context)
                return version
        raise EncoderError(f"{self.path} takes none of the ABI versions {_ABI_VERSIONS}")


@cache
def library() -> Library:
    """The one that FFmpeg has loaded. Raises EncoderError."""
    return Library(find("libvpx", _OLDEST)[0])


class Coder:
    """One open VP8 encoder of I420 pictures, width × height pixels, for one thread at a time. Raises EncoderError."""

    def __init__(self, width: int, height: int, frame_rate: int, effort: int) -> None:
        """effort: 1..16, libvpx's real-time speeds; 16 takes the least."""
        self._library = library()
        self._context = c.create_string_buffer(_CONTEXT)
        self._size, self._duration = (width, height), _CLOCK // frame_rate
        settings = self._settings = self._library.settings()
        settings.threads, settings.width, settings.height = 1, width, height
        settings.tick[:] = (1, _CLOCK)
        settings.error_resilient, settings.mode, settings.bitrate = 1, _CBR, _BITRATE
        settings.key_mode = 0  # VPX_KF_DISABLED: they come when a viewer asks
        vp8, version = self._library.interface(), self._library.version
        if self._library.open(self._context, vp8, c.byref(settings), 0, version):
            raise EncoderError(f"libvpx does not open at {width}x{height}: {self._why()}")
        self._is_open = True
        self.exert(effort)
        self._control(_STATIC_THRESHOLD, 1)

    def encode(self, pixels: NDArray[Any], timestamp: int, quantiser: int, *, key: bool) -> tuple[bytes, bool]:
        """The picture as a VP8 frame, and whether it is a key frame.

        pixels: uint8 [height * 3/2, width] without gaps; read, not kept. timestamp: 90 kHz, rising. quantiser: 0..63.
        """
        self._check()
        self._quantise(quantiser)
        width, height = self._size
        if pixels.shape != (height * 3 // 2, width) or not pixels.flags.c_contiguous:
            raise EncoderError(f"libvpx at {width}x{height} was given planes of shape {pixels.shape}")
        image = self._library.wrap(None, _I420, width, height, 1, pixels.ctypes.data)
        if not image:
            raise EncoderError(f"libvpx takes no picture of {width}x{height}")
        try:
            flags = _FORCE_KEY if key else 0
            failed = self._library.encode(self._context, image, timestamp, self._duration, flags, _REALTIME)
        finally:
            self._library.unwrap(image)
        if failed:
            raise EncoderError(f"libvpx failed: {self._why()}")
        return self._packet()

    def exert(self, effort: int) -> None:
        """Go on with another effort, see `__init__`."""
        self._control(_CPU_USED, -effort)

    def close(self) -> None:
        """Free it."""
        if self._is_open:
            self._is_open = False
            self._library.close(self._context)

    def _packet(self) -> tuple[bytes, bool]:
        position = c.c_void_p()
        found = self._library.packets(self._context, c.byref(position))
        if not found or not found[0].size:
            raise EncoderError("libvpx held a picture back")
        packet = found[0]
        return c.string_at(packet.data, packet.size), bool(packet.flags & _IS_KEY)

    def _quantise(self, quantiser: int) -> None:
        settings = self._settings
        if quantiser != settings.finest or quantiser != settings.coarsest:
            settings.finest = settings.coarsest = quantiser
            if self._library.change(self._context, c.byref(settings)):
                raise EncoderError(f"libvpx does not take quantiser {quantiser}: {self._why()}")

    def _control(self, which: int, value: int) -> None:
        self._check()
        if self._library.control(self._context, which, c.c_int(value)):
            raise EncoderError(f"libvpx does not take control {which} = {value}: {self._why()}")

    def _check(self) -> None:
        if not self._is_open:
            raise EncoderError("libvpx has been closed")

    def _why(self) -> str:
        return (self._library.why(self._context) or b"no reason given").decode("utf-8", "replace")

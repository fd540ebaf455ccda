"""The x264 library called directly: open, encode, change in place, close. Knows no rate control and no FFmpeg.

FFmpeg's wrapper has no way to say the quantiser of a picture or to change an open encoder's effort, and x264's own rate
control looks at every picture a second time, at half size, which is a quarter of the work. The library is the one that
FFmpeg has loaded. Only the first fields of two of its structs are touched; they have been the same since build 153, and
`Library` looks whether they lie where they should before it is used.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeAlias

from streaming.encoders.loaded import find
from streaming.errors import EncoderError

Plane: TypeAlias = tuple[int, int]  # address, bytes from one row to the next

_OLDEST = 153
_IDR, _P = 1, 3  # X264_TYPE_*
_I420 = 2  # X264_CSP_I420
_PARAMETERS = 1 << 16  # bytes: much more than x264_param_t takes


class _Head(c.Structure):
    """How x264_param_t begins."""

    _fields_ = (
        ("cpu", c.c_uint32),
        ("threads", c.c_int),
        ("lookahead_threads", c.c_int),
        ("sliced_threads", c.c_int),
        ("deterministic", c.c_int),
        ("cpu_independent", c.c_int),
        ("sync_lookahead", c.c_int),
        ("width", c.c_int),
        ("height", c.c_int),
        ("csp", c.c_int),
        ("bit_depth", c.c_int),
        ("level_idc", c.c_int),
    )


class _Image(c.Structure):
    """x264_image_t."""

    _fields_ = (
        ("csp", c.c_int),
        ("planes", c.c_int),
        ("stride", c.c_int * 4),
        ("plane", c.c_void_p * 4),
    )


class _Picture(c.Structure):
    """How x264_picture_t begins; the rest is only made room for."""

    _fields_ = (
        ("type", c.c_int),
        ("qp_plus_1", c.c_int),
        ("structure", c.c_int),
        ("key", c.c_int),
        ("pts", c.c_int64),
        ("dts", c.c_int64),
        ("param", c.c_void_p),
        ("image", _Image),
        ("rest", c.c_byte * 1024),
    )


class _Unit(c.Structure):
    """x264_nal_t. The payloads of one picture lie behind each other."""

    _fields_ = (
        ("ref_idc", c.c_int),
        ("type", c.c_int),
        ("long_startcode", c.c_int),
        ("first_mb", c.c_int),
        ("last_mb", c.c_int),
        ("size", c.c_int),
        ("payload", c.c_void_p),
        ("padding", c.c_int),
    )


class Library:
    """The functions. Raises EncoderError when the library is missing or not as expected."""

    def __init__(self, path: str, build: int) -> None:
        library = c.CDLL(path)  # calls let other Python threads go on
        self.path, self.build = path, build
        try:
            self.preset, self.parse = library.x264_param_default_preset, library.x264_param_parse
            self.profile, self.init = library.x264_param_apply_profile, library.x264_picture_init
            self.alloc, self.clean = library.x264_picture_alloc, library.x264_picture_clean
            self.open = library[f"x264_encoder_open_{build}"]
            self.encode, self.close = library.x264_encoder_encode, library.x264_encoder_close
            self.parameters, self.reconfigure = library.x264_encoder_parameters, library.x264_encoder_reconfig
        except AttributeError as error:
            raise EncoderError(f"{path}: {error}") from error
        self.open.restype = c.c_void_p
        units, pictures = c.POINTER(c.POINTER(_Unit)), c.POINTER(_Picture)
        self.encode.argtypes = (c.c_void_p, units, c.POINTER(c.c_int), pictures, pictures)
        self.close.argtypes, self.close.restype = (c.c_void_p,), None
        for function in (self.parameters, self.reconfigure):
            function.argtypes = (c.c_void_p, c.c_void_p)
        self._verify()

    def _verify(self) -> None:
        memory = c.create_string_buffer(_PARAMETERS)
        self.preset(memory, b"medium", None)
        head, picture = _Head.from_buffer(memory), _Picture()
        self.alloc(c.byref(picture), _I420, 64, 32)
        image = picture.image
        found = [head.threads, head.sync_lookahead, head.width, head.csp, head.bit_depth, head.level_idc]
        found += [image.csp, image.planes, image.stride[0], image.stride[1]]
        self.clean(c.byref(picture))
        expected = [0, -1, 0, _I420, 8, -1, _I420, 3, 64, 32]
        if found != expected:
            raise EncoderError(f"{self.path}: its structs are not the known ones ({found}, expected {expected})")


@cache
def library() -> Library:
    """The one that FFmpeg has loaded. Raises EncoderError."""
    return Library(*find("libx264", _OLDEST))


class Coder:
    """One open encoder of I420 pictures, width × height pixels, on the thread that calls it. Raises EncoderError."""

    def __init__(self, width: int, height: int, preset: str, options: Mapping[str, str]) -> None:
        """options: by x264's own names."""
        self._library = library()
        self._parameters = c.create_string_buffer(_PARAMETERS)
        if self._library.preset(self._parameters, preset.encode(), b"zerolatency"):
            raise EncoderError(f"x264 has no preset {preset!r}")
        head = _Head.from_buffer(self._parameters)
        head.threads, head.sliced_threads = 1, 0
        head.width, head.height, head.csp = width, height, _I420
        self._set(options)
        self._library.profile(self._parameters, b"baseline")
        self._handle: int | None = self._library.open(self._parameters)
        if not self._handle:
            raise EncoderError(f"x264 does not open at {width}x{height}")
        self._picture, self._made = _Picture(), _Picture()
        self._library.init(c.byref(self._picture))
        self._picture.image.csp, self._picture.image.planes = _I420, 3
        self._units, self._count = c.POINTER(_Unit)(), c.c_int()

    def encode(self, planes: Sequence[Plane], timestamp: int, quantiser: int, *, key: bool) -> bytes:
        """The picture in Annex B, at once. planes: Y, Cb, Cr; read, not kept."""
        picture = self._picture
        for index, (address, stride) in enumerate(planes):
            picture.image.plane[index], picture.image.stride[index] = address, stride
        picture.type, picture.pts, picture.qp_plus_1 = (_IDR if key else _P), timestamp, quantiser + 1
        size = self._library.encode(
            self._open(), c.byref(self._units), c.byref(self._count), c.byref(picture), c.byref(self._made)
        )
        if size <= 0:
            raise EncoderError(f"x264 failed ({size})" if size else "x264 held a picture back")
        return c.string_at(self._units[0].payload, size)

    @property
    def units(self) -> tuple[int, ...]:
        """Bytes of each NAL unit of the last picture, with its start code."""
        return tuple(unit.size for unit in self._units[: self._count.value])

    def change(self, options: Mapping[str, str]) -> None:
        """Go on with other options from the next picture, without a key frame; only some can be changed."""
        self._library.parameters(self._open(), self._parameters)
        self._set(options)
        if self._library.reconfigure(self._open(), self._parameters):
            raise EncoderError(f"x264 does not change to {dict(options)} while it is open")

    def close(self) -> None:
        """Free it."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._library.close(handle)

    def _open(self) -> int:
        if self._handle is None:
            raise EncoderError("x264 has been closed")
        return self._handle

    def _set(self, options: Mapping[str, str]) -> None:
        for name, value in options.items():
            if self._library.parse(self._parameters, name.encode(), value.encode()):
                raise EncoderError(f"x264 does not know {name}={value}")

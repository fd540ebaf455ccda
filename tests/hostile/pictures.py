"""Pictures that decode to far more than they are, or that are programs; and compressed data that are none."""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from collections.abc import Iterator

import DracoPy
import numpy as np
import PIL.Image

from tests.hostile.case import ANY, REFUSED, Case, glb
from tests.unit.compressed import DATA, draco, draco_bytes
from tests.unit.glb import TRIANGLE, Glb

LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"lol") for n in range(10))
_SVG = b'<?xml version="1.0"?><!DOCTYPE svg [%s]><svg xmlns="http://www.w3.org/2000/svg"><text>%s</text></svg>'
OUTSIDE = b'<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y SYSTEM "http://127.0.0.1:1/x">'


def pictures() -> Iterator[Case]:
    """All of them."""
    for name, data in _bombs():
        yield glb(name, _textured(data), ANY if name == "png-of-too-few-rows" else REFUSED)
    for name, data in _programs():
        yield glb(name, _textured(data))
        yield glb(f"{name}-data-uri", _by_uri(data))
    yield glb("twenty-pictures-within-the-limit-of-one", _many(20, _png(2048, 2048)))
    yield from _compressed()


def _bombs() -> Iterator[tuple[str, bytes]]:
    yield "png-60000", _png(60_000, 60_000, rows=10)
    yield "png-of-4-billion", _png(2**31 - 1, 2, rows=1)
    yield "png-text-bomb", _png(4, 4, extra=_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(16 << 20), 9)))
    yield "png-profile-bomb", _png(4, 4, extra=_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(16 << 20), 9)))
    yield "png-of-too-few-rows", _png(8000, 8000, rows=3)
    yield "webp-16383", _webp(16_383, 16_383)
    yield "jpeg-65500", _jpeg_sized(65_500, 65_500)
    yield "jpeg-of-a-thousand-scans", _scans(1000)
    yield "ktx2-65536", _ktx2((DATA / "uastc.ktx2").read_bytes(), 65_536)
    yield "avif-of-nothing", b"\0\0\0\x20ftypavif" + bytes(64)


def _programs() -> Iterator[tuple[str, bytes]]:
    yield "svg-of-laughs", _SVG % (LAUGHS, b"&l9;")
    yield "svg-from-outside", _SVG % (OUTSIDE, b"&x;&y;")
    yield "postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"
    yield "gif", b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(40)
    yield "tiff", b"II*\0\x08\0\0\0" + bytes(40)


def _compressed() -> Iterator[Case]:
    rng = random.Random(5)
    yield glb("draco-garbage", draco(rng.randbytes(2000)))
    yield glb("draco-head-garbage", draco(draco_bytes()[:40] + rng.randbytes(500)))
    hungry = bytearray(DracoPy.encode(np.linspace(0, 1, 150, dtype=np.float32).reshape(50, 3)))
    struct.pack_into("<I", hungry, 11, 1 << 27)
    yield glb("draco-of-three-gigabytes", draco(bytes(hungry)))
    for name in ("uastc", "etc1s"):
        data = (DATA / f"{name}.ktx2").read_bytes()
        yield glb(f"{name}-garbage", _textured(data[:120] + rng.randbytes(len(data))))
        for at in range(12, 200, 8):
            yield glb(f"{name}-word-{at}", _textured(data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :]), ANY)
    for count in (3, 1 << 20, 1 << 31):
        yield glb(f"meshopt-{count}", _meshopt(rng.randbytes(300), count))


def _textured(data: bytes) -> Glb:
    return _many(1, data)


def _many(count: int, data: bytes) -> Glb:
    """A triangle with so many textures of the same bytes, each a picture of its own."""
    made = Glb()
    view = made.view(data)
    for _ in range(count):
        image = made.add("images", {"bufferView": view, "mimeType": "image/png"})
        texture = made.add("textures", {"source": image})
        info = {"baseColorTexture": {"index": texture}}
        material = made.add("materials", {"pbrMetallicRoughness": info})
        made.mesh({"POSITION": TRIANGLE, "TEXCOORD_0": TRIANGLE[:, :2].copy()}, material=material)
    return made


def _by_uri(data: bytes) -> Glb:
    made = _many(1, b"\0")
    uri = "data:image/svg+xml;base64," + base64.b64encode(data).decode()
    made.json["images"][0] = {"uri": uri}
    return made


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, rows: int | None = None, extra: bytes = b"") -> bytes:
    """A grey PNG of zeros; fewer rows than it says when `rows` is given."""
    packed = zlib.compressobj(9)
    row = bytes(min(1 + width, 1 << 16))
    body = b"".join(packed.compress(row) for _ in range(height if rows is None else rows)) + packed.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + extra + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _webp(width: int, height: int) -> bytes:
    """A lossless WebP's header with another size, and its data."""
    out = io.BytesIO()
    PIL.Image.new("RGB", (16, 16), (9, 9, 9)).save(out, "WEBP", lossless=True)
    data = bytearray(out.getvalue())
    at = data.index(b"VP8L") + 9
    struct.pack_into("<I", data, at, (width - 1) | (height - 1) << 14)
    return bytes(data)


def _jpeg(progressive: bool = False) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (16, 16), (9, 9, 9)).save(out, "JPEG", progressive=progressive)
    return out.getvalue()


def _jpeg_sized(width: int, height: int) -> bytes:
    data = bytearray(_jpeg())
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


def _scans(count: int) -> bytes:
    """A progressive JPEG of a large size, whose last scan comes again and again."""
    data = bytearray(_jpeg(progressive=True))
    struct.pack_into(">HH", data, data.index(b"\xff\xc2") + 5, 8000, 8000)
    last = bytes(data[data.rindex(b"\xff\xda") : -2])
    return bytes(data[:-2]) + last * count + b"\xff\xd9"


def _ktx2(data: bytes, size: int) -> bytes:
    return data[:20] + struct.pack("<II", size, size) + data[28:]


def _meshopt(data: bytes, count: int) -> Glb:
    made = Glb()
    made.mesh({"POSITION": TRIANGLE})
    given = {"buffer": 0, "byteOffset": 0, "byteLength": len(data), "byteStride": 12, "count": count}
    made.view(data)
    made.json["bufferViews"][0]["extensions"] = {
        "EXT_meshopt_compression": {**given, "mode": "ATTRIBUTES", "byteOffset": len(made.binary) - len(data)}
    }
    made.json["extensionsUsed"] = made.json["extensionsRequired"] = ["EXT_meshopt_compression"]
    return made

"""Side files that lead out, archives and XML that multiply, formats that claim, and everything truncated."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from urllib.parse import quote

import trimesh

from tests.fuzz.seeds import seeds
from tests.hostile.case import ANY, REFUSED, SECRET, Case
from tests.hostile.pictures import LAUGHS, OUTSIDE
from tests.unit.glb import triangle

_URIS = (
    "../secret.txt",
    "%2e%2e/secret.txt",
    "%2E%2E%2Fsecret.txt",
    "./../secret.txt",
    "a/../../secret.txt",
    "..\\secret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "http://127.0.0.1:1/x",
    "ftp://127.0.0.1/x",
    "/proc/self/environ",
    "/proc/self/fd/0",
    "/dev/zero",
    "\\\\host\\share",
    "secret.txt%00.bin",
    "",
    ".",
    "x" * 5000,
    "\ud800",
)
_MESH = trimesh.creation.box()
_SUFFIXES = ("stl", "obj", "ply", "off", "3mf", "dae")
_3MF = b'<model unit="meter" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02">%s</model>'


def others() -> Iterator[Case]:
    """All of them."""
    yield from _side_files()
    yield from _archives()
    yield from _collada()
    yield from _claims()
    yield from _truncated()


def _side_files() -> Iterator[Case]:
    for number, uri in enumerate(_URIS):
        made = triangle()
        made.json["buffers"] = [{"byteLength": len(SECRET), "uri": uri}]
        yield Case(f"uri-{number}", {"m.gltf": json.dumps(made.json).encode()})
        picture = {"images": [{"uri": uri}], "textures": [{"source": 0}]}
        look = {"materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]}
        made = triangle()
        made.primitive()["material"] = 0
        text = json.dumps({**json.loads(made.gltf()), **picture, **look})
        yield Case(f"picture-uri-{number}", {"m.gltf": text.encode()})
    made = triangle()
    made.json["buffers"] = [{"byteLength": len(SECRET), "uri": "link.bin"}]
    text = json.dumps(made.json).encode()
    for name, target in {
        "link": "../secret.txt",
        "link-to-passwd": "/etc/passwd",
        "link-to-itself": "link.bin",
    }.items():
        yield Case(name, {"m.gltf": text}, links={"link.bin": target})
    made.json["buffers"][0]["uri"] = "folder/secret.txt"
    yield Case("linked-folder", {"m.gltf": json.dumps(made.json).encode()}, links={"folder": ".."})
    made.json["buffers"] = [{"byteLength": 1, "uri": f"{quote(str(n))}.bin"} for n in range(20_000)]
    yield Case("twenty-thousand-files", {"m.gltf": json.dumps(made.json).encode()})
    lines = b"mtllib ../secret.txt\nmtllib /etc/passwd\nmtllib link.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl a\nf 1 2 3\n"
    yield Case("obj-that-leads-out", {"m.obj": lines}, ANY, {"link.mtl": "/etc/passwd"})


def _archive(model: bytes, **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        made.writestr("3D/3dmodel.model", model)
        for name, data in more.items():
            made.writestr(name, data)
    return out.getvalue()


def _archives() -> Iterator[Case]:
    yield Case("3mf-bomb", {"m.3mf": _archive(_3MF % (b" " * (40 << 20)))})
    yield Case("3mf-bomb-beside", {"m.3mf": _archive(_3MF % b"", **{"Metadata/x.png": bytes(40 << 20)})})
    laughs = b"<!DOCTYPE m [%s]>%s" % (LAUGHS, _3MF % b"<metadata>&l9;</metadata>")
    yield Case("3mf-of-laughs", {"m.3mf": _archive(laughs)})
    outside = b"<!DOCTYPE m [%s]>%s" % (OUTSIDE, _3MF % b"<metadata>&x;</metadata>")
    yield Case("3mf-from-outside", {"m.3mf": _archive(outside)})
    yield Case("3mf-that-leads-out", {"m.3mf": _archive(_3MF % b"", **{"../../../tmp/x": b"x", "/etc/x": b"y"})})
    honest = bytearray(_exported("3mf"))
    struct.pack_into("<II", honest, honest.index(b"PK\x01\x02") + 20, 0xFFFFFFF0, 0xFFFFFFF0)
    yield Case("3mf-that-lies", {"m.3mf": bytes(honest)})


def _collada() -> Iterator[Case]:
    head = b'<?xml version="1.0"?><!DOCTYPE COLLADA [%s]><COLLADA version="1.4.1"><asset>%s</asset></COLLADA>'
    yield Case("dae-of-laughs", {"m.dae": head % (LAUGHS, b"&l9;")})
    yield Case("dae-from-outside", {"m.dae": head % (OUTSIDE, b"&x;")})
    utf16 = (head % (LAUGHS, b"&l9;")).decode().replace('"1.0"', '"1.0" encoding="utf-16"').encode("utf-16")
    yield Case("dae-of-laughs-in-utf16", {"m.dae": utf16})
    deep = b"<COLLADA>" + b"<node>" * 100_000 + b"</node>" * 100_000 + b"</COLLADA>"
    yield Case("dae-that-is-deep", {"m.dae": deep})


def _claims() -> Iterator[Case]:
    yield Case("stl-of-4-billion", {"m.stl": bytes(80) + struct.pack("<I", 2**32 - 1) + bytes(50)})
    ply = b"ply\nformat binary_little_endian 1.0\nelement vertex %d\n" + b"property float x\n" * 3 + b"end_header\n"
    yield Case("ply-of-a-trillion", {"m.ply": ply % 10**12})
    yield Case("off-of-a-trillion", {"m.off": b"OFF\n1000000000000 1000000000000 0\n0 0 0\n"})
    yield Case("obj-with-far-indices", {"m.obj": b"v 0 0 0\nf 1 999999999999 -99999999999\n"})
    yield Case("obj-of-one-line", {"m.obj": b"v 0 0 0\nf" + b" 1" * 2_000_000}, ANY)
    yield Case("obj-of-no-numbers", {"m.obj": b"v nan inf 1e999\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"})
    yield Case("unknown-kind", {"m.exe": b"MZ"})


def _exported(suffix: str) -> bytes:
    data = _MESH.export(file_type=suffix)
    return data.encode() if isinstance(data, str) else bytes(data)


def _truncated() -> Iterator[Case]:
    """Every kind of file and every kind of glTF content, cut off at many lengths."""
    whole = {suffix: _exported(suffix) for suffix in _SUFFIXES}
    for suffix, data in whole.items():
        for part in range(0, 16):
            yield Case(f"{suffix}-{part}-of-16", {f"m.{suffix}": data[: len(data) * part // 16]}, ANY)
    for name, made in seeds().items():
        data = made.data()
        for part in (1, 3, 7, 12, 15):
            yield Case(f"{name}-{part}-of-16", {"m.glb": data[: len(data) * part // 16]}, REFUSED)

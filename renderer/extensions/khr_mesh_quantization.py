"""KHR_mesh_quantization: 8- and 16-bit vertex attributes. Says which are allowed; the reader makes float32 of them."""

from __future__ import annotations

from renderer.extensions.declaration import FileExtension

_BYTE, _UNSIGNED_BYTE, _SHORT, _UNSIGNED_SHORT = 5120, 5121, 5122, 5123
_ANY = frozenset({_BYTE, _UNSIGNED_BYTE, _SHORT, _UNSIGNED_SHORT})
_SIGNED = frozenset({_BYTE, _SHORT})

EXTENSION = FileExtension(
    "KHR_mesh_quantization",
    components={"POSITION": _ANY, "NORMAL": _SIGNED, "TANGENT": _SIGNED, "TEXCOORD_0": _ANY, "TEXCOORD_1": _ANY},
)

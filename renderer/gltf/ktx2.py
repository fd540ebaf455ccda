"""The header of a KTX 2 file: its size, and whether Basis Universal can decode it as a picture. Decodes nothing."""

from __future__ import annotations

import struct

from renderer.errors import FormatError, UnsupportedError

IDENTIFIER = b"\xabKTX 20\xbb\r\n\x1a\n"
#: vkFormat, typeSize, pixelWidth, pixelHeight, pixelDepth, layerCount, faceCount, levelCount, supercompressionScheme.
_HEADER = struct.Struct("<9I")
#: 0 none, 1 BasisLZ (ETC1S), 2 Zstandard. 3, ZLIB, is not in KHR_texture_basisu.
_SCHEMES = (0, 1, 2)


def size(data: bytes, place: str) -> tuple[int, int]:
    """(width, height) of the picture in a KTX 2 file whose identifier is right; errors name its `place`."""
    if len(data) < len(IDENTIFIER) + _HEADER.size:
        raise FormatError(f"{place} is a truncated KTX 2 file of {len(data)} bytes")
    fields = _HEADER.unpack_from(data, len(IDENTIFIER))
    vk_format, _, width, height, depth, layers, faces, _, scheme = fields
    if vk_format:
        raise UnsupportedError(f"{place} is a KTX 2 file of VkFormat {vk_format}, only Basis Universal is supported")
    if depth > 1 or layers > 1 or faces != 1:
        raise UnsupportedError(
            f"{place} is a KTX 2 file of {depth} slices, {layers} layers and {faces} faces, one plain picture is needed"
        )
    if scheme not in _SCHEMES:
        raise UnsupportedError(f"{place} is compressed by scheme {scheme}, only BasisLZ and Zstandard are supported")
    if not width or not height:
        raise FormatError(f"{place} has {width}×{height} pixels")
    return width, height

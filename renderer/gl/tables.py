"""Tables that shaders index freely: arrays in buffer textures."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.errors import DeviceError
from renderer.gl.binding import GL
from renderer.gl.context import Context
from renderer.gl.resources import Buffer, Resource, create

_TABLE_FORMATS = {
    (np.dtype(np.float32), 1): GL.GL_R32F,
    (np.dtype(np.float32), 4): GL.GL_RGBA32F,
    (np.dtype(np.int32), 1): GL.GL_R32I,
    (np.dtype(np.int32), 4): GL.GL_RGBA32I,
    (np.dtype(np.uint32), 1): GL.GL_R32UI,
    (np.dtype(np.uint32), 2): GL.GL_RG32UI,
    (np.dtype(np.uint32), 4): GL.GL_RGBA32UI,
    (np.dtype(np.uint8), 4): GL.GL_RGBA8,
    (np.dtype(np.uint16), 4): GL.GL_RGBA16,
}


class Table(Resource):
    """An array [N] or [N, 4] of float32, int32 or uint32 that a shader reads by index (samplerBuffer and its kin).

    On llvmpipe this is ten times as fast as a shader storage buffer. Raises DeviceError beyond the driver's limit.
    """

    kind = "texture"

    def __init__(self, context: Context, data: NDArray[Any], label: str) -> None:
        width = 1 if data.ndim == 1 else data.shape[1]
        limit = int(GL.glGetIntegerv(GL.GL_MAX_TEXTURE_BUFFER_SIZE))
        if len(data) > limit:
            raise DeviceError(f"{label}: {len(data)} texels are more than the {limit} that this device can index")
        self._buffer = Buffer(context, np.ascontiguousarray(data), label)
        super().__init__(context, create(GL.glCreateTextures, GL.GL_TEXTURE_BUFFER), 0, label)
        GL.glTextureBuffer(self.name, _TABLE_FORMATS[data.dtype, width], self._buffer.name)

    def write(self, data: NDArray[Any]) -> None:
        """Overwrites the first elements."""
        self._buffer.write(data)

    def _delete(self) -> None:
        GL.glDeleteTextures(1, ctypes.byref(ctypes.c_uint(self.name)))
        self._buffer.close()

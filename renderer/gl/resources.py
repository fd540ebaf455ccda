"""Buffers, textures, framebuffers and vertex arrays with one owner each, counted in the ledger.

OpenGL 4.5 direct state access.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.errors import DeviceError
from renderer.gl.binding import GL
from renderer.gl.context import Context

#: Bytes per texel of the formats in use.
TEXEL_BYTES = {
    GL.GL_R8: 1,
    GL.GL_RGBA8: 4,
    GL.GL_SRGB8_ALPHA8: 4,
    GL.GL_RG16F: 4,
    GL.GL_RGBA16F: 8,
    GL.GL_RGBA32F: 16,
    GL.GL_DEPTH_COMPONENT24: 4,
    GL.GL_DEPTH_COMPONENT32F: 4,
}
_UPLOAD = {
    GL.GL_RGBA8: (GL.GL_RGBA, GL.GL_UNSIGNED_BYTE),
    GL.GL_SRGB8_ALPHA8: (GL.GL_RGBA, GL.GL_UNSIGNED_BYTE),
    GL.GL_RG16F: (GL.GL_RG, GL.GL_FLOAT),
    GL.GL_RGBA16F: (GL.GL_RGBA, GL.GL_FLOAT),
    GL.GL_RGBA32F: (GL.GL_RGBA, GL.GL_FLOAT),
}


def create(function: Callable[..., Any], *arguments: Any) -> int:
    name = ctypes.c_uint()
    function(*arguments, 1, ctypes.byref(name))
    if not name.value:
        raise DeviceError(f"{function.__name__} gave no object: out of memory or a lost context")
    return name.value


def _filters(magnify: int, minify: int, wrap_s: int, wrap_t: int) -> tuple[tuple[int, int], ...]:
    return (
        (GL.GL_TEXTURE_MAG_FILTER, magnify),
        (GL.GL_TEXTURE_MIN_FILTER, minify),
        (GL.GL_TEXTURE_WRAP_S, wrap_s),
        (GL.GL_TEXTURE_WRAP_T, wrap_t),
    )


class Resource(ABC):
    """One OpenGL object and its ledger entry. Freed once, by `close` or by leaving the `with` block."""

    kind = "resource"

    def __init__(self, context: Context, name: int, size: int, label: str) -> None:
        self.name = name
        self.bytes = size
        self._context = context
        self._key: int | None = context.ledger.add(self.kind, size, label)

    def close(self) -> None:
        """Frees the object; a second call does nothing."""
        if self._key is not None:
            self._context.ledger.remove(self._key)
            self._key = None
            self._delete()

    @abstractmethod
    def _delete(self) -> None:
        """Deletes the OpenGL object."""

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Buffer(Resource):
    """Immutable-size storage. data: any C-contiguous array, or a size in bytes."""

    kind = "buffer"

    def __init__(
        self, context: Context, data: NDArray[Any] | int, label: str, *, flags: int = GL.GL_DYNAMIC_STORAGE_BIT
    ) -> None:
        size = data if isinstance(data, int) else data.nbytes
        name = create(GL.glCreateBuffers)
        super().__init__(context, name, size, label)
        # OpenGL refuses empty storage; one unused word keeps empty arrays legal.
        source = None if isinstance(data, int) or not size else np.ascontiguousarray(data)
        GL.glNamedBufferStorage(name, max(size, 4), source, flags)

    def write(self, data: NDArray[Any], offset: int = 0) -> None:
        """Overwrites bytes from `offset` on."""
        if data.nbytes:
            GL.glNamedBufferSubData(self.name, offset, data.nbytes, np.ascontiguousarray(data))

    def _delete(self) -> None:
        GL.glDeleteBuffers(1, ctypes.byref(ctypes.c_uint(self.name)))


class Texture(Resource):
    """A 2D texture or cube map with immutable storage of `levels` mip levels."""

    kind = "texture"

    def __init__(
        self, context: Context, width: int, height: int, format: int, label: str, *, levels: int = 1, cube: bool = False
    ) -> None:
        self.width, self.height, self.format, self.levels, self.cube = width, height, format, levels, cube
        faces = 6 if cube else 1
        size = sum(max(1, width >> i) * max(1, height >> i) for i in range(levels)) * TEXEL_BYTES[format] * faces
        name = create(GL.glCreateTextures, GL.GL_TEXTURE_CUBE_MAP if cube else GL.GL_TEXTURE_2D)
        super().__init__(context, name, size, label)
        GL.glTextureStorage2D(name, levels, format, width, height)
        self.sample(GL.GL_LINEAR, GL.GL_LINEAR_MIPMAP_LINEAR if levels > 1 else GL.GL_LINEAR)

    def sample(
        self, magnify: int, minify: int, wrap_s: int = GL.GL_CLAMP_TO_EDGE, wrap_t: int = GL.GL_CLAMP_TO_EDGE
    ) -> None:
        """Sets filters and wrapping."""
        for parameter, value in _filters(magnify, minify, wrap_s, wrap_t):
            GL.glTextureParameteri(self.name, parameter, value)

    def write(self, pixels: NDArray[Any]) -> None:
        """Fills level 0 from an array [height, width, channels], first row at v = 0, and makes the other levels of
        it."""
        layout, kind = _UPLOAD[self.format]
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
        GL.glTextureSubImage2D(self.name, 0, 0, 0, self.width, self.height, layout, kind, np.ascontiguousarray(pixels))
        if self.levels > 1:
            self.generate_mipmaps()

    def show_levels(self, first: int, last: int) -> None:
        """Restricts reading to these levels; the others may be drawn to meanwhile."""
        GL.glTextureParameteri(self.name, GL.GL_TEXTURE_BASE_LEVEL, first)
        GL.glTextureParameteri(self.name, GL.GL_TEXTURE_MAX_LEVEL, last)

    def generate_mipmaps(self) -> None:
        """Fills levels 1… from level 0 with the driver's box filter."""
        GL.glGenerateTextureMipmap(self.name)

    def _delete(self) -> None:
        GL.glDeleteTextures(1, ctypes.byref(ctypes.c_uint(self.name)))


class DepthArray(Resource):
    """Square depth pictures, one a layer, read through a comparison (sampler2DArrayShadow)."""

    kind = "texture"

    def __init__(self, context: Context, size: int, layers: int, label: str) -> None:
        self.size, self.layers = size, layers
        bytes_used = size * size * layers * TEXEL_BYTES[GL.GL_DEPTH_COMPONENT24]
        super().__init__(context, create(GL.glCreateTextures, GL.GL_TEXTURE_2D_ARRAY), bytes_used, label)
        GL.glTextureStorage3D(self.name, 1, GL.GL_DEPTH_COMPONENT24, size, size, layers)
        for parameter, value in (
            *_filters(GL.GL_LINEAR, GL.GL_LINEAR, GL.GL_CLAMP_TO_EDGE, GL.GL_CLAMP_TO_EDGE),
            (GL.GL_TEXTURE_COMPARE_MODE, GL.GL_COMPARE_REF_TO_TEXTURE),
            (GL.GL_TEXTURE_COMPARE_FUNC, GL.GL_LEQUAL),
        ):
            GL.glTextureParameteri(self.name, parameter, value)

    def _delete(self) -> None:
        GL.glDeleteTextures(1, ctypes.byref(ctypes.c_uint(self.name)))


class DepthPicture(Resource):
    """Depth that is drawn to and then read, texel by texel: sampler2D, or sampler2DMS when samples > 1."""

    kind = "texture"

    def __init__(self, context: Context, width: int, height: int, label: str, *, samples: int = 1) -> None:
        self.samples = samples
        kind = GL.GL_TEXTURE_2D_MULTISAMPLE if samples > 1 else GL.GL_TEXTURE_2D
        bytes_used = width * height * samples * TEXEL_BYTES[GL.GL_DEPTH_COMPONENT32F]
        super().__init__(context, create(GL.glCreateTextures, kind), bytes_used, label)
        if samples > 1:  # fixed sample locations, or it could not share a framebuffer with a renderbuffer
            GL.glTextureStorage2DMultisample(self.name, samples, GL.GL_DEPTH_COMPONENT32F, width, height, True)
            return
        GL.glTextureStorage2D(self.name, 1, GL.GL_DEPTH_COMPONENT32F, width, height)
        for parameter, value in _filters(GL.GL_NEAREST, GL.GL_NEAREST, GL.GL_CLAMP_TO_EDGE, GL.GL_CLAMP_TO_EDGE):
            GL.glTextureParameteri(self.name, parameter, value)

    def _delete(self) -> None:
        GL.glDeleteTextures(1, ctypes.byref(ctypes.c_uint(self.name)))


class Sampler(Resource):
    """Filtering and wrapping, apart from the texture they apply to."""

    kind = "sampler"

    def __init__(
        self,
        context: Context,
        label: str,
        magnify: int,
        minify: int,
        wrap_s: int,
        wrap_t: int,
        *,
        anisotropy: float = 1.0,
    ) -> None:
        super().__init__(context, create(GL.glCreateSamplers), 0, label)
        for parameter, value in _filters(magnify, minify, wrap_s, wrap_t):
            GL.glSamplerParameteri(self.name, parameter, value)
        if anisotropy > 1.0:
            GL.glSamplerParameterf(self.name, 0x84FE, anisotropy)

    def _delete(self) -> None:
        GL.glDeleteSamplers(1, ctypes.byref(ctypes.c_uint(self.name)))


class Renderbuffer(Resource):
    """Storage that is drawn to and never sampled, possibly multisampled."""

    kind = "renderbuffer"

    def __init__(self, context: Context, width: int, height: int, format: int, label: str, *, samples: int = 1) -> None:
        name = create(GL.glCreateRenderbuffers)
        super().__init__(context, name, width * height * TEXEL_BYTES[format] * samples, label)
        GL.glNamedRenderbufferStorageMultisample(name, samples if samples > 1 else 0, format, width, height)

    def _delete(self) -> None:
        GL.glDeleteRenderbuffers(1, ctypes.byref(ctypes.c_uint(self.name)))


class Framebuffer(Resource):
    """Where a pass draws. Borrows its attachments: closing it leaves them alive.

    Without a colour, depth alone is drawn; without any, faces are attached later.
    """

    kind = "framebuffer"

    def __init__(
        self,
        context: Context,
        label: str,
        color: Texture | Renderbuffer | None,
        depth: Texture | Renderbuffer | DepthPicture | None = None,
    ) -> None:
        super().__init__(context, create(GL.glCreateFramebuffers), 0, label)
        for point, target in ((GL.GL_COLOR_ATTACHMENT0, color), (GL.GL_DEPTH_ATTACHMENT, depth)):
            if isinstance(target, Renderbuffer):
                GL.glNamedFramebufferRenderbuffer(self.name, point, GL.GL_RENDERBUFFER, target.name)
            elif target is not None:
                GL.glNamedFramebufferTexture(self.name, point, target.name, 0)
        if color is None:
            GL.glNamedFramebufferDrawBuffer(self.name, GL.GL_NONE if depth is not None else GL.GL_COLOR_ATTACHMENT0)
        status = GL.glCheckNamedFramebufferStatus(self.name, GL.GL_DRAW_FRAMEBUFFER)
        if (color is not None or depth is not None) and status != GL.GL_FRAMEBUFFER_COMPLETE:
            self.close()
            raise DeviceError(f"framebuffer {label!r} is incomplete (status 0x{int(status):04x})")

    def attach_beside(self, *colors: Texture) -> None:
        """Draws to further pictures at once: outputs 1, 2, … of the fragment shader."""
        points = [GL.GL_COLOR_ATTACHMENT0 + i for i in range(len(colors) + 1)]
        for point, texture in zip(points[1:], colors, strict=True):
            GL.glNamedFramebufferTexture(self.name, point, texture.name, 0)
        GL.glNamedFramebufferDrawBuffers(self.name, len(points), (ctypes.c_uint * len(points))(*points))

    def attach_level(self, texture: Texture, level: int) -> None:
        """Draws to one level of a 2D texture."""
        GL.glNamedFramebufferTexture(self.name, GL.GL_COLOR_ATTACHMENT0, texture.name, level)

    def attach_face(self, cube: Texture, face: int, level: int) -> None:
        """Draws to one face (+X −X +Y −Y +Z −Z) of one level of a cube map."""
        GL.glNamedFramebufferTextureLayer(self.name, GL.GL_COLOR_ATTACHMENT0, cube.name, level, face)

    def attach_depth(self, depth: DepthArray, layer: int) -> None:
        """Draws depth only, to one layer."""
        GL.glNamedFramebufferTextureLayer(self.name, GL.GL_DEPTH_ATTACHMENT, depth.name, 0, layer)
        GL.glNamedFramebufferDrawBuffer(self.name, GL.GL_NONE)

    def _delete(self) -> None:
        GL.glDeleteFramebuffers(1, ctypes.byref(ctypes.c_uint(self.name)))


class VertexArray(Resource):
    """How vertex shader inputs are fetched.

    attributes: (location, binding, components, GL type, normalised, offset in bytes);
    bindings: (binding, buffer, stride in bytes, divisor).
    """

    kind = "vertex array"

    def __init__(
        self,
        context: Context,
        label: str,
        attributes: Sequence[tuple[int, int, int, int, bool, int]],
        bindings: Sequence[tuple[int, Buffer, int, int]],
        indices: Buffer | None,
    ) -> None:
        super().__init__(context, create(GL.glCreateVertexArrays), 0, label)
        for location, binding, components, kind, normalised, offset in attributes:
            GL.glEnableVertexArrayAttrib(self.name, location)
            GL.glVertexArrayAttribFormat(self.name, location, components, kind, normalised, offset)
            GL.glVertexArrayAttribBinding(self.name, location, binding)
        for binding, buffer, stride, divisor in bindings:
            GL.glVertexArrayVertexBuffer(self.name, binding, buffer.name, 0, stride)
            GL.glVertexArrayBindingDivisor(self.name, binding, divisor)
        if indices is not None:
            GL.glVertexArrayElementBuffer(self.name, indices.name)

    def _delete(self) -> None:
        GL.glDeleteVertexArrays(1, ctypes.byref(ctypes.c_uint(self.name)))

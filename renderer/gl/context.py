"""The OpenGL context: what it is, what it can do, and whether it is well. Everything else on the GPU hangs from it."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from renderer.errors import DeviceError
from renderer.gl import egl
from renderer.gl.binding import GL
from renderer.gl.ledger import Ledger

_SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swrast", "swiftshader")


@dataclass(frozen=True, slots=True)
class ContextInfo:
    """Who draws. software: a rasteriser on the CPU. max_samples: of a multisampled renderbuffer."""

    vendor: str
    renderer: str
    version: str
    software: bool
    max_samples: int
    max_anisotropy: float


class Context:
    """An OpenGL 4.5 core context, current on the thread that made it until `close`."""

    def __init__(self, *, require_gpu: bool = False) -> None:
        """Raises DeviceError when no device gives OpenGL 4.5, or only a software one does although a GPU is
        required."""
        require_gpu = require_gpu or egl.gpu_required()
        self._egl = egl.open_context(require_gpu=require_gpu)
        self._egl.make_current()
        self.info = self._describe()
        self.ledger = Ledger()
        if require_gpu and self.info.software:
            self.close()
            raise DeviceError(f"a GPU is required, but {self.info.renderer} is a software rasteriser")

    def check(self, where: str) -> None:
        """Raises DeviceError when any OpenGL call since the last check failed."""
        error = GL.glGetError()
        if error != GL.GL_NO_ERROR:
            raise DeviceError(f"OpenGL error 0x{int(error):04x} in {where}")

    def close(self) -> None:
        """Releases the context; live objects go with it."""
        self._egl.close()

    def __enter__(self) -> Context:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _describe(self) -> ContextInfo:
        renderer = _string(GL.GL_RENDERER)
        return ContextInfo(
            vendor=_string(GL.GL_VENDOR),
            renderer=renderer,
            version=_string(GL.GL_VERSION),
            software=self._egl.device.software or any(name in renderer.lower() for name in _SOFTWARE_RENDERERS),
            max_samples=int(GL.glGetIntegerv(GL.GL_MAX_SAMPLES)),
            max_anisotropy=float(GL.glGetFloatv(0x84FF)),  # GL_MAX_TEXTURE_MAX_ANISOTROPY
        )


def _string(name: int) -> str:
    value = GL.glGetString(name)
    return value.decode() if value else ""

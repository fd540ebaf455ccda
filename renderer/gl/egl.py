"""Finds a device that can run OpenGL 4.5 without a display, hardware first. Owns the EGL display; draws nothing.

EGL is called through ctypes: PyOpenGL's EGL half cannot be imported with its per-call error checking off, and that
checking doubles the cost of every OpenGL call. The only module of the renderer that reads the environment:
`REQUIRE_GPU=1` makes falling back to a software rasteriser an error.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from renderer.errors import DeviceError

_MAX_DEVICES = 64
_NO_CONTEXT = None
_EXTENSIONS, _OPENGL_API = 0x3055, 0x30A2
_PLATFORM_DEVICE, _PLATFORM_SURFACELESS = 0x313F, 0x31DD  # EGL_EXT_platform_device, EGL_MESA_platform_surfaceless
_CUDA_DEVICE_NV = 0x323A  # EGL_NV_device_cuda: the device's CUDA ordinal
_NONE = 0x3038
_CONTEXT_ATTRIBUTES = (0x3098, 4, 0x30FB, 5, 0x30FD, 1, _NONE)  # major 4, minor 5, core profile
_CONFIG_ATTRIBUTES = (0x3033, 0x0001, 0x3040, 0x0008, _NONE)  # surface type: pbuffer, renderable type: OpenGL
INSTALL_HINT = (
    "install a driver with EGL: NVIDIA's, or Mesa's software rasteriser "
    "(Debian: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0)"
)


def gpu_required() -> bool:
    """Whether the environment forbids the software rasteriser (`REQUIRE_GPU=1`)."""
    return os.environ.get("REQUIRE_GPU", "") not in ("", "0")


def select_platform() -> None:
    """Tells PyOpenGL, before its first import, to resolve functions through EGL; it reads this from the environment
    only."""
    os.environ["PYOPENGL_PLATFORM"] = "egl"


@lru_cache(maxsize=1)
def _library() -> Any:
    """libEGL with the signatures used here. Raises DeviceError when it is not installed."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError as error:
        raise DeviceError(f"libEGL.so.1 cannot be loaded ({error}); {INSTALL_HINT}") from error
    pointer, integer, unsigned = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint
    for name, result, arguments in (
        ("eglGetProcAddress", pointer, [ctypes.c_char_p]),
        ("eglQueryString", ctypes.c_char_p, [pointer, integer]),
        ("eglInitialize", unsigned, [pointer, pointer, pointer]),
        ("eglTerminate", unsigned, [pointer]),
        ("eglBindAPI", unsigned, [unsigned]),
        ("eglChooseConfig", unsigned, [pointer, ctypes.POINTER(integer), pointer, integer, pointer]),
        ("eglCreateContext", pointer, [pointer, pointer, pointer, ctypes.POINTER(integer)]),
        ("eglDestroyContext", unsigned, [pointer, pointer]),
        ("eglMakeCurrent", unsigned, [pointer, pointer, pointer, pointer]),
        ("eglReleaseThread", unsigned, []),
        ("eglGetError", integer, []),
    ):
        function = getattr(egl, name)
        function.restype, function.argtypes = result, arguments
    return egl


def _extension(name: str, result: Any, *arguments: Any) -> Any | None:
    """An extension's entry point, or None."""
    address = _library().eglGetProcAddress(name.encode())
    return ctypes.CFUNCTYPE(result, *arguments)(address) if address else None


@dataclass(frozen=True)
class Device:
    """One way to a display. handle: EGLDeviceEXT, or None for Mesa's surfaceless platform. cuda: CUDA ordinal."""

    handle: int | None
    label: str
    software: bool
    cuda: int | None


def devices() -> list[Device]:
    """Every device in the order to try them: hardware by CUDA ordinal, other hardware, software."""
    found = [_describe(handle, index) for index, handle in enumerate(_query_devices())]
    found.append(Device(None, "surfaceless platform", True, None))
    return sorted(found, key=lambda d: (d.software, d.cuda is None, d.cuda or 0))


def _query_devices() -> list[int]:
    query = _extension("eglQueryDevicesEXT", ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    handles, count = (ctypes.c_void_p * _MAX_DEVICES)(), ctypes.c_int()
    if query is None or not query(_MAX_DEVICES, handles, ctypes.byref(count)):
        return []
    return [handle for handle in handles[: count.value] if handle]


def _describe(handle: int, index: int) -> Device:
    string = _extension("eglQueryDeviceStringEXT", ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
    attribute = _extension("eglQueryDeviceAttribEXT", ctypes.c_uint, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    names = (string(handle, _EXTENSIONS) if string else None) or b""
    cuda = ctypes.c_ssize_t(-1)
    if b"EGL_NV_device_cuda" in names and attribute:
        attribute(handle, _CUDA_DEVICE_NV, ctypes.byref(cuda))
    return Device(
        handle, f"device {index}", b"EGL_MESA_device_software" in names, cuda.value if cuda.value >= 0 else None
    )


class EGLContext:
    """An OpenGL 4.5 core context without any surface, on one device. Current on at most one thread at a time."""

    def __init__(self, device: Device) -> None:
        """Raises DeviceError when the device's driver refuses any step."""
        self.device = device
        self._egl = _library()
        self._display = self._open_display()
        self._context = self._create()

    def make_current(self) -> None:
        """Binds the context to the calling thread."""
        if not self._egl.eglMakeCurrent(self._display, None, None, self._context):
            raise self._error("eglMakeCurrent")

    def close(self) -> None:
        """Destroys the context. The display stays: EGL shares it with every other user in the process."""
        if self._context:
            self._egl.eglMakeCurrent(self._display, None, None, _NO_CONTEXT)
            self._egl.eglDestroyContext(self._display, self._context)
            self._egl.eglReleaseThread()
            self._context = None

    def _open_display(self) -> Any:
        get = _extension("eglGetPlatformDisplayEXT", ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)
        if get is None:
            raise DeviceError(f"EGL has no EGL_EXT_platform_base; {INSTALL_HINT}")
        platform = _PLATFORM_SURFACELESS if self.device.handle is None else _PLATFORM_DEVICE
        display = get(platform, self.device.handle, None)
        if not display or not self._egl.eglInitialize(display, None, None):
            raise self._error("eglInitialize")
        return display

    def _create(self) -> Any:
        attributes = (ctypes.c_int * len(_CONTEXT_ATTRIBUTES))(*_CONTEXT_ATTRIBUTES)
        if not self._egl.eglBindAPI(_OPENGL_API):
            raise self._error("eglBindAPI")
        for config in (None, self._choose_config()):  # None: EGL_KHR_no_config_context, which older drivers lack
            context = self._egl.eglCreateContext(self._display, config, None, attributes)
            if context:
                return context
        raise self._error("eglCreateContext (OpenGL 4.5 core)")

    def _choose_config(self) -> Any:
        """Any configuration that OpenGL can use; None when there is none."""
        wanted = (ctypes.c_int * len(_CONFIG_ATTRIBUTES))(*_CONFIG_ATTRIBUTES)
        config, count = ctypes.c_void_p(), ctypes.c_int()
        found = self._egl.eglChooseConfig(self._display, wanted, ctypes.byref(config), 1, ctypes.byref(count))
        return config.value if found and count.value else None

    def _error(self, step: str) -> DeviceError:
        return DeviceError(f"{self.device.label}: {step} failed with EGL error 0x{self._egl.eglGetError():04x}")


def open_context(*, require_gpu: bool) -> EGLContext:
    """The first device's context that can be made. Raises DeviceError with each device's own failure when none can."""
    failures = []
    for device in devices():
        if require_gpu and device.software:
            failures.append(f"{device.label}: software, and a GPU is required")
            continue
        try:
            return EGLContext(device)
        except DeviceError as error:
            failures.append(str(error))
    raise DeviceError(f"no usable EGL device ({'; '.join(failures)}); {INSTALL_HINT}")

"""Pixels back to main memory without stalling: a ring of persistently mapped pixel buffers, each behind a fence.

Bound: `SLOTS` pictures in flight per size of buffer, a power of two, `MAX_SIZES` of them; the least recently used one
is freed.
"""

from __future__ import annotations

import ctypes
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.errors import DeviceError
from renderer.gl.binding import GL
from renderer.gl.context import Context
from renderer.gl.resources import Buffer, Framebuffer

SLOTS = 3
MAX_SIZES = 16
_FLAGS = GL.GL_MAP_READ_BIT | GL.GL_MAP_PERSISTENT_BIT | GL.GL_MAP_COHERENT_BIT
_TIMEOUT_NS = 20_000_000_000  # a frame that takes 20 s is a hung device


class _Slot:
    """One mapped pixel buffer."""

    def __init__(self, context: Context, size: int) -> None:
        self.buffer = Buffer(context, size, "readback", flags=_FLAGS)
        address = GL.glMapNamedBufferRange(self.buffer.name, 0, size, _FLAGS)
        if not address:
            self.buffer.close()
            raise DeviceError(f"a readback buffer of {size} bytes cannot be mapped")
        pointer = ctypes.cast(ctypes.c_void_p(int(address)), ctypes.POINTER(ctypes.c_uint8))
        self.pixels: NDArray[np.uint8] = np.ctypeslib.as_array(pointer, shape=(size,))
        self.fence: Any = None

    def close(self) -> None:
        if self.fence is not None:
            GL.glDeleteSync(self.fence)
            self.fence = None  # whoever still waits for it is told so by `collect`
        self.buffer.close()


@dataclass(eq=False)
class Transfer:
    """A picture on its way. Collect it once, before `SLOTS` more of a like size are started."""

    slot: _Slot
    fence: Any
    shape: tuple[int, ...]


class Readback:
    """The ring. Used on the render thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rings: OrderedDict[int, list[_Slot]] = OrderedDict()

    def start(self, source: Framebuffer, width: int, height: int, channels: int) -> Transfer:
        """Queues the copy of `source` (8 bits a channel, 1 or 4 channels) and returns at once.

        The first row in memory is the framebuffer's row 0.
        """
        slot = self._next_slot(width * height * channels)
        layout = GL.GL_RED if channels == 1 else GL.GL_RGBA
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, source.name)
        GL.glBindBuffer(GL.GL_PIXEL_PACK_BUFFER, slot.buffer.name)
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        GL.glReadPixels(0, 0, width, height, layout, GL.GL_UNSIGNED_BYTE, ctypes.c_void_p(0))
        GL.glBindBuffer(GL.GL_PIXEL_PACK_BUFFER, 0)
        slot.fence = GL.glFenceSync(GL.GL_SYNC_GPU_COMMANDS_COMPLETE, 0)
        GL.glFlush()
        return Transfer(slot, slot.fence, (height, width, channels) if channels > 1 else (height, width))

    def collect(self, transfer: Transfer) -> NDArray[np.uint8]:
        """Waits for the copy and returns it as an array of its own.

        Raises DeviceError when the device hangs or it was overwritten.
        """
        slot = transfer.slot
        if slot.fence is not transfer.fence:
            raise DeviceError(f"a frame was collected twice or after {SLOTS} newer ones of its size")
        result = GL.glClientWaitSync(slot.fence, GL.GL_SYNC_FLUSH_COMMANDS_BIT, _TIMEOUT_NS)
        if result in (GL.GL_TIMEOUT_EXPIRED, GL.GL_WAIT_FAILED):
            raise DeviceError(f"the device did not finish a frame (glClientWaitSync: 0x{int(result):04x})")
        GL.glDeleteSync(slot.fence)
        slot.fence = None
        return slot.pixels[: math.prod(transfer.shape)].reshape(transfer.shape).copy()

    def close(self) -> None:
        """Frees every buffer."""
        while self._rings:
            self._drop_oldest()

    def _next_slot(self, octets: int) -> _Slot:
        size = 1 << (octets - 1).bit_length()  # moving pictures change their size often, by little
        if size not in self._rings and len(self._rings) >= MAX_SIZES:
            self._drop_oldest()
        ring = self._rings.setdefault(size, [])
        self._rings.move_to_end(size)
        if len(ring) < SLOTS:
            ring.append(_Slot(self._context, size))
            return ring[-1]
        slot = ring.pop(0)
        ring.append(slot)
        if slot.fence is not None:
            GL.glDeleteSync(slot.fence)
            slot.fence = None
        return slot

    def _drop_oldest(self) -> None:
        _, ring = self._rings.popitem(last=False)
        for slot in ring:
            slot.close()

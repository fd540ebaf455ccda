"""What the renderer can complain about. One tree, each error handled once, at the edge that can answer it.

RendererError
├── SceneError          the model is at fault: the message names the file and the value (command: exit 2, server: 422)
│   ├── FormatError         bytes that are not what they claim: truncated, lying lengths, not JSON
│   ├── LimitError          within the format but over a stated bound (bytes, pixels, vertices, nodes)
│   └── UnsupportedError    a required extension or a file kind this build cannot read
├── ViewError           the request is at fault: a variant, animation or environment that does not exist, a number
out of range
└── DeviceError         the machine is at fault: no EGL, no OpenGL 4.5, out of video memory, a shader the driver refuses
"""

from __future__ import annotations


class RendererError(Exception):
    """Base of everything this package raises on purpose."""


class SceneError(RendererError):
    """The model file is wrong; the message is one line that names the file and the fault."""


class FormatError(SceneError):
    """The bytes are not what they claim to be."""


class LimitError(SceneError):
    """Well-formed, but over one of the bounds in `renderer.limits`."""


class UnsupportedError(SceneError):
    """Needs something this build cannot do, such as an unknown required extension."""


class ViewError(RendererError):
    """The requested view cannot be made of this scene."""


class DeviceError(RendererError):
    """EGL, OpenGL or the graphics device refused."""

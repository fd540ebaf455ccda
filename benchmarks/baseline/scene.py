"""Owns the baseline's picture: a model read by trimesh, drawn by pyrender. Lives on the one thread with its context."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError
from benchmarks.pictures import picture_at
from renderer.linalg import look_at, orbit_position

_WHITE = (1.0, 1.0, 1.0, 1.0)
_AMBIENT = (0.3, 0.3, 0.3)
_KEY_INTENSITY = 3.0
_KEY_DIRECTION = (40.0, 50.0)  # theta, phi in degrees of where the key light stands


class Scene(Protocol):
    """What draws the pictures."""

    def render(
        self, theta: float, phi: float, radius: float, target: tuple[float, ...], fov: float
    ) -> NDArray[np.uint8]:
        """uint8 [height, width, 3], sRGB, top row first. Degrees and metres; fov is vertical."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class ReplayedScene:
    """Ready pictures (`benchmarks.pictures`) at the price of a copy, in the form that a renderer hands over: RGB."""

    def __init__(self, pictures: Path) -> None:
        from av import VideoFrame

        planes = np.load(pictures)
        height, width = planes.shape[1] * 2 // 3, planes.shape[2]
        self._pictures = np.empty((len(planes), height, width, 3), np.uint8)
        for step, picture in enumerate(planes):
            frame = VideoFrame.from_ndarray(picture, format="yuv420p")
            self._pictures[step] = frame.reformat(
                format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU709", src_color_range="MPEG"
            ).to_ndarray()

    def render(
        self,
        theta: float,
        phi: float,  # noqa: ARG002
        radius: float,  # noqa: ARG002
        target: tuple[float, ...],  # noqa: ARG002
        fov: float,  # noqa: ARG002
    ) -> NDArray[np.uint8]:
        """The picture of a theta, whatever the rest of the pose is."""
        picture: NDArray[np.uint8] = self._pictures[picture_at(theta, len(self._pictures))]
        return picture.copy()

    def close(self) -> None:
        """Nothing to free."""


class PyrenderScene:
    """Draws one model at one size. Make, use and close it on one and the same thread.

    flat: draw base colours without light, as the flat test scene's unlit materials ask (trimesh drops the extension).
    """

    def __init__(self, model: Path, width: int, height: int, flat: bool = False) -> None:
        try:
            import pyrender
            import trimesh
        except ImportError as error:
            raise UsageError(f"{error.name} is not installed: pip install 'vitrine[bench]'") from error
        loaded: Any = trimesh.load_scene(model)
        self._scene = pyrender.Scene.from_trimesh_scene(loaded, bg_color=_WHITE, ambient_light=_AMBIENT)
        key = pyrender.DirectionalLight(color=np.ones(3), intensity=_KEY_INTENSITY)
        theta, phi = _KEY_DIRECTION
        self._scene.add(key, pose=np.linalg.inv(look_at(orbit_position(theta, phi, 1.0), (0, 0, 0), theta)))
        self._camera = pyrender.PerspectiveCamera(yfov=1.0, aspectRatio=width / height)
        self._camera_node = self._scene.add(self._camera)
        self._flags = pyrender.RenderFlags.FLAT if flat else pyrender.RenderFlags.NONE
        self._renderer = pyrender.OffscreenRenderer(width, height)

    def render(
        self, theta: float, phi: float, radius: float, target: tuple[float, ...], fov: float
    ) -> NDArray[np.uint8]:
        """uint8 [height, width, 3], sRGB, top row first. Degrees and metres; fov is vertical."""
        self._camera.yfov = float(np.radians(fov))
        self._camera.znear, self._camera.zfar = radius / 100, radius * 10
        eye = orbit_position(theta, phi, radius, target)
        self._scene.set_pose(self._camera_node, np.linalg.inv(look_at(eye, target, theta)))
        colour, _depth = self._renderer.render(self._scene, flags=self._flags)
        return np.ascontiguousarray(colour)

    def close(self) -> None:
        """Free the context."""
        self._renderer.delete()

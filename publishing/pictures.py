"""A model's pictures for the shop: poster, thumbnails, a turntable, as WebP. Draws through `renderer.engine` alone."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from PIL import Image as PillowImage

from renderer.engine import Engine
from renderer.view import Orbit, View

if TYPE_CHECKING:
    from publishing.facts import Progress
    from renderer.frame import Frame
    from renderer.scene import Scene

Background: TypeAlias = Literal["transparent"] | tuple[float, float, float]

SPIN_FRAMES = 36
THUMBNAILS = (512, 256)  # pixels, both sides
_QUALITY = {"poster": 88, "thumbnail": 85, "spin": 80}  # WebP's; what moves may be coarser


@dataclass(frozen=True, slots=True)
class Settings:
    """How pictures look. poster, spin: pixels of both sides. samples: a pixel.

    The view is the one that the viewer opens with, so that the stream takes over from the poster without a jump. Frame
    i of the spin is turned by i · 360°/36 about +Y. background: an sRGB colour in 0..1, the stream's own by default; or
    transparent, which suits any page, but leaves glass nothing to show.
    """

    poster: int = 1024
    spin: int = 640
    poster_samples: int = 16
    spin_samples: int = 4
    background: Background = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Files that were made. thumbnails: as `THUMBNAILS`; spin: SPIN_FRAMES, in the order of the turn."""

    poster: Path
    thumbnails: tuple[Path, ...]
    spin: tuple[Path, ...]


def make_pictures(scene: Scene, folder: Path, settings: Settings, progress: Progress | None = None) -> Pictures:
    """Draws and writes all pictures into `folder`, which exists.

    Raises DeviceError without EGL, ViewError when the scene cannot be seen.
    """
    steps = 1 + SPIN_FRAMES
    with Engine() as engine:
        model = engine.load(scene)

        def draw(theta: float, side: int, samples: int) -> PillowImage.Image:
            view = View(Orbit(theta), width=side, height=side, background=settings.background, ground=True)
            # Dozens of traced pictures take a processor many minutes.
            return _image(engine.render(model, view, samples=samples, traced=not engine.info.software))

        start = Orbit().theta
        front = draw(start, settings.poster, settings.poster_samples)
        poster = _written(folder / "poster.webp", front, "poster")
        thumbnails = tuple(_thumbnail(front, size, folder) for size in THUMBNAILS)
        _tell(progress, 1, steps)
        spin: list[Path] = []
        for number in range(SPIN_FRAMES):
            turned = draw(start + 360.0 * number / SPIN_FRAMES, settings.spin, settings.spin_samples)
            spin.append(_written(folder / f"spin-{number:02d}.webp", turned, "spin"))
            _tell(progress, 2 + number, steps)
    return Pictures(poster, thumbnails, tuple(spin))


def _thumbnail(front: PillowImage.Image, size: int, folder: Path) -> Path:
    small = front.resize((size, size), PillowImage.Resampling.LANCZOS)
    return _written(folder / f"thumbnail-{size}.webp", small, "thumbnail")


def _image(frame: Frame) -> PillowImage.Image:
    image = PillowImage.fromarray(frame.pixels)
    return image if frame.pixels[..., 3].min() < 255 else image.convert("RGB")


def _written(path: Path, image: PillowImage.Image, kind: str) -> Path:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY[kind], method=4)
    path.write_bytes(out.getvalue())
    return path


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress("pictures", done, total)

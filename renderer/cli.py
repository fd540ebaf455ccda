"""`vitrine render`, `spin` and `inspect`.

Only arguments and output here; drawing libraries are imported when a command runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from renderer.engine import Engine
    from renderer.frame import Frame
    from renderer.model import Model
    from renderer.scene import Scene
    from renderer.view import AnimationState, View

MAX_SAMPLES = 65536
MAX_SPIN_FRAMES = 3600


def add_commands(subparsers: Any) -> None:
    """Mounts this package's commands."""
    render = subparsers.add_parser("render", help="render one picture of a model")
    _add_view_options(render)
    render.add_argument("-o", "--output", type=Path, required=True, help="picture to write: .png, .jpg or .webp")
    render.add_argument("--time", type=float, default=0.0, help="seconds into the animation (default 0)")
    render.add_argument(
        "--backend", choices=("native", "pyrender"), default="native", help="pyrender: the independent yardstick"
    )
    render.set_defaults(run=_render)

    spin = subparsers.add_parser("spin", help="render a turntable, as pictures or as a film")
    _add_view_options(spin)
    spin.add_argument("-o", "--output", type=Path, required=True, help="folder for pictures, or a film: .webp or .gif")
    spin.add_argument(
        "--frames", type=_bounded_int(2, MAX_SPIN_FRAMES), default=36, help="pictures in a turn (default 36)"
    )
    spin.add_argument(
        "--format", choices=("png", "jpg", "webp"), default="png", help="of pictures in a folder (default png)"
    )
    spin.add_argument("--fps", type=float, default=24.0, help="of a film, frames a second (default 24)")
    spin.set_defaults(run=_spin, time=0.0)

    inspect = subparsers.add_parser("inspect", help="what is in a model, what is supported, what it will cost")
    inspect.add_argument("model", type=Path, metavar="MODEL")
    inspect.add_argument("--json", action="store_true", help="as JSON")
    inspect.set_defaults(run=_inspect)


def _add_view_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("model", type=Path, metavar="MODEL", help=".glb, .gltf, .stl, .obj, .ply, .off or .3mf")
    add("--size", default="1280x720", help="pixels (default 1280x720)")
    add("--orbit", default="auto", help='theta, phi, radius, e.g. "30deg 75deg 1.2m"; auto frames the model')
    add("--target", default="auto", help='point looked at, e.g. "0m 0.3m 0m" (default: the centre)')
    add("--fov", default="30deg", help="vertical field of view (default 30deg)")
    add("--environment", default="neutral", help="neutral, contrast, evening, or a .hdr file")
    add("--background", default="#ffffff", help='"#rrggbb", environment or transparent (default #ffffff)')
    add("--exposure", type=float, default=1.0, help="linear factor (default 1)")
    add("--tone-mapping", choices=("neutral", "aces", "agx", "none"), default="neutral", help="default neutral")
    add("--variant", help="name of a material variant")
    add("--animation", help="name or index of an animation (default: the rest pose)")
    add("--shadows", action="store_true", help="the model's own lights cast shadows")
    add("--ground", action="store_true", help="a soft shadow on an invisible floor under the model")
    add("--channel", metavar="NAME", help="a material input instead of light: baseColor, normal, roughness ...")
    add("--samples", type=_bounded_int(1, MAX_SAMPLES), default=16, help="jittered samples averaged (default 16)")


def _bounded_int(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _view(arguments: argparse.Namespace, scene: Scene) -> View:
    from renderer import spelling
    from renderer.errors import ViewError
    from renderer.view import View

    width, height = spelling.size(arguments.size)
    if not 0 < arguments.exposure <= 1e4:
        raise ViewError(f"exposure {arguments.exposure} is out of range; allowed: above 0, at most 10000")
    background = arguments.background
    if background not in ("environment", "transparent"):
        background = spelling.color(background)
    return View(
        orbit=spelling.orbit(arguments.orbit),
        target=spelling.point(arguments.target),
        fov=spelling.field_of_view(arguments.fov),
        width=width,
        height=height,
        variant=arguments.variant,
        animation=_animation(scene, arguments.animation, arguments.time),
        environment=_environment_name(arguments.environment),
        exposure=arguments.exposure,
        tone_mapping=arguments.tone_mapping,
        background=background,
        shadows=arguments.shadows,
        ground=arguments.ground,
        channel=_channel(arguments.channel),
    )


def _channel(name: str | None) -> str | None:
    """Checked before a device is opened."""
    from renderer import channels

    if name is not None:
        channels.find(name)
    return name


def _environment_name(text: str) -> str:
    from renderer.studio import STUDIOS

    return text if text in STUDIOS else "file"


def _animation(scene: Scene, wanted: str | None, time: float) -> AnimationState | None:
    """By name first, then by index."""
    from renderer.errors import ViewError
    from renderer.view import AnimationState

    if wanted is None:
        return None
    names = [a.name for a in scene.animations]
    if wanted in names:
        return AnimationState(names.index(wanted), time)
    if wanted.isdecimal() and int(wanted) < len(names):
        return AnimationState(int(wanted), time)
    allowed = ", ".join(f"{i} {n!r}" for i, n in enumerate(names)) or "none: this model has no animations"
    raise ViewError(f"no animation {wanted!r}; allowed: {allowed}")


def _open(arguments: argparse.Namespace, engine: Engine, scene: Scene) -> Model:
    if _environment_name(arguments.environment) == "file":
        from renderer.hdr import load_hdr

        engine.add_environment("file", load_hdr(Path(arguments.environment)))
    return engine.load(scene)


def _render(arguments: argparse.Namespace) -> int:
    from renderer import picture
    from renderer.errors import ViewError
    from renderer.load import load_scene

    suffix = arguments.output.suffix.lower()
    if suffix not in picture.KINDS:
        raise ViewError(f"{arguments.output}: pictures are written as {', '.join(picture.KINDS)}")
    scene = load_scene(arguments.model)
    view = _view(arguments, scene)
    if arguments.backend == "pyrender":
        from renderer.pyrender_backend import render

        frame = render(scene, view)
    else:
        frame = _native(arguments, scene, view)
    picture.write(arguments.output, picture.encode(frame, suffix))
    _say(f"{arguments.output}: {frame.width}x{frame.height}, {frame.samples} samples")
    return 0


def _native(arguments: argparse.Namespace, scene: Scene, view: View) -> Frame:
    from renderer.engine import Engine

    with Engine() as engine:
        model = _open(arguments, engine, scene)
        if arguments.samples == 1:
            return engine.render(model, view)
        with (
            engine.accumulate(model, view, samples=arguments.samples, format="rgba8", traced=True) as picture,
            _Progress("rendering") as bar,
        ):
            while not picture.done:
                picture.step()
                bar.advance(1 / arguments.samples)
            return picture.frame()


def _spin(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from renderer import picture
    from renderer.engine import Engine
    from renderer.errors import ViewError
    from renderer.load import load_scene

    film = arguments.output.suffix.lower() in picture.FILMS
    scene = load_scene(arguments.model)
    view = _view(arguments, scene)
    if not film:
        try:
            arguments.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ViewError(f"{arguments.output} cannot be made: {error.strerror or error}") from error
    frames = []
    with Engine() as engine, _Progress("spinning") as bar:
        model = _open(arguments, engine, scene)
        for i in range(arguments.frames):
            orbit = replace(view.orbit, theta=view.orbit.theta + 360.0 * i / arguments.frames)
            frame = engine.render(model, replace(view, orbit=orbit), samples=arguments.samples)
            if film:
                frames.append(frame)
            else:
                name = arguments.output / f"{i:04d}.{arguments.format}"
                picture.write(name, picture.encode(frame, name.suffix))
            bar.advance(1 / arguments.frames)
    if film:
        picture.write(arguments.output, picture.encode_film(frames, arguments.output.suffix, arguments.fps))
    _say(f"{arguments.output}: {arguments.frames} pictures of {view.width}x{view.height}")
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from renderer.errors import SceneError
    from renderer.inspect import inspect, lines

    report = inspect(arguments.model)
    if arguments.json:
        _say(json.dumps(asdict(report), indent=2))
    elif not report.error:
        _say("\n".join(lines(report)))
    if report.error:
        raise SceneError(report.error)
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


class _Progress:
    """A bar on stderr, drawn only when somebody watches a terminal."""

    def __init__(self, label: str) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(label, total=1.0)

    def advance(self, share: float) -> None:
        self._bar.advance(self._task, share)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

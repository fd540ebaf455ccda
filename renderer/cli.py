"""`vitrine render`, `spin` and `inspect`.

Only arguments and output here; drawing libraries are imported when a command runs.
"""

from __future__ import annotations

import argparse
import json
import math
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
    render = subparsers.add_parser("render", help="render one picture of a model", description=_render.__doc__)
    _add_view_options(render)
    render.add_argument(
        "--time", type=_bounded_number(0, 1e6), default=0.0, metavar="S", help="seconds into the animation (default 0)"
    )
    render.add_argument(
        "--backend",
        choices=("native", "pyrender"),
        default="native",
        help="pyrender draws through that package instead, as a yardstick without image-based light",
    )
    render.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="picture to write: .png, .jpg or .webp"
    )
    render.set_defaults(run=_render)
    _add_spin(subparsers)
    inspect = subparsers.add_parser(
        "inspect", help="what is in a model, what is supported, what it will cost", description=_inspect.__doc__
    )
    inspect.add_argument("model", type=Path, metavar="MODEL", help=_model_help())
    inspect.add_argument("--json", action="store_true", help="as JSON, with everything that is known")
    inspect.set_defaults(run=_inspect)


def _add_spin(subparsers: Any) -> None:
    spin = subparsers.add_parser("spin", help="render a turntable, as pictures or as a film", description=_spin.__doc__)
    _add_view_options(spin)
    frames = _bounded_int(2, MAX_SPIN_FRAMES)
    spin.add_argument("--frames", type=frames, default=36, metavar="N", help="pictures in a turn (default 36)")
    spin.add_argument(
        "--format", choices=("png", "jpg", "webp"), default="png", help="of pictures in a folder (default png)"
    )
    spin.add_argument(
        "--fps",
        type=_bounded_number(1, 60),
        default=24.0,
        metavar="N",
        help="of a film, pictures a second (default 24)",
    )
    spin.add_argument(
        "-o", "--output", type=Path, required=True, metavar="PATH", help="folder for pictures, or a film: .webp or .gif"
    )
    spin.set_defaults(run=_spin, time=0.0)


def _model_help() -> str:
    return ".glb, .gltf, .stl, .obj, .ply, .off, .3mf or .dae"


def _add_view_options(parser: argparse.ArgumentParser) -> None:
    """What `View` holds, in groups as one thinks of them."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=_model_help())
    add = parser.add_argument_group("what is shown").add_argument
    add("--variant", metavar="NAME", help="a material variant (default: the file's own materials)")
    add("--animation", metavar="NAME", help="name or index of an animation (default: the rest pose)")
    add("--channel", metavar="NAME", help="a material input without light: baseColor, normal, roughness, ...")
    add = parser.add_argument_group("camera").add_argument
    add("--size", default="1280x720", metavar="WxH", help="pixels (default 1280x720)")
    add("--orbit", default="auto", metavar="ORBIT", help='theta phi radius: "30deg 75deg 1.2m"; auto frames the model')
    add("--target", default="auto", metavar="POINT", help='looked at: "0m 0.3m 0m" (default: the middle of the model)')
    add("--fov", default="30deg", metavar="ANGLE", help="vertical field of view (default 30deg)")
    add = parser.add_argument_group("light").add_argument
    add("--environment", default="neutral", metavar="NAME", help="neutral, contrast, evening, or a .hdr file")
    add(
        "--background", default="#ffffff", metavar="COLOR", help='"#rrggbb", environment or transparent (default white)'
    )
    add("--exposure", type=_bounded_number(1e-6, 1e4), default=1.0, metavar="X", help="linear factor (default 1)")
    add("--tone-mapping", choices=("neutral", "aces", "agx", "none"), default="neutral", help="default neutral")
    add("--shadows", action="store_true", help="the model's own lights cast shadows")
    add("--ground", action="store_true", help="a soft shadow on an invisible floor under the model")
    add = parser.add_argument_group("quality").add_argument
    samples = "a pixel: 1 is what is seen while the model moves, more trace the light's paths (default 16)"
    add("--samples", type=_bounded_int(1, MAX_SAMPLES), default=16, metavar="N", help=samples)


def _bounded_int(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not low <= int(text[:9]) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _bounded_number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return parse


def _view(arguments: argparse.Namespace, scene: Scene) -> View:
    from renderer import spelling
    from renderer.view import View

    width, height = spelling.size(arguments.size)
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
    """Render one picture of a model."""
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

    if arguments.samples == 1:
        with Engine(msaa=4, occlusion=True) as engine:  # as a GPU draws what moves, on any device
            return engine.render(_open(arguments, engine, scene), view)
    with Engine() as engine:
        model = _open(arguments, engine, scene)
        with (
            engine.accumulate(model, view, samples=arguments.samples, format="rgba8", traced=True) as picture,
            _Progress("rendering") as bar,
        ):
            while not picture.done:
                picture.step()
                bar.advance(1 / arguments.samples)
            return picture.frame()


def _spin(arguments: argparse.Namespace) -> int:
    """Render a turntable: once around the model, as pictures in a folder or as a film."""
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
            turned = replace(view, orbit=orbit)
            # Dozens of traced pictures take a processor many minutes.
            frame = engine.render(model, turned, samples=arguments.samples, traced=not engine.info.software)
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
    """Say what is in a model, which of its extensions are supported, and what showing it will cost."""
    from renderer.errors import SceneError
    from renderer.inspect import inspect, lines

    report = inspect(arguments.model)
    if arguments.json:
        _say(json.dumps(report.as_json(), indent=2))
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

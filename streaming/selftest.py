"""Proves, before a host enters service, that it can do its work: read a model, draw it, encode it. Serves nobody.

The model is made here, its two squares look the same on every correct device, and one of them has a colour that is
known beforehand. Each step is a check with a name; the first that fails ends the test.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from renderer.decoding.process import Process
from renderer.decoding.starter import Starter
from renderer.engine import Engine
from renderer.errors import DeviceError, RendererError
from renderer.limits import DEFAULT_LIMITS
from renderer.scene import Scene
from renderer.view import Orbit, View
from streaming import encoders
from streaming.config import Config
from streaming.encoders.base import EncoderSettings
from streaming.encoders.proof import decode
from streaming.errors import EncoderError, StreamingError

T = TypeVar("T")
WIDTH, HEIGHT = 640, 360
#: Linear base colour of the left square, which is unlit: its pixels follow from it alone.
_UNLIT = (0.8, 0.1, 0.05)
_LIT = (0.5, 0.5, 0.5)
#: Centres of the squares, metres from the middle, and the pixels there.
_CENTRE = 0.7
_LEFT, _RIGHT, _CORNER = (180, 202), (180, 438), (8, 8)
#: Largest difference of a channel, 0..255, in a picture that was not encoded, and in one that was.
_EXACT, _ENCODED = 3, 14
_VIEW = View(
    orbit=Orbit(theta=0.0, phi=90.0, radius=4.0),
    target=(0.0, 0.0, 0.0),
    width=WIDTH,
    height=HEIGHT,
    tone_mapping="none",
)


class SelfTestError(StreamingError):
    """A step worked, and its result is wrong."""


@dataclass(frozen=True, slots=True)
class Check:
    """One step. detail: what was found, or why it failed. seconds: that it took."""

    name: str
    passed: bool
    detail: str
    seconds: float


@dataclass(slots=True)
class Report:
    """What a host was found to be. renderer: the device's own name; encoders: by codec, those that were chosen.

    hook: what the launch hook heard: CONTINUE, ABANDON, "unheard", or "" where there is no group.
    """

    checks: list[Check] = field(default_factory=list)
    renderer: str = ""
    software: bool = False
    encoders: dict[str, str] = field(default_factory=dict)
    hook: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and something was tried."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def to_json(self) -> str:
        """One line for a journal."""
        return json.dumps({"selftest": "passed" if self.passed else "failed", **asdict(self)})


def run(config: Config, *, allow_software: bool, load: Callable[[Path], Scene] | None = None) -> Report:
    """Go through all steps. What the machine cannot do is in the report, and raises nothing.

    allow_software: a software rasteriser is good enough, unless the configuration requires a GPU. load: reads a model
    file, in place of a confined process.
    """
    report = Report()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="vitrine-selftest-")))
        try:
            _go(report, config, allow_software and not config.require_gpu, folder, stack, load or read_confined)
        except (RendererError, StreamingError):
            if report.passed:  # a step that raises has noted it; anything else is a bug
                raise
    return report


def answer_hook(config: Config, hook: str, passed: bool) -> str:
    """Tell the host's group, where it has one, whether it may serve: see `Report.hook`.

    Unheard, the hook's own time-out decides, with ABANDON. Raises SettingsError of the fleet.
    """
    if not config.fleet_group:
        return ""
    from fleet.aws import AwsLifecycle
    from fleet.launch import report_launch

    lifecycle = AwsLifecycle(config.fleet_group, config.fleet_region, config.fleet_metadata)
    heard = report_launch(lifecycle, hook, passed)
    return ("CONTINUE" if passed else "ABANDON") if heard else "unheard"


def _go(
    report: Report, config: Config, allow: bool, folder: Path, stack: ExitStack, load: Callable[[Path], Scene]
) -> None:
    file = folder / "selftest.glb"
    file.write_bytes(model())
    with _step(report, "sandbox") as note:
        scene = load(file)
        note(f"{len(scene.nodes)} nodes read in a confined process")
    with _step(report, "device") as note:
        engine = stack.enter_context(_open(allow))
        report.renderer, report.software = engine.info.renderer, engine.info.software
        note(f"{engine.info.renderer}, OpenGL {engine.info.version}" + (" (software)" if report.software else ""))
    with _step(report, "picture") as note:
        drawn = engine.load(scene)
        note(check_picture(engine.render(drawn, _VIEW, format="rgba8").pixels))
        planes = engine.render(drawn, _VIEW, format="i420").pixels
    for codec, names in (("video/H264", config.encoder_h264), ("video/VP8", config.encoder_vp8)):
        with _step(report, codec) as note:
            report.encoders[codec], detail = check_encoder(codec, names, planes)
            note(detail)


@contextmanager
def _step(report: Report, name: str) -> Iterator[Callable[[str], None]]:
    """Note a check in the report: what the block says, or why it raises."""
    begun, said = time.perf_counter(), ""

    def note(text: str) -> None:
        nonlocal said
        said = text

    try:
        yield note
    except (RendererError, StreamingError) as error:
        report.checks.append(Check(name, False, " ".join(str(error).split()), _since(begun)))
        raise
    report.checks.append(Check(name, True, said, _since(begun)))


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)


def _open(allow_software: bool) -> Engine:
    try:
        return Engine(require_gpu=not allow_software)
    except DeviceError as error:
        if allow_software:
            raise
        raise DeviceError(f"a GPU is required and none draws: {error}") from error


def read_confined(path: Path) -> Scene:
    """A model through a confined process, as a host reads every model. DeviceError when a wall is missing."""
    starter = Starter()
    try:
        with Process(starter, DEFAULT_LIMITS) as process:
            lacks = process.wait_ready()
            if lacks:
                raise DeviceError(f"models would be read behind fewer walls: {', '.join(lacks)} missing")
            return process.read(path)
    finally:
        starter.close()


def check_picture(pixels: NDArray[np.uint8]) -> str:
    """What the picture shows; rgba8 as of `Frame`. Raises SelfTestError when it is not the model."""
    if pixels.shape != (HEIGHT, WIDTH, 4):
        raise SelfTestError(f"the picture has shape {pixels.shape}, expected {(HEIGHT, WIDTH, 4)}")
    left, right, corner = (pixels[place][:3].astype(int) for place in (_LEFT, _RIGHT, _CORNER))
    expected = np.array([_to_srgb(value) for value in _UNLIT])
    _near("the unlit square", left, expected, _EXACT)
    _near("the background", corner, np.array([255, 255, 255]), _EXACT)
    if not 40 <= right.min() <= right.max() <= 245:
        raise SelfTestError(f"the lit square is {right.tolist()}: expected a middle grey")
    return f"unlit {left.tolist()}, lit {right.tolist()}, background {corner.tolist()}"


def check_encoder(codec: str, names: str, planes: NDArray[np.uint8]) -> tuple[str, str]:
    """The encoder a host would use, and what it made of I420 planes [height * 3/2, width]. Raises EncoderError."""
    factory = encoders.choose(codec, names)
    name = getattr(factory, "__name__", str(factory))
    encoder = factory(EncoderSettings(WIDTH, HEIGHT, frame_rate=30, bitrate=4_000_000))
    try:
        made = encoder.encode(planes, 0, key=True)
    finally:
        encoder.close()
    if not made.key:
        raise EncoderError(f"{name}: the first picture is not a key frame")
    shown = decode(codec, made.data)
    if shown.shape != planes.shape:
        raise EncoderError(f"{name}: decodes to planes of shape {shown.shape}, expected {planes.shape}")
    for what, place in (("the unlit square", _LEFT), ("the lit square", _RIGHT), ("the background", _CORNER)):
        _near(f"{name}: luma of {what}", shown[place].astype(int), planes[place].astype(int), _ENCODED)
    return name, f"{name}, a key frame of {len(made.data)} bytes, {WIDTH}x{HEIGHT}"


def _near(what: str, found: NDArray[Any], expected: NDArray[Any], most: int) -> None:
    if np.abs(found - expected).max() > most:
        raise SelfTestError(f"{what} is {found.tolist()}, expected {expected.tolist()}")


def _to_srgb(value: float) -> int:
    """A linear value as a byte, by IEC 61966-2-1."""
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))


def model() -> bytes:
    """The model: a GLB of two squares of a metre that face +Z, the left one without light."""
    square = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], "<f4")
    normals = np.array([[0, 0, 1]] * 4, "<f4")
    corners = np.array([0, 1, 2, 0, 2, 3], "<u2")
    parts = [square.tobytes(), normals.tobytes(), corners.tobytes()]
    offsets = [0, len(parts[0]), len(parts[0]) + len(parts[1])]
    views = [{"buffer": 0, "byteOffset": at, "byteLength": len(part)} for at, part in zip(offsets, parts, strict=True)]
    primitive = {"attributes": {"POSITION": 0, "NORMAL": 1}, "indices": 2}
    return _glb(
        {
            "asset": {"version": "2.0"},
            "extensionsUsed": ["KHR_materials_unlit"],
            "buffers": [{"byteLength": sum(map(len, parts))}],
            "bufferViews": views,
            "accessors": [
                {**_floats(0), "min": [-0.5, -0.5, 0.0], "max": [0.5, 0.5, 0.0]},
                _floats(1),
                {"bufferView": 2, "componentType": 5123, "count": 6, "type": "SCALAR"},
            ],
            "materials": [{**_material(_UNLIT), "extensions": {"KHR_materials_unlit": {}}}, _material(_LIT)],
            "meshes": [{"primitives": [{**primitive, "material": index}]} for index in (0, 1)],
            "nodes": [{"mesh": 0, "translation": [-_CENTRE, 0, 0]}, {"mesh": 1, "translation": [_CENTRE, 0, 0]}],
            "scenes": [{"nodes": [0, 1]}],
            "scene": 0,
        },
        b"".join(parts),
    )


def _floats(view: int) -> dict[str, Any]:
    return {"bufferView": view, "componentType": 5126, "count": 4, "type": "VEC3"}


def _material(colour: tuple[float, float, float]) -> dict[str, Any]:
    return {"pbrMetallicRoughness": {"baseColorFactor": [*colour, 1.0], "metallicFactor": 0.0, "roughnessFactor": 1.0}}


def _glb(document: Mapping[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks

"""Owns `vitrine bench encode`: CPU time, bytes and quality a picture, our encoders beside aiortc's, turn about.

Every side encodes the same moving pictures of a model, drawn by our renderer, on one thread of its own or as many as it
takes: the CPU time of all counts. Each gets a few pictures, then it is the next one's turn. Draws before it measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.poses import subject_of
from benchmarks.probes import summarise
from benchmarks.progress import Progress
from benchmarks.report import envelope, model_of
from streaming import encoders
from streaming.encoders import EncoderSettings
from streaming.errors import EncoderError

RATE = 30  # pictures a second
YARDSTICK = "aiortc H.264"
_CLOCK = Fraction(1, 90_000)
_TURN = 10  # pictures of one side before it is the next one's turn
_AIORTC_MOST = {"aiortc H.264": 3_000_000, "aiortc VP8": 1_500_000}  # bits a second, its own limits

Pictures: TypeAlias = NDArray[np.uint8]  # I420 [n, height * 3 / 2, width]
Encode: TypeAlias = Callable[[Pictures, int], bytes]  # one picture and its number → the bytes of it


@dataclass(eq=False, slots=True)
class Run:
    """What one side made of the pictures. seconds: of CPU, for each."""

    codec: str
    seconds: list[float] = field(default_factory=list)
    packets: list[bytes] = field(default_factory=list)


def measure(
    model: Path, width: int, height: int, count: int, bitrates: Sequence[int], progress: Progress
) -> dict[str, Any]:
    """bitrates: bits a second; every side encodes all `count` pictures at each of them."""
    progress.begin(f"{model.stem}: drawing", count)
    pictures = _drawn(model, width, height, count, progress)
    found = {str(bitrate): _at(bitrate, pictures, progress) for bitrate in bitrates}
    plan = {"pictures": count, "width": width, "height": height, "rate": RATE, "bitrates": list(bitrates)}
    return envelope("encode", plan, model=model_of(model)) | {"found": found, "warnings": _warnings(bitrates)}


def table(result: dict[str, Any]) -> Table:
    """Sides as rows, under each bitrate."""
    plan = result["plan"]
    view = Table(title=f"{result['model']['name']}, {plan['width']}×{plan['height']}, {plan['rate']} pictures a second")
    headings = ("", "CPU ms p50 (p95)", f"of {YARDSTICK}", "kb/s", "PSNR dB mean (least)", "key frame kB")
    for heading in headings:
        view.add_column(heading, justify="right" if heading else "left")
    for bitrate, sides in result["found"].items():
        view.add_section()
        view.add_row(f"[bold]{int(bitrate) / 1e6:g} Mb/s")
        for name, side in sides.items():
            cpu, psnr = side["cpu"], side["psnr"]
            view.add_row(
                name,
                f"{cpu['p50']:.2f} ({cpu['p95']:.2f})",
                f"{side['ratio']:.2f}",
                f"{side['kbps']:.0f}",
                f"{psnr['mean']:.1f} ({psnr['least']:.1f})",
                f"{side['key_bytes'] / 1e3:.1f}",
            )
    return view


def _at(bitrate: int, pictures: Pictures, progress: Progress) -> dict[str, Any]:
    height, width = pictures.shape[1] * 2 // 3, pictures.shape[2]
    settings = EncoderSettings(width, height, RATE, bitrate)
    with ExitStack() as stack:
        sides = {name: stack.enter_context(side(settings)) for name, side in _sides().items()}
        runs = {name: Run("vp8" if "vp8" in name.lower() else "h264") for name in sides}
        progress.begin(f"{bitrate / 1e6:g} Mb/s", len(pictures) * len(sides))
        for start in range(0, len(pictures), _TURN):
            for name, encode in sides.items():
                for number in range(start, min(start + _TURN, len(pictures))):
                    begun = time.process_time()
                    runs[name].packets.append(encode(pictures[number], number))
                    runs[name].seconds.append(time.process_time() - begun)
                    progress.step(f"{bitrate / 1e6:g} Mb/s", name)
    found = {name: _told(run, pictures) for name, run in runs.items()}
    yardstick = found[YARDSTICK]["cpu"]["p50"]
    return {name: {**side, "ratio": side["cpu"]["p50"] / yardstick} for name, side in found.items()}


def _told(run: Run, pictures: Pictures) -> dict[str, Any]:
    """The first picture, the key frame, is told apart."""
    noise = list(_noise(run, pictures))
    octets = [len(packet) for packet in run.packets[1:]]
    return {
        "cpu": asdict(summarise([seconds * 1e3 for seconds in run.seconds[1:]])),
        "kbps": sum(octets) * 8 * RATE / len(octets) / 1e3,
        "psnr": {"mean": float(np.mean(noise)), "least": float(np.min(noise))},
        "key_bytes": len(run.packets[0]),
    }


def _noise(run: Run, pictures: Pictures) -> Iterator[float]:
    """PSNR of each picture's luma, dB."""
    context = av.CodecContext.create(run.codec, "r")
    if not isinstance(context, av.VideoCodecContext):
        raise EncoderError(f"{run.codec} is no video decoder")
    context.thread_count = 1
    rows = pictures.shape[1] * 2 // 3
    shown = [frame for packet in run.packets for frame in context.decode(av.Packet(packet))]
    for frame, picture in zip([*shown, *context.decode(None)], pictures, strict=True):
        difference = frame.to_ndarray()[:rows].astype(np.float32) - picture[:rows]
        yield 10 * float(np.log10(255**2 / max(1e-3, float(np.mean(difference**2)))))


def _drawn(model: Path, width: int, height: int, count: int, progress: Progress) -> Pictures:
    """A drag around the model, as moving pictures are drawn, at full resolution."""
    from renderer.engine import Engine
    from renderer.load import load_scene
    from renderer.view import Orbit, View

    poses = subject_of(model, width / height).drag(RATE, 2 * count / RATE).poses[:count]
    pictures = np.empty((count, height * 3 // 2, width), np.uint8)
    with Engine() as engine:
        loaded = engine.load(load_scene(model))
        for picture, (theta, phi, radius, x, y, z, fov) in zip(pictures, poses, strict=True):
            view = View(orbit=Orbit(theta, phi, radius), target=(x, y, z), fov=fov, width=width, height=height)
            picture[:] = engine.finish(engine.begin(loaded, view)).pixels
            progress.step(f"{model.stem}: drawing")
        engine.release(loaded)
    return pictures


# -- sides ------------------------------------------------------------------------------------------------------------


def _sides() -> Mapping[str, Callable[[EncoderSettings], Any]]:
    sides = {
        "x264, fast": partial(_ours, "x264", False),
        "x264, thorough": partial(_ours, "x264", True),
        "x264 through FFmpeg": partial(_ours, "x264-ffmpeg", False),
        "NVENC": partial(_ours, "nvenc", False),
        "VP8": partial(_ours, "vp8", False),
        YARDSTICK: partial(_aiortc, YARDSTICK),
        "aiortc VP8": partial(_aiortc, "aiortc VP8"),
    }
    try:
        encoders.choose("video/H264", "nvenc")
    except EncoderError:
        del sides["NVENC"]
    return sides


@contextmanager
def _ours(name: str, thorough: bool, settings: EncoderSettings) -> Iterator[Encode]:
    with closing(encoders.find(name)(settings)) as encoder:
        encoder.exert(thorough)
        yield lambda picture, number: encoder.encode(picture, number * 90_000 // RATE, key=number == 0).data


@contextmanager
def _aiortc(name: str, settings: EncoderSettings) -> Iterator[Encode]:
    """aiortc's own encoder, given what its sender gives it; its packets put together again."""
    from aiortc.codecs.h264 import H264Encoder, h264_depayload
    from aiortc.codecs.vpx import Vp8Encoder, vp8_depayload

    encoder: Any = H264Encoder() if name == YARDSTICK else Vp8Encoder()
    depayload: Any = h264_depayload if name == YARDSTICK else vp8_depayload
    encoder.target_bitrate = settings.bitrate

    def encode(picture: Pictures, number: int) -> bytes:
        frame = av.VideoFrame.from_numpy_buffer(picture, format="yuv420p")
        frame.pts, frame.time_base = number * 90_000 // RATE, _CLOCK
        payloads, _ = encoder.encode(frame, force_keyframe=number == 0)
        return b"".join(depayload(payload) for payload in payloads)

    yield encode


def _warnings(bitrates: Sequence[int]) -> list[str]:
    return [
        f"{name} takes no more than {most / 1e6:g} Mb/s" for name, most in _AIORTC_MOST.items() if max(bitrates) > most
    ]

"""Replayed pictures and packets: what stands for the renderer and the encoder in load measurements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import flat, replay
from benchmarks.latency import subject
from benchmarks.pictures import STEPS, picture_at
from renderer.errors import FormatError
from renderer.view import Orbit, View
from streaming.encoders import EncoderSettings, choose
from streaming.rtc.packets import units

WIDTH, HEIGHT = 64, 48


def pictures() -> np.ndarray:
    found = np.full((STEPS, HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    found[:, :HEIGHT] = (np.arange(STEPS) * 3 + 20)[:, None, None]
    return found


def at(theta: float, width: int = WIDTH, height: int = HEIGHT) -> View:
    return View(orbit=Orbit(theta, 75.0, 2.0), width=width, height=height)


def test_neighbours_in_theta_are_neighbours_in_the_pictures() -> None:
    steps = [picture_at(theta, STEPS) for theta in np.arange(-360, 720, 3.0)]
    assert set(steps) == set(range(STEPS))
    assert max(abs(a - b) for a, b in zip(steps, steps[1:], strict=False)) == 1


def test_a_whole_turn_has_a_picture_for_every_degree() -> None:
    degrees = [picture_at(theta, flat.SECTORS) for theta in np.arange(-360, 720, 1.0)]
    assert degrees == [*range(flat.SECTORS)] * 3


@pytest.mark.gl
def test_ready_pictures_of_the_flat_scene_say_from_where_they_were_drawn() -> None:
    with subject(None, 320, 184, "frames") as (file, looked_at):
        assert looked_at.flat
        assert [path.name for path in file.parent.iterdir()] == [file.name]  # a server lists what lies beside it
        drawn = replay.frames().load_scene(file)
        seen = [flat.decode(picture[:184, 160]) for picture in drawn]
    assert seen == [*range(flat.SECTORS)]
    assert not file.exists()


def test_frames_come_from_the_file_as_copies_in_any_size(tmp_path: Path) -> None:
    path = tmp_path / "turn.glb"
    with path.open("wb") as file:
        np.save(file, pictures())
    backend = replay.frames()
    thread = backend.open_thread(require_gpu=False)
    try:
        model = backend.upload(None, backend.load_scene(path))
        frame = thread.submit(lambda engine: engine.finish(engine.begin(model, at(30.0)))).result()
        assert (frame.pixels == pictures()[10]).all()
        assert not np.shares_memory(frame.pixels, model.pictures)
        small = thread.submit(lambda engine: engine.finish(engine.begin(model, at(30.0, 32, 24)))).result()
        assert small.pixels.shape == (36, 32)
        assert (small.pixels[:24] == 50).all()
        still = thread.submit(lambda engine: engine.accumulate(model, at(30.0), format="rgba8").frame()).result()
        assert still.pixels.shape == (HEIGHT, WIDTH, 4)
    finally:
        thread.close()
    path.write_bytes(b"something else")
    with pytest.raises(FormatError, match=r"turn\.glb"):
        backend.load_scene(path)


def test_packets_are_what_x264_made_once_and_the_encoder_passes_them_on() -> None:
    factory = choose("video/H264", replay.PACKET_ENCODER)
    encoder = factory(EncoderSettings(WIDTH, HEIGHT, 30, 1_000_000))
    packets = replay.encode_all(pictures())
    assert len(packets) == STEPS
    predicted, key = (encoder.encode(packets[20], 0, key=key) for key in (False, True))
    assert (predicted.key, key.key) == (False, True)
    assert predicted.data.startswith(b"\0\0")
    assert key.data.startswith(b"\0\0")
    assert len(key.data) + len(predicted.data) + 8 == packets[20].size
    assert sum(predicted.units) == len(predicted.data)
    assert list(units(predicted.data, predicted.units)) == list(units(predicted.data))
    assert 12_400 < len(predicted.data) <= 12_500  # 3 Mb/s at 30 a second, mostly filler in a picture as small as this
    assert replay.filled(b"x" * 100, 60) == b"x" * 100


def test_filler_is_skipped_by_decoders() -> None:
    import av

    source = replay.encode_all(pictures())
    encoder = replay.Replayed(EncoderSettings(WIDTH, HEIGHT, 30, 1_000_000))
    decoder = av.CodecContext.create("h264", "r")
    stream = [encoder.encode(source[0], 0, key=True), *(encoder.encode(p, 0, key=False) for p in source[1:6])]
    shown = [frame for part in stream for frame in decoder.decode(av.Packet(part.data))]
    shown += decoder.decode(None)
    assert len(shown) == 6

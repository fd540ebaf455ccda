"""The boot's self-test: what passes, and that each thing which can be wrong with a host fails it under its own name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.load import load_scene
from streaming import cli, selftest
from streaming.config import Config
from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.x264 import X264
from streaming.errors import EncoderError
from streaming.selftest import HEIGHT, WIDTH, Report, SelfTestError, answer_hook, check_encoder, check_picture, run

GREY = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)


def failed(report: Report) -> list[str]:
    return [check.name for check in report.checks if not check.passed]


@pytest.mark.gl
def test_a_host_that_can_do_all_of_it_passes() -> None:
    report = run(Config(), allow_software=True)
    assert failed(report) == []
    assert [check.name for check in report.checks] == ["sandbox", "device", "picture", "video/H264", "video/VP8"]
    assert report.passed
    assert set(report.encoders) == {"video/H264", "video/VP8"}


@pytest.mark.gl
@pytest.mark.parametrize(("allow", "required"), [(False, False), (True, True)], ids=["not-allowed", "required"])
def test_a_software_rasteriser_is_refused_with_a_clear_line(allow: bool, required: bool) -> None:
    report = run(replace(Config(), require_gpu=required), allow_software=allow, load=load_scene)
    if not report.passed:  # on a machine with a GPU there is nothing to refuse
        assert failed(report) == ["device"]
        assert report.checks[-1].detail.startswith("a GPU is required and none draws")
        assert '"selftest": "failed"' in report.to_json()
    else:
        assert not report.software


def test_a_model_that_cannot_be_read_ends_the_test(tmp_path: Path) -> None:
    def broken(path: Path) -> Any:
        path.write_bytes(b"glTF")
        return load_scene(path)

    report = run(Config(), allow_software=True, load=broken)
    assert failed(report) == ["sandbox"]
    assert len(report.checks) == 1


def test_a_missing_wall_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest.Process, "wait_ready", lambda self: ["seccomp"])
    report = run(Config(), allow_software=True)
    assert failed(report) == ["sandbox"]
    assert "seccomp missing" in report.checks[0].detail


def picture() -> NDArray[np.uint8]:
    pixels = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    pixels[100:260, 122:282, :3] = (231, 89, 63)
    pixels[100:260, 358:518, :3] = 188
    return pixels


def test_the_right_picture_is_accepted() -> None:
    assert "unlit" in check_picture(picture())


@pytest.mark.parametrize(
    ("rows", "columns", "colour"),
    [
        (slice(100, 260), slice(122, 282), (63, 89, 231)),  # red and blue exchanged
        (slice(100, 260), slice(358, 518), (0, 0, 0)),  # no light
        (slice(100, 260), slice(358, 518), (255, 255, 255)),  # nothing drawn
        (slice(0, 20), slice(0, 20), (0, 0, 0)),  # no background
    ],
)
def test_a_wrong_picture_is_refused(rows: slice, columns: slice, colour: tuple[int, int, int]) -> None:
    pixels = picture()
    pixels[rows, columns, :3] = colour
    with pytest.raises(SelfTestError):
        check_picture(pixels)


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(SelfTestError, match="shape"):
        check_picture(picture()[::2])


class Bad:
    """An encoder that works, except for one thing."""

    def __init__(self, settings: EncoderSettings, how: str) -> None:
        width = settings.width // 2 if how == "size" else settings.width
        self._inner, self._how = X264(replace(settings, width=width)), how

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        if self._how == "colour":
            pixels = np.full_like(pixels, 16)
        if self._how == "size":
            pixels = np.ascontiguousarray(pixels[:, : pixels.shape[1] // 2])
        made = self._inner.encode(pixels, timestamp, key=key, still=still)
        if self._how == "garbage":
            return replace(made, data=b"\0\0\0\1" + b"\x55" * 40)
        return replace(made, key=False) if self._how == "key" else made

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize(
    ("how", "says"), [("key", "not a key frame"), ("size", "shape"), ("colour", "luma"), ("garbage", "video/H264")]
)
def test_an_encoder_that_lies_is_found_out(monkeypatch: pytest.MonkeyPatch, how: str, says: str) -> None:
    monkeypatch.setattr(selftest.encoders, "choose", lambda codec, names: lambda settings: Bad(settings, how))
    with pytest.raises((EncoderError, SelfTestError), match=says):
        check_encoder("video/H264", "auto", GREY)


def test_an_honest_encoder_is_accepted() -> None:
    assert check_encoder("video/H264", "x264,x264-ffmpeg", GREY)[0].startswith("X264")


class Group:
    """An Auto Scaling group that hears, or does not."""

    told: list[tuple[str, str, str]]

    def __init__(self, group: str, region: str = "", metadata: str = "") -> None:
        self.group = group

    def complete(self, hook: str, result: Any) -> None:
        Group.told.append((self.group, hook, result.value))
        if self.group == "deaf":
            from fleet.errors import UnavailableError

            raise UnavailableError("no answer")


@pytest.mark.parametrize(
    ("group", "passed", "answer", "told"),
    [
        ("", True, "", []),
        ("shop", True, "CONTINUE", [("shop", "launch", "CONTINUE")]),
        ("shop", False, "ABANDON", [("shop", "launch", "ABANDON")]),
        ("deaf", True, "unheard", [("deaf", "launch", "CONTINUE")]),
    ],
)
def test_the_launch_hook_is_told(
    monkeypatch: pytest.MonkeyPatch, group: str, passed: bool, answer: str, told: list[tuple[str, str, str]]
) -> None:
    Group.told = []
    monkeypatch.setattr("fleet.aws.AwsLifecycle", Group)
    assert answer_hook(replace(Config(), fleet_group=group), "launch", passed) == answer
    assert Group.told == told


@pytest.mark.parametrize("passed", [True, False])
def test_the_command_ends_with_a_code_and_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], passed: bool
) -> None:
    from argparse import ArgumentParser

    check = selftest.Check("device", passed, "what was found", 0.1)
    monkeypatch.setattr(selftest, "run", lambda config, allow_software: Report([check]))
    parser = ArgumentParser()
    cli.add_commands(parser.add_subparsers())
    arguments = parser.parse_args(["selftest"])
    assert arguments.run(arguments) == (0 if passed else 1)
    said = capsys.readouterr()
    assert f'"selftest": "{"passed" if passed else "failed"}"' in said.out
    assert ("selftest: device: what was found" in said.err) != passed

"""Helper processes: they answer, die loudly, come back, and end with who asked."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from benchmarks.companion import Companion
from benchmarks.errors import BenchError, UsageError
from benchmarks.fidelity import peers
from benchmarks.fidelity.suite import read_suite
from tests.unit.suites import entry, write_suite

ECHO = """
import os, sys, time
from contextlib import nullcontext
from benchmarks.companion import serve
def answer(question):
    print("libraries talk")
    if question == "die": os._exit(3)
    if question == "sleep": time.sleep(60)
    return [question, os.getpid()]
serve(nullcontext(answer))
"""

FILLY = """
import json, sys, types
import numpy as np
class FillyError(Exception): pass
class Thing:
    def __init__(self, **values): self.__dict__.update(values)
    def close(self): pass
class Scene(Thing):
    def load(self, path):
        if "bad" in path: raise FillyError("no such animal")
        self.model = Thing(lights=[Thing()], apply_variant=lambda name: None, apply_animation=lambda *a: None)
        return self.model
class Camera(Thing):
    def set_perspective(self, **values): self.perspective = values
    def look_at(self, target): self.target = target
class Renderer(Thing):
    def __enter__(self):
        print("I am an engine")
        return self
    def __exit__(self, *_): pass
    def create_scene(self): return Scene()
    def create_camera(self): return Camera()
    def load_environment(self, path): return Thing(path=path)
    def create_render_target(self, width, height):
        return Thing(read=lambda: np.full((height, width, 4), 7, np.uint8))
    def render(self, scene, target):
        camera = scene.camera
        told = {"rotation": scene.environment_rotation_deg, "tone": scene.tone_mapping, "eye": list(camera.position),
                "target": list(camera.target), "fov": camera.perspective["fov_y_deg"], "clear": scene.transparent}
        open("told.json", "w").write(json.dumps(told))
"""


def test_a_companion_answers_dies_loudly_and_comes_back() -> None:
    with Companion("echo", [sys.executable, "-c", ECHO]) as echo:
        first, second = echo.ask({"a": 1}), echo.ask("ü")
        assert (first[0], second[0]) == ({"a": 1}, "ü")
        assert first[1] == second[1]
        with pytest.raises(BenchError, match="echo: its process ended with status 3"):
            echo.ask("die")
        assert echo.ask("again")[1] != first[1]


def test_a_companion_that_is_killed_fails_the_question_that_waits() -> None:
    with Companion("echo", [sys.executable, "-c", ECHO]) as echo:
        echo.ask("ready")
        timer = threading.Timer(0.2, echo.kill)
        timer.start()
        with pytest.raises(BenchError, match="ended with status -9"):
            echo.ask("sleep")
        timer.join()


def wrapper(folder: Path, module: str, text: str) -> str:
    """An interpreter that has one more module."""
    (folder / f"{module}.py").write_text(text)
    script = folder / "python"
    script.write_text(f'#!/bin/sh\ncd "{folder}"; PYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return str(script)


def test_a_peer_that_is_not_installed_says_how_to_get_it(tmp_path: Path) -> None:
    python = wrapper(tmp_path, "filly", FILLY)
    peers.check(python, ("filament",))
    with pytest.raises(UsageError, match="--fresh cycles: the package bpy is not installed.*make peers"):
        peers.check(python, ("filament", "cycles"))
    with pytest.raises(UsageError, match="--peer-python"):
        peers.check(str(tmp_path / "nowhere"), ("filament",))


def test_filament_gets_the_suites_conventions_and_its_faults_cost_one_scenario(tmp_path: Path) -> None:
    import json

    from PIL import Image

    root = write_suite(tmp_path / "suite", entry("Good"), entry("Bad", model="models/bad.glb"))
    (root / "models" / "bad.glb").write_bytes(b"")
    said: list[str] = []
    python = wrapper(tmp_path, "filly", FILLY)
    failures = peers.draw_all(
        python, "filament", read_suite(root).scenarios, lambda _, name: tmp_path / f"{name}.png", 1, said.append
    )
    assert failures == ["Bad: filament: no such animal"]
    assert said == ["[1/2] filament, Good: drawn", "[2/2] filament, Bad: no such animal"]
    with Image.open(tmp_path / "Good.png") as picture:
        assert picture.size == (48, 48)
    told = json.loads((tmp_path / "told.json").read_text())
    assert told.pop("eye") == pytest.approx([0.5, 0.5, 2.0])
    assert told == {"rotation": 90.0, "tone": "linear", "target": [0.5, 0.5, 0], "fov": 45, "clear": True}

"""The render thread: work in order, errors to whoever asked, nothing left at the end."""

from __future__ import annotations

import threading

import pytest

from renderer.engine import Engine
from renderer.errors import DeviceError
from renderer.gl.ledger import Ledger
from renderer.thread import RenderThread
from renderer.view import View
from tests.gl.scenes import scene, sphere

pytestmark = pytest.mark.gl


def draw_once(engine: Engine) -> Ledger:
    engine.render(engine.load(scene(sphere())), View(width=64, height=64))
    return engine.ledger


def test_work_runs_on_one_other_thread_in_order() -> None:
    with RenderThread() as thread:
        names = [thread.submit(lambda _, i=i: (i, threading.current_thread().name)) for i in range(20)]
        assert [f.result() for f in names] == [(i, "render") for i in range(20)]


def test_a_closed_thread_leaves_no_gpu_object_and_takes_no_work() -> None:
    thread = RenderThread()
    ledger = thread.submit(draw_once).result()
    assert ledger.total > 0
    thread.close()
    assert ledger.entries() == ()
    with pytest.raises(DeviceError, match="closed"):
        thread.submit(draw_once)
    thread.close()


def test_a_failing_task_hurts_nobody_else() -> None:
    with RenderThread() as thread:
        wrong = thread.submit(lambda _: 1 // 0)
        right = thread.submit(lambda engine: engine.info.renderer)
        with pytest.raises(ZeroDivisionError):
            wrong.result()
        assert right.result() == thread.info.renderer


def test_two_contexts_live_side_by_side() -> None:
    with RenderThread() as one, RenderThread() as two:
        assert one.submit(draw_once).result().total == two.submit(draw_once).result().total


def test_a_device_that_cannot_be_opened_is_reported_to_the_maker() -> None:
    def broken() -> Engine:
        raise DeviceError("no such device")

    with pytest.raises(DeviceError, match="no such device"):
        RenderThread(factory=broken)


def test_a_required_gpu_is_not_replaced_by_software(monkeypatch: pytest.MonkeyPatch) -> None:
    with RenderThread() as thread:
        software = thread.info.software
    monkeypatch.setenv("REQUIRE_GPU", "1")
    if software:
        with pytest.raises(DeviceError, match="GPU is required"):
            RenderThread()
    else:
        with RenderThread() as thread:
            assert not thread.info.software

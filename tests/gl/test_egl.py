"""Devices and contexts, as far as the machine at hand has them."""

from __future__ import annotations

import pytest

from renderer.errors import DeviceError
from renderer.gl import egl
from renderer.gl.context import Context

pytestmark = pytest.mark.gl


def test_hardware_comes_first_and_software_is_known_as_such() -> None:
    found = egl.devices()
    assert found
    assert [d.software for d in found] == sorted(d.software for d in found)
    assert found[-1].handle is None or found[-1].software


def test_every_device_that_can_be_opened_can_be_closed_and_opened_again() -> None:
    opened = 0
    for device in egl.devices():
        for _ in range(2):
            try:
                context = egl.EGLContext(device)
            except DeviceError:
                continue
            context.make_current()
            context.close()
            context.close()
            opened += 1
    assert opened >= 2


def test_drivers_without_configless_contexts_are_served_too() -> None:
    context = egl.EGLContext(egl.devices()[0])
    assert context._choose_config() is not None
    context.close()


def test_a_failure_names_every_device_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: egl.Device) -> egl.EGLContext:
        raise DeviceError(f"{device.label}: refused")

    monkeypatch.setattr(egl, "EGLContext", refuse)
    with pytest.raises(DeviceError, match="refused.*libegl1"):
        egl.open_context(require_gpu=False)


def test_the_context_says_what_it_is_and_finds_errors() -> None:
    from renderer.gl.binding import GL

    with Context() as context:
        assert context.info.renderer
        assert context.info.version.startswith("4.")
        context.check("nothing")
        GL.glEnable(0xFFFF)
        with pytest.raises(DeviceError, match="0x0500 in a mistake"):
            context.check("a mistake")

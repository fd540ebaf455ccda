"""The whole way once, with the real renderer: a model is turned in a browser and shows its other side."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import HARNESS, serving, watched, window
from tests.browser.slab import MIDDLE, two_sided_slab

pytestmark = [pytest.mark.browser, pytest.mark.gl]

POSTER = MIDDLE.replace('querySelector("video")', 'querySelector("img")').replace("video.video", "video.natural")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    (models / "slab.glb").write_bytes(two_sided_slab())
    with serving(models, fake=False) as address:
        yield address


@pytest.fixture
def slab(browser: Browser, gallery: str) -> Iterator[Page]:
    with window(browser) as context:
        page, complaints = watched(context)
        body = '<vitrine-viewer id="v" src="slab" camera-orbit="0deg 90deg auto"></vitrine-viewer>'
        page.route("**/harness", lambda route: route.fulfill(content_type="text/html", body=HARNESS.format(body=body)))
        page.goto(f"{gallery}harness")
        page.wait_for_function("v.loaded", timeout=60_000)
        yield page
        assert complaints == []


def wait_for_colour(page: Page, strongest: str) -> None:
    index, other = {"red": (0, 2), "blue": (2, 0)}[strongest]
    page.wait_for_function(
        f"() => {{ const c = ({MIDDLE})(); return c[{index}] > 2 * c[{other}] + 20 }}", timeout=30_000
    )


def test_a_drag_turns_the_model_to_its_other_side(slab: Page) -> None:
    wait_for_colour(slab, "red")
    slab.mouse.move(300, 160)
    slab.mouse.down()
    slab.mouse.move(140, 160, steps=12)
    slab.wait_for_timeout(150)
    slab.mouse.up()
    assert np.degrees(slab.evaluate("v.getCameraOrbit().theta")) == pytest.approx(180)
    wait_for_colour(slab, "blue")


def test_the_still_and_the_stream_show_the_same_picture(slab: Page) -> None:
    slab.wait_for_function("events.some(({ type }) => type === 'poster-dismissed')", timeout=30_000)
    slab.wait_for_function('v.shadowRoot.querySelector("img").naturalWidth > 0')  # the stream may have been quicker
    assert slab.evaluate(POSTER) == pytest.approx(slab.evaluate(MIDDLE), abs=10)
    edges = """(selector) => {
      const picture = v.shadowRoot.querySelector(selector);
      const canvas = new OffscreenCanvas(480, 320);
      const context = canvas.getContext("2d");
      context.drawImage(picture, 0, 0, 480, 320);
      const { data } = context.getImageData(0, 160, 480, 1);
      const inside = [...Array(480).keys()].filter((x) => data[4 * x + 1] < 150);
      return [inside[0], inside.at(-1)];
    }"""
    assert slab.evaluate(edges, "img") == pytest.approx(slab.evaluate(edges, "video"), abs=2)


def test_a_channel_shows_normals_instead_of_light(slab: Page) -> None:
    wait_for_colour(slab, "red")
    slab.evaluate("v.channel = 'geometricNormal'")
    slab.wait_for_function(f"() => {{ const c = ({MIDDLE})(); return c[2] > 235 && Math.abs(c[0] - 128) < 12 }}")
    slab.evaluate("v.channel = null")
    wait_for_colour(slab, "red")


def test_a_point_of_the_picture_is_found_on_the_model(slab: Page) -> None:
    hit = slab.evaluate("v.positionAndNormalFromPoint(240, 160).then(({ position, normal }) => [position, normal.z])")
    position, towards = hit
    assert [position["x"], position["y"], position["z"]] == pytest.approx([0, 0, 0.1], abs=0.01)
    assert towards == pytest.approx(1)

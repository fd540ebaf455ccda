"""A model on its way: a picture and a bar while it comes, its preview first, and the whole without anybody noticing."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.conftest import HARNESS, ROOT, shows, watched, window
from tests.streaming.previews import PREVIEW
from tests.streaming.shop import Shop, trading

pytestmark = pytest.mark.browser

VIEWER = '<vitrine-viewer id="v" src="{}" delivery="stream" camera-orbit="60deg 75deg auto"></vitrine-viewer>'
# How bright the bar of the streamed picture is: the fake backend draws previews dimmer.
BRIGHTNESS = """() => {
  const video = v.shadowRoot.querySelector("video");
  if (!video?.videoWidth) return 0;
  const canvas = new OffscreenCanvas(video.videoWidth, 1);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, -Math.floor(video.videoHeight / 2));
  return Math.max(...context.getImageData(0, 0, canvas.width, 1).data.filter((_, index) => index % 4 === 0));
}"""
BAR = "v.shadowRoot.querySelector('.progress')"


@pytest.fixture
def shop() -> Iterator[Shop]:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(picture, "WEBP")
    with trading() as made:
        parts = {"poster": picture.getvalue()}
        made.publish("chair", b"chair " * 2_000_000, {**parts, "preview": PREVIEW + b" of a chair"})
        made.publish("lamp", b"lamp " * 2_000_000, parts)
        made.open.clear()
        yield made


@contextmanager
def host(shop: Shop, cache: Path) -> Iterator[str]:
    """A server over that shop; the address it prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "VITRINE_BACKEND": "tests.streaming.previews:backend",
        "VITRINE_SPARES": "0",
        "VITRINE_CACHE_FOLDER": str(cache),
    }
    command = [sys.executable, "vitrine.py", "serve", "--models", shop.url, "--port", "0", "--network", "1"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            address = re.search(r"http://\S+/", line)
            assert address is not None, f"vitrine serve printed no address: {line!r}"
            yield address.group()
        finally:
            shop.open.set()
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture
def visit(browser: Browser, shop: Shop, tmp_path: Path) -> Iterator[Any]:
    """visit(model): a page that shows it. Afterwards the console must be clean but for what is expected."""
    with host(shop, tmp_path) as address, window(browser) as context:
        pages: list[tuple[Page, list[str]]] = []

        def open_page(model: str, expected: str = "") -> Page:
            page, said = watched(context, expected)
            pages.append((page, said))
            html = HARNESS.format(body=VIEWER.format(model))
            page.route("**/harness", lambda route: route.fulfill(content_type="text/html", body=html))
            page.goto(f"{address}harness")
            return page

        yield open_page
        for page, said in pages:
            page.close()
            assert said == []


def shares(page: Page) -> list[float]:
    return page.evaluate(  # type: ignore[no-any-return]
        "events.filter(({ type }) => type === 'progress').map(({ detail }) => detail.totalProgress)"
    )


def test_a_preview_is_streamed_while_the_bar_goes_on_and_gives_way_to_the_whole(visit: Any, shop: Shop) -> None:
    page = visit("chair")
    page.wait_for_function("v.loaded")
    shows(page, 60)
    assert page.evaluate(BRIGHTNESS) < 200
    assert page.evaluate("v.availableVariants") == []
    page.wait_for_function("events.filter(({ type }) => type === 'progress').at(-1).detail.totalProgress > 0.2")
    assert shares(page)[-1] < 1
    assert not page.evaluate(f"{BAR}.classList.contains('done')")
    page.evaluate("v.cameraOrbit = '150deg 75deg auto'")
    shows(page, 150)
    shop.open.set()
    page.wait_for_function(f"({BRIGHTNESS})() > 200")
    shows(page, 150)
    page.wait_for_function("events.filter(({ type }) => type === 'progress').at(-1).detail.totalProgress === 1")
    assert page.evaluate(f"{BAR}.classList.contains('done')")
    assert shares(page) == sorted(shares(page))
    assert page.evaluate("v.availableVariants") == ["oak", "walnut"]
    page.wait_for_function("Math.abs(v.getCameraOrbit().theta * 180 / Math.PI - 150) < 0.5")  # the camera glides there
    assert len(page.evaluate("opened")) == 1
    assert [event["type"] for event in page.evaluate("events") if event["type"] in ("load", "error")] == ["load"]


def test_without_a_preview_the_poster_of_the_release_is_shown_with_a_bar(visit: Any, shop: Shop) -> None:
    page = visit("lamp")
    image = "v.shadowRoot.querySelector('.poster img')"
    page.wait_for_function(f"{image}.naturalWidth === 64")
    page.wait_for_function("events.filter(({ type }) => type === 'progress').at(-1).detail.totalProgress > 0.3")
    assert page.evaluate(f"({image}).src").endswith("/poster.webp")
    page.wait_for_function(f"getComputedStyle({BAR}).opacity > 0.99")
    assert int(page.evaluate(f"{BAR}.getAttribute('aria-valuenow')")) == round(100 * shares(page)[-1])
    assert not page.evaluate("v.loaded")
    shop.open.set()
    page.wait_for_function("v.loaded")
    shows(page, 60)
    page.wait_for_function("v.shadowRoot.querySelector('.poster').classList.contains('gone')")
    assert shares(page)[-1] == 1


def test_a_store_at_fault_is_told_in_words_and_the_model_comes_when_it_is_back(visit: Any, shop: Shop) -> None:
    files = dict(shop.files)
    for key in [key for key in files if key.endswith("/model.glb") and "/lamp/" in key]:
        del shop.files[key]
    shop.open.set()
    page = visit("lamp", expected="status of 503")
    notice = "v.shadowRoot.querySelector('.notice').textContent"
    page.wait_for_function(f"/cannot be fetched now/.test({notice})", timeout=30_000)
    shop.files |= files
    page.wait_for_function("v.loaded", timeout=60_000)
    shows(page, 60)
    assert page.evaluate(f"{notice}.includes('fetched')") is False

"""The core of the viewer in Chromium and in Firefox: the picture appears, is right, turns with the hand, comes back."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.bidi import firefox
from tests.browser.conftest import WATCH, serving, watched, window
from tests.browser.slab import MIDDLE, two_sided_slab
from tests.browser.windows import ChromiumWindow, Window, until

pytestmark = pytest.mark.browser

VIEWER = "document.querySelector('vitrine-viewer')"
CODECS = {"chromium": ("H264", "VP8"), "firefox": ("VP8", "H264")}


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def named(request: pytest.FixtureRequest) -> Iterator[tuple[str, Window]]:
    """A browser's name and one window of it, 1000 × 700 px."""
    if request.param == "chromium":
        with window(request.getfixturevalue("browser")) as context:
            yield "chromium", ChromiumWindow(*watched(context, expected="status of (404|503)"))
        return
    with firefox(request.getfixturevalue("firefox_path")) as driven:
        driven.before_each_page(WATCH)
        driven.resize(1000, 700)
        yield "firefox", driven


@pytest.fixture
def view(named: tuple[str, Window]) -> Iterator[Window]:
    """The window; afterwards its console must be clean."""
    named[1].complaints.clear()
    yield named[1]
    assert named[1].complaints == []


def box(view: Window) -> tuple[float, float, float]:
    """Middle and height of the viewer in the window, CSS pixels."""
    told = f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2, height])({VIEWER}.getBoundingClientRect())"
    x, y, height = view.evaluate(told)
    return x, y, height


def shows(view: Window, theta: float, within: float = 4.0) -> None:
    """Wait until the streamed picture was drawn at `theta` degrees."""
    shown = f"shownTheta({VIEWER})"
    until(view, f"{shown} !== null && Math.abs((({shown} - {theta} + 540) % 360) - 180) < {within}")


def turn(view: Window, degrees: float) -> None:
    """Drag with the mouse; one height of the element is a full turn."""
    x, y, height = box(view)
    length = degrees / 360 * height
    view.drag([(x + length / 2 - length * step / 12, y) for step in range(13)])


def test_the_picture_appears_and_turns_with_the_hand(named: tuple[str, Window], view: Window, server: str) -> None:
    view.goto(f"{server}view/chair")
    until(view, f"{VIEWER}.loaded")
    shows(view, 30)
    turn(view, 90)
    # The pointer moves by whole pixels, so the turn is right to about a degree.
    theta = view.evaluate(f"{VIEWER}.getCameraOrbit().theta * 180 / Math.PI")
    assert theta == pytest.approx(120, abs=1.5)
    shows(view, theta)
    told = view.evaluate("sent.filter(({ type }) => type === 'camera').at(-1).orbit[0]")
    assert told == pytest.approx(theta, abs=1e-3)
    view.evaluate(f"{VIEWER}.toggleAttribute('stats', true)")
    numbers = until(view, f"/p50\\d+ ms.*/s.exec({VIEWER}.shadowRoot.querySelector('[part=stats]').textContent)?.[0]")
    assert any(codec in numbers for codec in CODECS[named[0]])


# Whether the frame that is held in front of a broken stream has anything on it.
HELD = f"""(() => {{
  const canvas = {VIEWER}.shadowRoot.querySelector(".hold");
  if (canvas.classList.contains("gone") || canvas.width === 0) return null;
  const {{ data }} = canvas.getContext("2d").getImageData(0, canvas.height >> 1, canvas.width, 1);
  return Math.max(...data.filter((_, index) => index % 4 === 0));
}})()"""


def test_a_session_that_ends_comes_back_with_the_same_camera(view: Window, server: str) -> None:
    view.goto(f"{server}view/lamp")
    until(view, f"{VIEWER}.loaded")
    turn(view, 90)
    theta = view.evaluate(f"{VIEWER}.getCameraOrbit().theta * 180 / Math.PI")
    shows(view, theta)
    view.evaluate(
        f"""(window.brightest = 0, new MutationObserver(() => (brightest = Math.max(brightest, {HELD} ?? 0)))
          .observe({VIEWER}.shadowRoot.querySelector(".hold"), {{ attributes: true }}))"""
    )
    end_session(view.evaluate("opened.at(-1)"))
    until(view, "connections.length === 2 && connections[0].connectionState === 'closed'")
    until(view, f"{VIEWER}.shadowRoot.querySelector('.hold').classList.contains('gone')")
    shows(view, theta)
    assert view.evaluate("brightest") > 130  # the bar was there all the while
    assert view.evaluate("events.filter(({ type }) => type === 'load').length") == 1


def end_session(address: str) -> None:
    """Ends a session as anybody can who knows its name."""
    with urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=10) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the real renderer and a slab that is red in front and blue behind."""
    models: Path = tmp_path_factory.mktemp("models")
    (models / "slab.glb").write_bytes(two_sided_slab())
    with serving(models, fake=False) as address:
        yield address


# The colour of the middle of a lossless still from the front, drawn by the same server.
STILL = """(async () => {
  const address = "/render/slab.png?orbit=0deg 90deg auto&size=640x480";
  const image = await createImageBitmap(await (await fetch(address)).blob());
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.drawImage(image, 320, 240, 1, 1, 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
})()"""


@pytest.mark.gl
def test_colours_are_right_on_both_sides(view: Window, gallery: str) -> None:
    view.goto(f"{gallery}view/slab")
    until(view, f"{VIEWER}.loaded", seconds=60)
    view.evaluate(f"({VIEWER}.cameraOrbit = '0deg 90deg auto', {VIEWER}.jumpCameraToGoal())")
    middle = MIDDLE.replace("v.shadowRoot", f"{VIEWER}.shadowRoot")

    def colour(strongest: int, other: int) -> list[float]:
        right = f"((c) => c[{strongest}] > 2 * c[{other}] + 20 && c)(({middle})())"
        return list(until(view, right, seconds=30))

    assert colour(0, 2) == pytest.approx(view.evaluate(STILL), abs=10)
    turn(view, 180)
    colour(2, 0)

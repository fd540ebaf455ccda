"""The three ways of showing a model, and how a viewer chooses between them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.conftest import serving, shows, window
from tests.browser.published import FRAMES, SMALL_VIEWER, VERSION, publish
from tests.browser.test_parts import run
from tests.browser.test_waiting import STILL_THETA, drag
from tests.browser.visits import INSIDE, MODE, POLLING, QUICK_LOOK, STREAMS, WITH_VIEWER, Visit, viewer

pytestmark = pytest.mark.browser


# -- on the device ----------------------------------------------------------------------------------------------------


def test_a_light_model_is_drawn_by_the_device_where_the_page_can(context: BrowserContext, shop: str) -> None:
    attributes = (
        'alt="A shoe" variant-name="oak" exposure="1.5" camera-orbit="10deg 80deg 2m" disable-zoom ground="off"'
    )
    visit = Visit(context, shop, WITH_VIEWER + viewer(attributes))
    page = visit.go("client")
    assert page.evaluate(STREAMS) == 0
    assert visit.paths("files/") == [f"/files/shoe/{VERSION}/client.glb"]
    told = {name: page.evaluate(f"{INSIDE}.getAttribute('{name}')") for name in ("alt", "variant-name", "exposure")}
    assert told == {"alt": "A shoe", "variant-name": "oak", "exposure": "1.5"}
    assert page.evaluate(f"{INSIDE}.getAttribute('camera-orbit')") == "10deg 80deg 2m"
    assert page.evaluate(f"{INSIDE}.getAttribute('field-of-view')") == "30deg"  # ours, where nothing is written
    assert page.evaluate(f"[{INSIDE}.hasAttribute('disable-zoom'), {INSIDE}.getAttribute('shadow-intensity')]") == [
        True,
        "0",
    ]
    assert [told["code"] for told in page.evaluate("told")] == ["light"]
    assert {"load", "progress", "poster-dismissed"} <= {event["type"] for event in page.evaluate("events")}
    assert visit.complaints == []


def test_its_attributes_methods_and_events_are_those_of_the_device_s_viewer(context: BrowserContext, shop: str) -> None:
    visit = Visit(context, shop, WITH_VIEWER + viewer('delivery="client"'))
    page = visit.go("client")
    assert visit.paths("whep/") == []
    page.evaluate("v.variantName = 'ash', v.exposure = 2, v.environmentImage = 'studio', v.autoRotate = true")
    assert page.evaluate(f"{INSIDE}.getAttribute('variant-name')") == "ash"
    assert page.evaluate(f"{INSIDE}.getAttribute('environment-image')") == "neutral"
    page.evaluate("v.environmentImage = '/light.hdr', v.autoRotate = false, v.cameraOrbit = null")
    assert page.evaluate(f"{INSIDE}.getAttribute('environment-image')") == "/light.hdr"
    assert page.evaluate(f"{INSIDE}.hasAttribute('auto-rotate')") is False
    assert page.evaluate(f"{INSIDE}.getAttribute('camera-orbit')") == "30deg 75deg auto"
    assert page.evaluate("[v.getCameraOrbit().radius, v.getCameraTarget().z, v.getFieldOfView()]") == [3, 3, 25]
    assert page.evaluate("[v.getDimensions().x, v.availableVariants, v.paused]") == [4, ["oak", "ash"], True]
    page.evaluate(f"v.play(), {INSIDE}.tell('camera-change', {{ source: 'user-interaction' }})")
    assert page.evaluate("v.paused") is False
    kinds = [event["type"] for event in page.evaluate("events")]
    assert (kinds.count("play"), kinds.count("camera-change")) == (1, 1)
    page.evaluate("v.remove()")
    assert page.evaluate(INSIDE.replace("v.shadowRoot", "document")) is None
    assert visit.complaints == []


def test_the_element_is_loaded_where_the_page_says_so(context: BrowserContext, shop: str) -> None:
    visit = Visit(context, shop, viewer('model-viewer-src="small.js"'))
    visit.page.route("**/small.js", lambda route: route.fulfill(content_type="text/javascript", body=SMALL_VIEWER))
    assert visit.go("client").evaluate(STREAMS) == 0
    assert visit.complaints == []


def test_the_element_is_loaded_where_the_server_says_so(
    context: BrowserContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_MODEL_VIEWER", "/viewer/small.js")
    with serving(publish(tmp_path, "shoe"), fake=True) as server:
        visit = Visit(context, server, viewer())
        visit.page.route("**/small.js", lambda route: route.fulfill(content_type="text/javascript", body=SMALL_VIEWER))
        visit.go("client")
        refused = Visit(context, server, viewer('model-viewer-src="none"'))
        page = refused.go("stream")
        assert [told["code"] for told in page.evaluate("told")] == ["no-viewer"]


@pytest.mark.parametrize(
    ("attributes", "script"),
    [
        ('model-viewer-src="missing.js"', ""),
        ('delivery="client"', ""),  # asked for, and nobody has the element
        ('model-viewer-src="small.js"', "window.refuse = true;"),
    ],
)
def test_what_the_device_cannot_show_is_streamed(
    context: BrowserContext, shop: str, attributes: str, script: str
) -> None:
    visit = Visit(context, shop, viewer(attributes), expected="404|missing.js", script=script)
    visit.page.route("**/small.js", lambda route: route.fulfill(content_type="text/javascript", body=SMALL_VIEWER))
    page = visit.go("stream")
    shows(page, 30)
    assert [told["mode"] for told in page.evaluate("told")] == ["client", "stream"]
    assert page.evaluate("told[1].code") == "failed"
    assert page.evaluate(INSIDE) is None
    assert visit.complaints == []


# -- streamed ---------------------------------------------------------------------------------------------------------


def test_without_a_viewer_on_the_page_it_is_streamed_and_says_why(context: BrowserContext, shop: str) -> None:
    visit = Visit(context, shop, viewer())
    page = visit.go("stream")
    assert [told["code"] for told in page.evaluate("told")] == ["no-viewer"]
    (asked,) = [request for request in visit.asked if "/delivery/" in request.url]
    query = parse_qs(urlsplit(asked.url).query)
    assert (query["viewer"], query["webgl"], query["webrtc"], query["width"]) == (["server"], ["1"], ["1"], ["1000"])
    assert visit.complaints == []


@pytest.mark.parametrize("answer", ["never", "404", "nonsense"])
def test_a_stream_does_not_need_the_answer(context: BrowserContext, shop: str, answer: str) -> None:
    def act(route: Route) -> None:
        if answer == "404":
            route.fulfill(status=404, body="no")
        elif answer == "nonsense":
            route.fulfill(json={"mode": "teleport", "client": {"url": "javascript:alert(1)"}})

    visit = Visit(context, shop, WITH_VIEWER + viewer(), expected="status of 404")
    visit.page.route("**/delivery/**", act)
    visit.go("stream")
    assert visit.complaints == []


def test_an_answer_that_is_late_ends_the_session_that_was_begun(context: BrowserContext, shop: str) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    visit = Visit(context, shop, WITH_VIEWER + viewer())
    visit.page.route("**/delivery/**", hold)
    visit.page.route(
        "**/whep/**", lambda route: route.continue_() if route.request.method == "DELETE" else whep.append(route)
    )
    whep: list[Route] = []
    page = visit.go()
    while not whep:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.wait_for_function(f"{MODE} === 'client' && v.loaded")
    with page.expect_response(lambda response: response.request.method == "DELETE") as ended:
        whep[0].continue_()
    assert ended.value.status == 200
    assert visit.complaints == []


def test_viewers_of_one_page_ask_once(context: BrowserContext, shop: str) -> None:
    visit = Visit(context, shop, viewer() + '<vitrine-viewer id="w" src="shoe"></vitrine-viewer>')
    page = visit.go("stream")
    page.wait_for_function("w.loaded")
    assert len(visit.paths("delivery/")) == 1


@pytest.mark.parametrize("attributes", ['delivery="stream"', 'delivery="stream" channel="normal"'])
def test_a_page_that_wants_a_stream_asks_nothing(context: BrowserContext, shop: str, attributes: str) -> None:
    visit = Visit(context, shop, WITH_VIEWER + viewer(attributes))
    visit.go("stream")
    assert visit.paths("delivery/") == []


@pytest.mark.parametrize("wish", ["auto", "client"])
def test_a_secret_model_is_streamed_whatever_the_page_wants(context: BrowserContext, shop: str, wish: str) -> None:
    body = WITH_VIEWER + viewer(f'delivery="{wish}" ar ios-src="x.usdz"', src="engine")
    visit = Visit(context, shop, body, script=QUICK_LOOK)
    page = visit.go("stream")
    assert visit.paths("files/") == []
    assert page.locator("#v [part=ar]").is_hidden()
    assert visit.complaints == []


# -- a turn of pictures -----------------------------------------------------------------------------------------------


def until_still(page: Page, theta: float) -> None:
    page.wait_for_function(f"Math.abs((({STILL_THETA})() ?? 999) - {theta}) < 3")


def test_a_turn_is_moved_by_hands_and_keys(context: BrowserContext, shop: str) -> None:
    visit = Visit(context, shop, viewer('delivery="spin" alt="A shoe"'))
    page = visit.go("spin")
    until_still(page, 30)
    page.wait_for_function(
        f"performance.getEntriesByType('resource').filter((r) => r.name.includes('/spin/')).length === {FRAMES}"
    )
    drag(page, 90)
    until_still(page, 120)
    page.mouse.move(200, 60)
    page.mouse.down()
    page.mouse.move(200, 200, steps=4)  # there are no pictures from above
    page.wait_for_timeout(120)
    page.mouse.up()
    page.mouse.wheel(0, 400)
    until_still(page, 120)
    assert page.evaluate("v.getCameraOrbit().phi * 180 / Math.PI") == pytest.approx(75)
    page.locator("#v").focus()
    page.keyboard.press("Home")
    until_still(page, 30)
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    until_still(page, 90)
    input_label = page.locator("#v [part=input]")
    expect(input_label).to_have_attribute("aria-label", "A shoe. View from right")
    assert visit.paths("whep/") == []
    assert {"load", "camera-change"} <= {event["type"] for event in page.evaluate("events")}
    assert visit.complaints == []


def test_pictures_come_from_coarse_to_fine_and_the_nearest_is_shown(context: BrowserContext, shop: str) -> None:
    visit = Visit(context, shop, viewer('delivery="spin" camera-orbit="120deg 75deg auto"'))
    visit.page.route("**/spin/*", lambda route: route.continue_() if asked(route) < 4 else None)
    order: list[int] = []

    def asked(route: Route) -> int:
        order.append(int(urlsplit(route.request.url).path.rsplit("/", 1)[1].removesuffix(".webp")))
        return len(order) - 1

    page = visit.go("spin")
    until_still(page, 120)
    page.wait_for_timeout(200)
    assert sorted(order[:4]) == [0, 9, 18, 27]
    drag(page, 100)  # to 220°: what is there is at 210°
    until_still(page, 210)


@pytest.mark.parametrize("count", [1, 2, 7, 24, 36, 72])
def test_every_picture_is_fetched_once_in_an_order_that_fills_gaps(page: Page, count: int) -> None:
    order = run(page, "spin", f"return m.order({count}, {count - 1})")
    assert sorted(order) == list(range(count))
    assert order[0] == count - 1
    for end in (2, 4, 8):
        if end <= count:
            taken = sorted(order[:end])
            gaps = [(b - a) % count or count for a, b in zip(taken, taken[1:] + taken[:1], strict=True)]
            assert max(gaps) <= -(-count // end) + 1


def test_a_choice_of_materials_needs_more_than_a_turn(context: BrowserContext, shop: str) -> None:
    visit = Visit(context, shop, viewer('delivery="spin"'))
    page = visit.go("spin")
    drag(page, 90)
    until_still(page, 120)
    page.evaluate("v.variantName = 'red'")
    page.wait_for_function(f"{MODE} === 'stream' && v.shadowRoot.querySelector('.poster').classList.contains('gone')")
    shows(page, 120)  # it goes on where the turn was left
    assert page.evaluate("told.at(-1).code") == "variant"
    assert [event["type"] for event in page.evaluate("events")].count("load") == 1


def test_a_turn_that_is_not_there_is_streamed(context: BrowserContext, shop: str) -> None:
    visit = Visit(context, shop, viewer('delivery="spin"'), expected="status of 404")
    visit.page.route("**/spin/*", lambda route: route.fulfill(status=404, body=""))
    page = visit.go("stream")
    assert [told["code"] for told in page.evaluate("told")] == ["asked", "failed"]
    visit = Visit(context, shop, viewer('delivery="spin"', src="vase"))
    page = visit.go("stream")
    assert [told["code"] for told in page.evaluate("told")] == ["no-spin"]


def test_a_busy_host_shows_a_turn_instead_of_a_line(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(publish(tmp_path, "shoe", "vase", bare=("vase",)), "--max-sessions", "1", fake=True) as server,
        window(browser) as first,
        window(browser) as second,
    ):
        Visit(first, server, viewer()).go("stream")
        visit = Visit(second, server, viewer(), expected="status of 503")
        page = visit.go("spin")
        assert page.evaluate("told.at(-1).code") == "no-capacity"
        assert page.locator("#v [part=notice]").is_hidden()
        # Taken meanwhile: the answer was a stream, and the offer is refused.
        late = Visit(second, server, viewer(), expected="status of 503")
        told = page.evaluate("fetch('/delivery/shoe?webgl=1').then((r) => r.json())")
        free = {**told, "mode": "stream", "code": "no-viewer"}
        late.page.route("**/delivery/**", lambda route: route.fulfill(json=free))
        page = late.go("spin")
        assert [told["mode"] for told in page.evaluate("told")] == ["stream", "spin"]
        # Without a turn there is the line, and stills.
        waiting = Visit(second, server, viewer(src="vase"), expected="status of 503")
        page = waiting.go()
        page.wait_for_function("/in line/.test(v.shadowRoot.querySelector('.notice').textContent)")
        assert visit.complaints == late.complaints == waiting.complaints == []


def test_the_way_can_be_changed(context: BrowserContext, shop: str) -> None:
    visit = Visit(context, shop, viewer('delivery="spin"'))
    page = visit.go("spin")
    page.evaluate("v.delivery = 'stream'")
    page.wait_for_function(f"{MODE} === 'stream' && v.loaded")
    shows(page, 30)
    page.evaluate("v.delivery = 'spin'")
    page.wait_for_function(f"{MODE} === 'spin' && v.loaded && !v.shadowRoot.querySelector('video')")
    assert visit.complaints == []


# -- the real element -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model_viewer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The module of <model-viewer>, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("npm")
    command = [npm, "install", "--no-save", "--no-audit", "--no-fund", "@google/model-viewer@4"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm cannot install @google/model-viewer: {done.stderr.splitlines()[-1:]}")
    return (folder / "node_modules/@google/model-viewer/dist/model-viewer.min.js").read_text()


@pytest.mark.slow
def test_model_viewer_itself_shows_the_model(context: BrowserContext, shop: str, model_viewer: str) -> None:
    body = viewer('model-viewer-src="model-viewer.js" environment-image="studio" interaction-prompt="none"')
    visit = Visit(context, shop, body, expected="WebGL|GPU stall|GL Driver")
    visit.page.route(
        "**/model-viewer.js", lambda route: route.fulfill(content_type="text/javascript", body=model_viewer)
    )
    visit.page.set_default_timeout(120_000)  # without a graphics card its shaders take their time
    page = visit.go("client")
    page.wait_for_function(f"{INSIDE}.modelIsVisible", polling=POLLING)
    orbit = page.evaluate("v.getCameraOrbit().toString()")
    assert orbit.startswith("0.52")  # 30°, in radians
    size = json.loads(page.evaluate("JSON.stringify(v.getDimensions())"))
    assert [round(size[axis], 3) for axis in "xyz"] == [1, 1, 1]
    picture = page.evaluate(f"{INSIDE}.toBlob({{ idealAspect: false }}).then((blob) => blob.size)")
    assert picture > 2000
    drag(page, 90)
    page.wait_for_function("Math.abs(v.getCameraOrbit().theta - Math.PI / 6) > 1", polling=POLLING)
    assert "camera-change" in {event["type"] for event in page.evaluate("events")}
    assert visit.complaints == []

"""The three ways of showing a model, how a viewer chooses between them, and the way into one's own room."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from tests.browser.conftest import HARNESS, serving, shows, watched, window
from tests.browser.published import FRAMES, SMALL_VIEWER, VERSION, publish
from tests.browser.test_parts import run
from tests.browser.test_waiting import STILL_THETA, drag

pytestmark = pytest.mark.browser

WITH_VIEWER = f"<script>{SMALL_VIEWER}</script>"
MODE = "v.deliveryMode"
POLLING = 100  # ms: a page that draws by software has few animation frames to look at
STREAMS = "v.shadowRoot.querySelectorAll('video').length"
INSIDE = "v.shadowRoot.querySelector('model-viewer')"
ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile Safari/604.1"
# Links that are followed, instead of leaving the page.
FOLLOWED = """
window.followed = [];
HTMLAnchorElement.prototype.click = function () {
  const images = this.querySelectorAll(":scope > img").length;
  window.followed.push({ href: this.href, rel: this.rel, images, in: this.isConnected });
};
document.addEventListener("ar-status", ({ detail }) => window.followed.push(detail), true);
"""
QUICK_LOOK = "DOMTokenList.prototype.supports = (token) => token === 'ar';"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server with what `vitrine publish` left: a shoe, a secret engine, a vase without a turn."""
    folder = publish(tmp_path_factory.mktemp("shop"), "shoe", "engine", "vase", secret=("engine",), bare=("vase",))
    with serving(folder, fake=True) as address:
        yield address


def viewer(attributes: str = "", src: str = "shoe") -> str:
    return f'<vitrine-viewer id="v" src="{src}" {attributes}></vitrine-viewer>'


class Visit:
    """A page with a viewer: what it asked for, what its viewer told, its console's complaints."""

    def __init__(
        self, context: BrowserContext, server: str, body: str, *, expected: str = "", script: str = ""
    ) -> None:
        self.page, self.complaints = watched(context, expected)
        self.asked: list[Request] = []
        self.page.on("request", self._note)
        listen = "window.told = []; document.addEventListener('delivery', (e) => told.push(e.detail), true);"
        self.page.add_init_script(listen + script)
        html = HARNESS.format(body=body)
        self.page.route("**/harness", lambda route: route.fulfill(content_type="text/html", body=html))
        self._server = server

    def _note(self, request: Request) -> None:
        self.asked.append(request)

    def go(self, mode: str | None = None) -> Page:
        """Visit, and wait until the model is there, in that mode."""
        self.page.goto(f"{self._server}harness")
        if mode:
            self.page.wait_for_function(f"{MODE} === '{mode}' && v.loaded", polling=POLLING)
        return self.page

    def paths(self, part: str) -> list[str]:
        return [urlsplit(request.url).path for request in self.asked if f"/{part}" in urlsplit(request.url).path]


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


# -- in one's own room ------------------------------------------------------------------------------------------------


@pytest.fixture
def phone(browser: Browser, shop: str) -> Iterator[Callable[..., Page]]:
    """phone(agent, body, script): a page of https://shop.test on a phone, which is the server behind another name."""
    with ExitStack() as stack:

        def open_page(agent: str, body: str, script: str = "") -> Page:
            device = {
                "user_agent": agent,
                "is_mobile": True,
                "has_touch": True,
                "viewport": {"width": 390, "height": 780},
            }
            page, _ = watched(stack.enter_context(window(browser, **device)))
            stack.callback(page.unroute_all, behavior="ignoreErrors")

            def pass_on(route: Route) -> None:
                url = urlsplit(route.request.url)
                if url.path == "/harness":
                    route.fulfill(content_type="text/html", body=HARNESS.format(body=body))
                else:
                    address = f"{shop.rstrip('/')}{url.path}{'?' + url.query if url.query else ''}"
                    route.fulfill(response=route.fetch(url=address))

            page.add_init_script(FOLLOWED + script)
            page.route("https://shop.test/**", pass_on)
            page.goto("https://shop.test/harness?colour=red#top")
            return page

        yield open_page


BUTTON = "#v [part=ar]"


def followed(page: Page) -> list[dict[str, Any]]:
    page.locator(BUTTON).click()
    return list(page.evaluate("followed"))


def asked_ar(body: str = "", **attributes: str) -> str:
    more = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<vitrine-viewer id="v" src="shoe" ar delivery="spin" alt="A shoe, size 42" {more}>{body}</vitrine-viewer>'


def test_scene_viewer_gets_the_file_for_devices(phone: Callable[..., Page]) -> None:
    page = phone(ANDROID, asked_ar())
    page.locator(BUTTON).wait_for()
    link, status = followed(page)
    assert status == {"status": "session-started"}
    scheme, rest = link["href"].split("?", 1)
    query, intent = rest.split("#Intent;", 1)
    assert scheme == "intent://arvr.google.com/scene-viewer/1.2"
    assert "+" not in query
    assert {name: values[0] for name, values in parse_qs(query).items()} == {
        "file": f"https://shop.test/files/shoe/{VERSION}/client.glb",
        "mode": "ar_preferred",
        "title": "A shoe, size 42",
        "link": "https://shop.test/harness?colour=red",
    }
    extras = dict(part.split("=", 1) for part in intent.removesuffix(";end;").split(";"))
    assert (extras["scheme"], extras["action"]) == ("https", "android.intent.action.VIEW")
    assert extras["package"] == "com.google.android.googlequicksearchbox"
    assert unquote(extras["S.browser_fallback_url"]) == "https://shop.test/harness?colour=red#vitrine-no-ar"


def test_scale_and_placement_are_passed_on(phone: Callable[..., Page]) -> None:
    page = phone(ANDROID, asked_ar(ar_scale="fixed", ar_placement="wall"))
    page.locator(BUTTON).wait_for()
    query = parse_qs(urlsplit(followed(page)[0]["href"].split("#")[0]).query)
    assert (query["resizable"], query["enable_vertical_placement"]) == (["false"], ["true"])


def test_without_scene_viewer_the_button_goes_and_the_page_is_told(phone: Callable[..., Page]) -> None:
    page = phone(ANDROID, asked_ar())
    page.locator(BUTTON).wait_for()
    page.locator(BUTTON).click()
    page.evaluate("location.hash = '#vitrine-no-ar'")  # what the browser does with the address to fall back to
    page.wait_for_function("followed.at(-1).status === 'failed'")
    page.wait_for_function("location.hash === '#top'")
    assert page.locator(BUTTON).is_hidden()
    assert page.evaluate("v.canActivateAR") is False


@pytest.mark.parametrize(
    ("attributes", "file"),
    [
        ({}, f"https://shop.test/files/shoe/{VERSION}/usdz.usdz"),
        ({"ios_src": "own.usdz"}, "https://shop.test/own.usdz"),
        ({"ios_src": "own.usdz#custom=1", "ar_scale": "fixed"}, "https://shop.test/own.usdz"),
    ],
)
def test_quick_look_gets_a_link_with_a_picture(
    phone: Callable[..., Page], attributes: dict[str, str], file: str
) -> None:
    page = phone(IPHONE, asked_ar(**attributes), script=QUICK_LOOK)
    page.locator(BUTTON).wait_for()
    link, status = followed(page)
    assert status == {"status": "session-started"}
    assert (link["rel"], link["images"], link["in"]) == ("ar", 1, True)
    address, _, fragment = link["href"].partition("#")
    told = parse_qs(fragment)
    assert address == file
    assert told["canonicalWebPageURL"] == ["https://shop.test/harness?colour=red"]
    assert told.get("allowsContentScaling") == (["0"] if "ar_scale" in attributes else None)
    assert len(page.evaluate("followed")) == 2  # the link's own click begins nothing


def test_a_page_may_have_its_own_button_and_order(phone: Callable[..., Page]) -> None:
    button = '<button slot="ar-button" id="mine">At home</button>'
    page = phone(ANDROID, asked_ar(button, ar_modes="webxr quick-look scene-viewer"))
    page.locator("#mine").click()
    assert page.evaluate("followed[0].href").startswith("intent:")


@pytest.mark.parametrize(
    ("agent", "attributes", "src"),
    [
        (ANDROID, {"ar_modes": "quick-look"}, "shoe"),
        (ANDROID.replace("Chrome/140.0.0.0", "Firefox/140.0"), {}, "shoe"),
        (ANDROID, {}, "engine"),
        (IPHONE, {}, "shoe"),  # a browser that opens no such links
    ],
)
def test_where_it_would_do_nothing_there_is_no_button(
    phone: Callable[..., Page], agent: str, attributes: dict[str, str], src: str
) -> None:
    page = phone(agent, asked_ar(**attributes).replace('"shoe"', f'"{src}"'))
    page.wait_for_function(f"{MODE} === 'spin' && v.loaded")
    assert page.locator(BUTTON).is_hidden()
    page.evaluate("v.activateAR()")
    assert page.evaluate("followed") == []


def test_a_file_that_is_not_reached_over_https_is_not_offered(browser: Browser, shop: str) -> None:
    with window(browser, user_agent=ANDROID) as context:
        page = Visit(context, shop, asked_ar()).go("spin")
        assert page.locator(BUTTON).is_hidden()


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

"""The way into one's own room: which button a device gets, and what it opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser.conftest import HARNESS, watched, window
from tests.browser.published import VERSION
from tests.browser.visits import MODE, QUICK_LOOK, Visit

pytestmark = pytest.mark.browser

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

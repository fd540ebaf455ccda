"""The gallery and the view page as the server sends them, under its own content security policy."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import watched, window

pytestmark = pytest.mark.browser


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page, complaints = watched(context)
    yield page
    assert complaints == []


def until(page: Page, expression: str) -> Any:
    """The first truthy value of an expression. Playwright's own way to wait needs `eval`, which the policy forbids."""
    deadline = time.monotonic() + 15
    while not (value := page.evaluate(expression)):
        if time.monotonic() > deadline:
            pytest.fail(f"never true: {expression}")
        page.wait_for_timeout(50)
    return value


VIEWER = "document.querySelector('vitrine-viewer')"


def test_the_gallery_lists_every_model_with_its_picture(browser: Browser, server: str) -> None:
    with window(browser) as context:
        page, complaints = watched(context, expected="status of 422")
        page.goto(server)
        cards = page.locator(".card")
        expect(cards).to_have_count(4)
        assert sorted(cards.locator("b").all_inner_texts()) == ["Broken", "Chair", "Lamp", "Vase"]
        until(page, "document.querySelectorAll('.case img.here').length === 3")
        expect(page.locator(".case.missing")).to_have_count(1)
        assert complaints == []


def test_a_card_leads_to_the_models_page_and_back(page: Page, server: str) -> None:
    page.route("**/models", lambda route: route.fulfill(json={"models": [{"id": "lamp", "title": "A lamp"}]}))
    page.goto(server)
    expect(page.locator(".card")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/view/lamp")
    expect(page.get_by_role("heading", name="A lamp")).to_be_visible()
    until(page, f"{VIEWER}.loaded")
    page.get_by_role("link", name="All models").click()
    page.wait_for_url(server)


def test_an_empty_server_says_what_to_do(page: Page, server: str) -> None:
    page.route("**/models", lambda route: route.fulfill(json={"models": []}))
    page.goto(server)
    expect(page.get_by_role("status")).to_contain_text("Put .glb files")


def test_nothing_is_wider_than_a_phone(browser: Browser, server: str) -> None:
    with window(browser, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True) as context:
        page, complaints = watched(context, expected="status of 422")
        for path in ("", "view/chair"):
            page.goto(server + path)
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert complaints == []


def test_versions_light_and_animation_are_offered_and_told(page: Page, server: str) -> None:
    page.goto(f"{server}view/chair")
    until(page, f"{VIEWER}.loaded")
    versions = page.get_by_role("radio")
    expect(versions).to_have_text(["Oak", "Walnut"])
    versions.nth(0).focus()
    page.keyboard.press("ArrowRight")
    expect(versions.nth(1)).to_be_checked()
    page.get_by_label("Studio").select_option("studio")
    page.get_by_label("Exposure").fill("1")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    until(page, "sent.some(({ type, play }) => type === 'animation' && play)")
    told = until(page, "sent.some(({ ev }) => ev === 1) && sent.filter(({ channel }) => channel === 'control')")
    last = {message["type"]: message for message in told}
    assert last["variant"]["name"] == "walnut"
    assert last["environment"]["name"] == "studio"


def test_the_debug_panel_offers_material_inputs_and_leaves_the_lit_picture_behind(page: Page, server: str) -> None:
    page.goto(f"{server}view/chair")
    until(page, f"{VIEWER}.loaded")
    choice = page.get_by_label("Channel")
    expect(choice).to_be_hidden()
    page.keyboard.press("d")
    expect(choice.locator("optgroup[label='KHR_materials_clearcoat'] option").first).to_be_attached()
    assert page.evaluate("sent.filter(({ type }) => type === 'channel')") == []
    choice.select_option("normal")
    until(page, "sent.some(({ type, name }) => type === 'channel' && name === 'normal')")
    expect(page.locator("#debug").get_by_role("status")).to_contain_text("red +X")
    page.get_by_role("heading", name="Chair").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("d")
    until(page, "sent.findLast(({ type }) => type === 'channel').name === null")
    expect(choice).to_be_hidden()


def test_debug_in_the_address_opens_the_panel(page: Page, server: str) -> None:
    page.route("**/channels", lambda route: route.fulfill(json={"channels": []}))
    page.goto(f"{server}view/chair?debug")
    expect(page.get_by_label("Channel")).to_be_disabled()
    expect(page.locator("#debug").get_by_role("status")).to_contain_text("does not show material inputs")


def test_s_shows_the_numbers_and_the_question_mark_the_keys(page: Page, server: str) -> None:
    page.goto(f"{server}view/chair")
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Numbers")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[part=stats]")).to_contain_text("input to photon")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_embed_code_is_two_lines_that_name_this_model(browser: Browser, server: str) -> None:
    with window(browser, permissions=["clipboard-read", "clipboard-write"]) as context:
        page, complaints = watched(context)
        page.goto(f"{server}view/chair")
        until(page, f"{VIEWER}.loaded")
        page.get_by_role("button", name="Copy embed code").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        script, element = page.evaluate("navigator.clipboard.readText()").splitlines()
        assert script == f'<script type="module" src="{server}viewer/vitrine-viewer.js"></script>'
        assert f'src="{server}view/chair"' in element
        assert 'camera-orbit="30deg 75deg ' in element
        assert complaints == []


class Shop(BaseHTTPRequestHandler):
    """A page of somebody else that embeds a chair. vitrine: address of the server that has it."""

    vitrine = ""

    def do_GET(self) -> None:
        html = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>A shop</title><link rel="icon" href="data:,">'
            f'<script type="module" src="{self.vitrine}viewer/vitrine-viewer.js"></script>'
            f'<vitrine-viewer id="v" src="{self.vitrine}view/chair"></vitrine-viewer></html>'
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(html.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def shop(server: str) -> Iterator[str]:
    """Address of a page of another origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("AShop", (Shop,), {"vitrine": server})) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()
        thread.join()


def test_the_embed_code_works_on_a_page_of_another_origin(page: Page, shop: str) -> None:
    page.goto(shop)
    until(page, "window.v?.loaded")
    until(page, "v.shadowRoot.querySelector('img').naturalWidth > 0")
    assert page.evaluate("v.availableVariants") == ["oak", "walnut"]

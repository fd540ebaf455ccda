"""The viewer and the pages of a server that asks for tokens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from streaming.tokens import make_key, sign
from tests.browser.conftest import HARNESS, serving, watched, window
from tests.browser.test_pages import Shop

pytestmark = pytest.mark.browser

VIEWER = "document.querySelector('vitrine-viewer')"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a pair of keys and two models."""
    folder = tmp_path_factory.mktemp("guarded")
    make_key(folder / "private.json", folder / "keys.json")
    (folder / "models").mkdir()
    for name in ("chair", "lamp"):
        (folder / "models" / f"{name}.glb").write_bytes(b"good")
    return folder


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[str]:
    """Address of a server that asks for tokens."""
    with serving(folder / "models", "--auth", str(folder / "keys.json"), fake=True) as address:
        yield address


def token(folder: Path, origin: str, *, seconds: float = 60, **changes: Any) -> str:
    origins, allowed = [origin.rstrip("/")], ["stream", "render"]
    given = {"models": ["chair"], "origins": origins, "actions": allowed, "begins": time.time(), "seconds": seconds}
    return sign(folder / "private.json", **{**given, **changes})


def harness(page: Page, server: str, body: str) -> list[Request]:
    """Open a page with that body on the server's origin; what it asks for from then on."""
    asked: list[Request] = []

    def note(request: Request) -> None:
        asked.append(request)

    page.on("request", note)
    page.route("**/harness", lambda route: route.fulfill(content_type="text/html", body=HARNESS.format(body=body)))
    page.goto(f"{server}harness")
    return asked


def test_the_token_goes_with_every_request(context: BrowserContext, guarded: str, folder: Path) -> None:
    page, complaints = watched(context)
    text = token(folder, guarded)
    asked = harness(page, guarded, f'<vitrine-viewer src="chair" token="{text}"></vitrine-viewer>')
    page.wait_for_function(f"{VIEWER}.loaded")
    page.wait_for_function(f"{VIEWER}.shadowRoot.querySelector('img').naturalWidth > 0")
    with page.expect_response(lambda response: response.request.method == "DELETE") as ended:
        page.evaluate(f"{VIEWER}.remove()")
    assert ended.value.status == 200
    # Its events are told to whoever knows a session's name.
    guests = [request for request in asked if "/whep/" in request.url and not request.url.endswith("/events")]
    assert {request.method for request in guests} >= {"POST", "DELETE"}
    assert {request.all_headers()["authorization"] for request in guests} == {f"Bearer {text}"}
    assert not any(text in request.url for request in guests)
    assert complaints == []


def test_a_page_is_asked_for_a_token_and_renews_it(context: BrowserContext, guarded: str, folder: Path) -> None:
    page, complaints = watched(context, expected="status of 401")
    harness(page, guarded, '<vitrine-viewer src="chair"></vitrine-viewer>')
    page.wait_for_function("events.some(({ type }) => type === 'token-needed')")
    needed = page.evaluate("events.filter(({ type }) => type === 'token-needed' || type === 'error')")
    assert [event["type"] for event in needed] == ["error", "token-needed"]
    assert needed[1]["detail"]["reason"] == "refused"
    page.evaluate(f"(text) => {{ {VIEWER}.token = text; }}", token(folder, guarded, seconds=32))
    page.wait_for_function(f"{VIEWER}.loaded")
    page.wait_for_function("events.some(({ detail }) => detail.reason === 'expiring')")
    page.evaluate(f"(text) => {{ {VIEWER}.token = text; }}", token(folder, guarded))
    assert page.evaluate("connections.filter(({ connectionState }) => connectionState === 'connected').length") == 1
    assert complaints == []


def test_a_session_whose_time_is_over_goes_on_in_a_new_one(context: BrowserContext, guarded: str, folder: Path) -> None:
    page, complaints = watched(context)
    text = token(folder, guarded, session_seconds=5)
    harness(page, guarded, f'<vitrine-viewer src="chair" poster="none" token="{text}"></vitrine-viewer>')
    page.wait_for_function(f"{VIEWER}.loaded")
    page.wait_for_function("connections.length === 2 && connections[1].connectionState === 'connected'")
    assert page.evaluate("events.filter(({ type }) => type === 'error')") == []
    assert complaints == []


def test_the_pages_pass_their_token_on(browser: Browser, guarded: str, folder: Path) -> None:
    with window(browser) as context:
        page, complaints = watched(context)
        text = token(folder, guarded)
        page.goto(f"{guarded}#token={text}")
        expect(page.locator(".card")).to_have_count(1)
        expect(page.locator(".case img.here")).to_have_count(1)
        page.locator(".card").click()
        page.wait_for_url(f"**/view/chair#token={text}")
        expect(page.locator(".swatch img").first).to_have_js_property("complete", value=True)
        expect(page.locator("#variants")).to_be_visible()
        page.get_by_role("link", name="All models").click()
        expect(page.locator(".card")).to_have_count(1)
        assert complaints == []


def test_without_a_token_the_gallery_says_what_it_wants(browser: Browser, guarded: str) -> None:
    with window(browser) as context:
        page, complaints = watched(context, expected="status of 401")
        page.goto(guarded)
        expect(page.get_by_role("status")).to_contain_text("#token=")
        assert complaints == []


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "a.bm8.c", "a.e30.c"])
def test_what_has_no_time_needs_no_renewal(context: BrowserContext, guarded: str, text: str) -> None:
    page, _ = watched(context)
    harness(page, guarded, "")
    found = page.evaluate("(text) => import('/viewer/token.js').then((m) => String(m.expiry(text)))", text)
    assert found == "Infinity"


def test_a_shop_of_another_origin_needs_a_token_for_itself(context: BrowserContext, guarded: str, folder: Path) -> None:
    page, complaints = watched(context, expected="status of 40[13]")
    with ThreadingHTTPServer(("127.0.0.1", 0), type("AShop", (Shop,), {"vitrine": guarded})) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        shop = f"http://127.0.0.1:{http.server_port}"
        page.goto(shop)
        page.wait_for_function("events.length > 0")
        page.evaluate("(text) => { v.token = text; }", token(folder, "https://another.example"))
        page.wait_for_function("events.some(({ detail }) => /another origin/.test(detail.sourceError))")
        page.evaluate("(text) => { v.token = text; }", token(folder, shop))
        page.wait_for_function("v.loaded")
        with page.expect_response(lambda response: response.request.method == "DELETE") as ended:
            page.evaluate("v.remove()")
        assert ended.value.status == 200
        http.shutdown()
        thread.join()
    assert complaints == []

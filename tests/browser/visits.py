"""One viewer on a page of its own, before what was published: how the tests of delivery and of AR look at it."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, Request

from tests.browser.conftest import HARNESS, watched
from tests.browser.published import SMALL_VIEWER

WITH_VIEWER = f"<script>{SMALL_VIEWER}</script>"
MODE = "v.deliveryMode"
POLLING = 100  # ms: a page that draws by software has few animation frames to look at
STREAMS = "v.shadowRoot.querySelectorAll('video').length"
INSIDE = "v.shadowRoot.querySelector('model-viewer')"
QUICK_LOOK = "DOMTokenList.prototype.supports = (token) => token === 'ar';"  # a script: the browser of an iPhone


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

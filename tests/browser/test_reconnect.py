"""A stream that breaks comes back by itself: same camera, same choices, the last frame on screen meanwhile."""

from __future__ import annotations

import urllib.request
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, Response

from tests.browser.conftest import Show, shows

pytestmark = pytest.mark.browser

CHAIR = '<vitrine-viewer id="v" src="chair" camera-orbit="60deg 75deg auto" variant-name="walnut"></vitrine-viewer>'


@pytest.fixture
def resources(show: Show, server: str) -> tuple[Page, list[str]]:
    """A page with a turned chair, and the addresses of the sessions it opened so far."""
    opened: list[str] = []

    def note(response: Response) -> None:
        if response.request.method == "POST" and response.status == 201:
            opened.append(urljoin(server, response.headers["location"]))

    # A page that is left does not wait for DELETE's answer; the server may have seen the end by then, and say 404.
    page = show(CHAIR, loaded=False, expected="status of (503|404)")
    page.on("response", note)
    page.reload()
    page.wait_for_function("document.querySelector('vitrine-viewer')?.loaded")
    page.evaluate("() => { v.cameraOrbit = '250deg 60deg 4m'; v.jumpCameraToGoal(); }")
    shows(page, 250)
    return page, opened


def end_on_the_server(address: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=10) as answer:
        assert answer.status == 200


def test_a_session_that_the_server_ends_is_taken_up_with_the_same_camera(resources: tuple[Page, list[str]]) -> None:
    page, opened = resources
    page.evaluate("sent.length = 0")
    end_on_the_server(opened[-1])
    # The moment the picture is gone, its last frame is held in front.
    page.wait_for_function("!v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    page.wait_for_function("connections.length === 2 && v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    shows(page, 250)
    assert page.evaluate("v.getCameraOrbit().radius") == 4
    assert page.evaluate("sent.filter(({ type }) => type === 'variant').map(({ name }) => name)") == ["walnut"]
    assert page.evaluate("events.filter(({ type }) => type === 'load').length") == 1
    assert len(opened) == 2


def test_a_session_that_ends_before_its_picture_leaves_nothing_behind(show: Show, server: str) -> None:
    page = show(CHAIR.replace("src=", 'reveal="manual" src='), loaded=False, expected="status of 404")
    ended: list[str] = []

    def end_the_first(response: Response) -> None:
        if response.request.method == "POST" and not ended:
            ended.append(urljoin(server, response.headers["location"]))
            end_on_the_server(ended[0])

    page.on("response", end_the_first)
    page.evaluate("v.dismissPoster()")
    page.wait_for_function("v.loaded && connections.length === 2")
    assert page.evaluate("v.shadowRoot.querySelectorAll('video').length") == 1
    shows(page, 60)


def test_it_waits_while_the_server_is_away_says_so_and_comes_back(resources: tuple[Page, list[str]]) -> None:
    page, opened = resources
    page.route("**/whep/**", lambda route: route.fulfill(status=503, body="away"))
    end_on_the_server(opened[-1])
    page.wait_for_function("events.some(({ type }) => type === 'error')")
    assert page.locator("#v [role=alert]").inner_text().startswith("All places are taken")
    page.unroute("**/whep/**")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_function("v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    shows(page, 250)
    assert page.locator("#v [role=alert]").is_hidden()


def test_goaway_moves_to_a_new_session_before_the_old_one_ends(resources: tuple[Page, list[str]]) -> None:
    page, opened = resources
    page.evaluate(
        """() => {
          const message = JSON.stringify({ type: "goaway", deadline_ms: 5000 });
          channels.control.onmessage({ data: message });
        }"""
    )
    page.wait_for_function("connections.length === 2 && connections[0].connectionState === 'closed'")
    assert page.evaluate("v.shadowRoot.querySelectorAll('video').length") == 1
    shows(page, 250)
    assert len(opened) == 2


def test_leaving_the_page_ends_the_session_and_coming_back_resumes_it(resources: tuple[Page, list[str]]) -> None:
    page, _ = resources
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert page.evaluate("connections[0].connectionState") == "closed"
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow'))")
    page.wait_for_function("connections.length === 2 && v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    shows(page, 250)


def test_late_and_hostile_messages_change_nothing(resources: tuple[Page, list[str]]) -> None:
    page, opened = resources
    page.evaluate(
        """() => {
          const texts = ["{", "null", '{"type":"ready"}', '{"type":"frame","rtp":"x","seq":1}', '{"type":"goaway"}'];
          texts.push('{"type":"picked","id":99}', '{"type":"pong","t":1}', "x".repeat(400000), new ArrayBuffer(8));
          for (const data of texts) {
            channels.control.onmessage({ data });
          }
        }"""
    )
    page.evaluate("() => { v.cameraOrbit = '100deg 60deg 4m'; }")
    shows(page, 100)
    assert page.evaluate("connections.length") == 1
    assert len(opened) == 1

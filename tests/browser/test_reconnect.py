"""A stream that breaks comes back by itself: same camera, same choices, the last frame on screen meanwhile."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, Response, Route

from tests.browser.conftest import DISCONNECT, Show, shows

pytestmark = pytest.mark.browser

CHAIR = '<vitrine-viewer id="v" src="chair" camera-orbit="60deg 75deg auto" variant-name="walnut"></vitrine-viewer>'


@pytest.fixture
def page(show: Show) -> Page:
    """A page with a turned chair."""
    # A page that is left does not wait for DELETE's answer; the server may have seen the end by then, and say 404.
    page = show(CHAIR, expected="status of (503|404)")
    page.evaluate("() => { v.cameraOrbit = '250deg 60deg 4m'; v.jumpCameraToGoal(); }")
    shows(page, 250)
    return page


def opened(page: Page) -> list[str]:
    """The addresses of the sessions that the page has opened so far."""
    return page.evaluate("opened")  # type: ignore[no-any-return]


def hold(held: list[Route], route: Route) -> None:
    """A request that is not answered for now."""
    held.append(route)


Events: TypeAlias = tuple[Page, list[Route], Callable[[str], None]]


@pytest.fixture
def events(show: Show) -> Events:
    """A page with a turned chair, the requests for its sessions' events, and say(text): the newest one's answer."""
    asked: list[Route] = []
    page = show(CHAIR, loaded=False, expected="status of (503|404)|ERR_FAILED")
    page.route("**/events", lambda route: hold(asked, route))
    page.reload()
    page.wait_for_function("document.querySelector('vitrine-viewer')?.loaded")
    page.evaluate("() => { v.cameraOrbit = '250deg 60deg 4m'; v.jumpCameraToGoal(); }")
    shows(page, 250)

    def say(text: str) -> None:
        asked[-1].fulfill(content_type="text/event-stream", body=text)

    return page, asked, say


ONE_VIDEO = "v.shadowRoot.querySelectorAll('video').length === 1"


def end_on_the_server(address: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=10) as answer:
        assert answer.status == 200


def test_a_session_that_the_server_ends_is_taken_up_with_the_same_camera(page: Page) -> None:
    page.evaluate("sent.length = 0")
    end_on_the_server(opened(page)[-1])
    # The moment the picture is gone, its last frame is held in front.
    page.wait_for_function("!v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    page.wait_for_function("connections.length === 2 && v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    shows(page, 250)
    assert page.evaluate("v.getCameraOrbit().radius") == 4
    assert page.evaluate("sent.filter(({ type }) => type === 'variant').map(({ name }) => name)") == ["walnut"]
    assert page.evaluate("events.filter(({ type }) => type === 'load').length") == 1
    assert len(opened(page)) == 2


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


def test_it_waits_while_the_server_is_away_says_so_and_comes_back(page: Page) -> None:
    page.route("**/whep/**", lambda route: route.fulfill(status=503, body="away"))
    end_on_the_server(opened(page)[-1])
    page.wait_for_function("events.some(({ type }) => type === 'error')")
    assert page.locator("#v [role=alert]").inner_text().startswith("All places are taken")
    page.unroute("**/whep/**")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_function("v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    shows(page, 250)
    assert page.locator("#v [role=alert]").is_hidden()


def test_goaway_moves_to_a_new_session_before_the_old_one_ends(page: Page) -> None:
    page.evaluate(
        """() => {
          const message = JSON.stringify({ type: "goaway", deadline_ms: 5000 });
          channels.control.onmessage({ data: message });
        }"""
    )
    page.wait_for_function("connections.length === 2 && connections[0].connectionState === 'closed'")
    assert page.evaluate("v.shadowRoot.querySelectorAll('video').length") == 1
    shows(page, 250)
    assert len(opened(page)) == 2


def test_leaving_the_page_ends_the_session_and_coming_back_resumes_it(page: Page) -> None:
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert page.evaluate("connections[0].connectionState") == "closed"
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow'))")
    page.wait_for_function("connections.length === 2 && v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    shows(page, 250)


def test_late_and_hostile_messages_change_nothing(page: Page) -> None:
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
    assert len(opened(page)) == 1


def test_a_session_that_is_gone_is_followed_at_once_by_another(events: Events) -> None:
    page, _, say = events
    page.evaluate("() => { v.play(); v.currentTime = 7; window.shownAt = performance.now(); }")
    page.wait_for_function("performance.now() > shownAt + 3000")  # it has proved itself: no patience is needed
    page.evaluate("sent.length = 0")
    say(': welcome\n\nevent: gone\ndata: {"reason": "a process ended"}\n\n')
    page.wait_for_function("connections.length === 2 && v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    shows(page, 250)
    (told,) = page.evaluate("sent.filter(({ type }) => type === 'animation')")
    assert told["play"]
    assert told["time"] >= 9.5
    assert page.evaluate("[connections[0].connectionState, v.getCameraOrbit().radius]") == ["closed", 4]
    assert page.evaluate("events.filter(({ type }) => type === 'error')") == []


def test_a_session_that_the_server_knows_no_more_is_gone(events: Events) -> None:
    page, asked, _ = events
    asked[-1].fulfill(status=404, body="")
    page.wait_for_function(f"connections.length === 2 && connections[0].connectionState === 'closed' && {ONE_VIDEO}")
    shows(page, 250)


def test_events_that_break_off_are_asked_for_again_and_the_picture_goes_on(events: Events) -> None:
    page, asked, say = events
    say(": welcome\n\n")
    page.wait_for_timeout(600)
    asked[-1].abort()
    page.wait_for_timeout(1200)
    assert len(asked) == 3
    page.evaluate("() => { v.cameraOrbit = '100deg 60deg 4m'; }")
    shows(page, 100)
    assert page.evaluate("connections.length") == 1


def test_goaway_is_heard_beside_the_connection_too(events: Events) -> None:
    page, _, say = events
    say('event: goaway\ndata: {"deadline_ms": 5000}\n\n')
    page.wait_for_function(f"connections.length === 2 && connections[0].connectionState === 'closed' && {ONE_VIDEO}")
    shows(page, 250)


def test_beside_a_session_in_doubt_another_is_begun_and_takes_its_place(page: Page) -> None:
    page.evaluate(DISCONNECT, "disconnected")
    page.wait_for_function("connections.length === 2")
    # Until the new one has a picture the old one's stays, and is not held in front of anything.
    assert page.evaluate("v.shadowRoot.querySelector('.hold').classList.contains('gone')")
    page.wait_for_function(f"connections[0].signalingState === 'closed' && {ONE_VIDEO}")
    shows(page, 250)
    assert len(opened(page)) == 2


def test_a_session_that_recovers_first_stays(page: Page) -> None:
    held: list[Route] = []
    page.route("**/whep/chair?*", lambda route: hold(held, route))
    page.evaluate(DISCONNECT, "disconnected")
    page.wait_for_function("connections.length === 2")
    page.evaluate(DISCONNECT, "connected")
    page.wait_for_function("connections[1].signalingState === 'closed'")
    page.evaluate("() => { v.cameraOrbit = '100deg 60deg 4m'; }")
    shows(page, 100)
    assert page.evaluate("connections[0].signalingState") == "stable"


def test_a_disturbance_that_is_over_soon_starts_nothing(page: Page) -> None:
    page.evaluate(DISCONNECT, "disconnected")
    page.wait_for_timeout(300)
    page.evaluate(DISCONNECT, "connected")
    page.wait_for_timeout(700)
    assert page.evaluate("connections.length") == 1


@pytest.mark.parametrize("answers", [True, False])
def test_on_another_network_it_asks_whether_the_session_lives(page: Page, answers: bool) -> None:
    if not answers:
        page.evaluate("() => { channels.control.onmessage = null; }")
    page.evaluate("sent.length = 0; dispatchEvent(new Event('online'))")
    page.wait_for_function("sent.some(({ type }) => type === 'ping')")
    page.wait_for_timeout(1000)
    assert page.evaluate("connections.length") == (1 if answers else 2)


def test_the_frame_that_is_held_is_the_last_one_also_when_nobody_looks(page: Page) -> None:
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    brightest = """() => {
      const canvas = v.shadowRoot.querySelector(".hold");
      const { data } = canvas.getContext("2d").getImageData(0, canvas.height >> 1, canvas.width, 1);
      return Math.max(...data.filter((_, index) => index % 4 === 0));
    }"""
    assert page.evaluate(brightest) > 130


def test_a_picture_that_stands_still_under_the_hand_is_reported(page: Page, server: str) -> None:
    page.evaluate(
        """() => {
          // The path loses every camera for a while.
          const send = RTCDataChannel.prototype.send;
          RTCDataChannel.prototype.send = function (data) {
            if (window.deaf && this.label === "camera") return;
            send.call(this, data);
          };
        }"""
    )
    turn = "(theta) => { v.cameraOrbit = `${theta}deg 60deg 4m`; v.jumpCameraToGoal(); }"
    page.evaluate(turn, 252)
    shows(page, 252)
    page.evaluate("window.deaf = true")
    page.evaluate(turn, 300)
    page.wait_for_timeout(500)
    page.evaluate("window.deaf = false")
    page.wait_for_function("sent.some(({ type }) => type === 'report')")
    (told,) = page.evaluate("sent.filter(({ type }) => type === 'report')")
    assert told["freezes"] == 1
    assert told["frozen_ms"] > 180
    deadline = time.monotonic() + 10
    while counted(server, "vitrine_viewer_freezes_total") < 1:
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def counted(server: str, name: str) -> float:
    """A metric's sum over all processes."""
    with urllib.request.urlopen(f"{server}metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

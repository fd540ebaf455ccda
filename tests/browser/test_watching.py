"""Somebody else's view: the same frames, no camera of one's own, and a page that says so."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DISCONNECT, HARNESS, Show, shows, watched, window

pytestmark = pytest.mark.browser

CHAIR = '<vitrine-viewer id="v" src="chair" camera-orbit="60deg 75deg auto"></vitrine-viewer>'


def turn(page: Page, theta: int) -> None:
    page.evaluate(f"() => {{ v.cameraOrbit = '{theta}deg 75deg auto'; v.jumpCameraToGoal(); }}")
    shows(page, theta)


def test_a_watcher_sees_what_the_owner_turns_and_turns_nothing(show: Show, browser: Browser, server: str) -> None:
    owner = show(CHAIR)
    shows(owner, 60)
    key = owner.evaluate("v.watchKey")
    assert key not in owner.evaluate("opened[0]")
    with window(browser) as context:
        page, complaints = watched(context)
        body = f'<vitrine-viewer id="v" src="{server}view/chair?watch={key}" auto-rotate stats></vitrine-viewer>'
        page.route("**/harness", lambda route: route.fulfill(content_type="text/html", body=HARNESS.format(body=body)))
        page.goto(f"{server}harness")
        page.wait_for_function("v.loaded")
        shows(page, 60)
        turn(owner, 200)
        shows(page, 200)
        expect(page.locator("#v [part=badge]")).to_have_text("You are watching somebody else’s view")
        assert page.locator("#v [part=input]").get_attribute("aria-label") == "3D model. Somebody else's view, live"
        page.mouse.move(200, 160)
        page.mouse.down()
        page.mouse.move(120, 160, steps=6)
        page.mouse.up()
        page.mouse.wheel(0, 300)
        page.wait_for_function("scrollY > 0")  # the wheel is the page's
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
        shows(page, 200)
        told = page.evaluate("[...new Set(sent.map(({ type }) => type))]")
        assert told == ["hello"]
        assert page.evaluate("v.watchKey") == ""
        assert complaints == []


def test_an_owner_that_connects_again_is_watched_with_the_same_key(show: Show) -> None:
    owner = show(CHAIR)
    shows(owner, 60)
    key = owner.evaluate("v.watchKey")
    owner.evaluate(DISCONNECT, "disconnected")
    owner.wait_for_function("connections.length === 2 && connections[0].signalingState === 'closed'")
    owner.wait_for_function("v.watchKey !== ''")
    assert owner.evaluate("v.watchKey") == key


def test_a_view_that_has_ended_is_not_asked_for_again(show: Show) -> None:
    page = show(CHAIR.replace("src=", 'watch="nobody" src='), loaded=False, expected="status of 404")
    expect(page.locator("#v [part=notice]")).to_contain_text("The view that was shared here has ended.")
    page.wait_for_timeout(400)
    assert [event["type"] for event in page.evaluate("events") if event["type"] == "error"] == ["error"]


def test_the_page_gives_away_a_live_link_and_a_watching_page_offers_no_choices(browser: Browser, server: str) -> None:
    with window(browser, permissions=["clipboard-read", "clipboard-write"]) as context:
        page, complaints = watched(context)
        page.goto(f"{server}view/chair")
        button = page.get_by_role("button", name="Copy live link")
        button.click(timeout=15_000)
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        address = page.evaluate("navigator.clipboard.readText()")
        assert address.startswith(f"{server}view/chair?watch=")
        other, others = watched(context)
        other.goto(address)
        expect(other.locator("[part=badge]")).to_be_visible()
        expect(other.locator("[part=video]")).to_have_count(1)
        expect(other.get_by_role("group", name="Light")).to_be_hidden()
        expect(other.get_by_role("group", name="Version")).to_be_hidden()
        expect(other.get_by_role("button", name="Copy live link")).to_be_hidden()
        assert complaints + others == []

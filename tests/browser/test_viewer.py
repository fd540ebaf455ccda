"""<vitrine-viewer> against a real server: from poster to picture, hands, choices, several at once, and the end."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.conftest import HARNESS, Show, shows, watched, window

pytestmark = pytest.mark.browser

CHAIR = '<vitrine-viewer id="v" src="chair" alt="A chair" camera-orbit="60deg 75deg auto"></vitrine-viewer>'


def orbit(page: Page) -> list[float]:
    """Theta and phi in degrees, radius in metres."""
    return page.evaluate(  # type: ignore[no-any-return]
        "() => { const o = v.getCameraOrbit(); return [o.theta * 180 / Math.PI, o.phi * 180 / Math.PI, o.radius] }"
    )


def sent(page: Page, kind: str) -> list[dict[str, Any]]:
    return page.evaluate("(kind) => sent.filter(({ type }) => type === kind)", kind)  # type: ignore[no-any-return]


def pixels(page: Page) -> np.ndarray[Any, np.dtype[np.int16]]:
    """The viewer as the page shows it, [height, width, 3]."""
    return np.asarray(Image.open(io.BytesIO(page.locator("#v").screenshot())).convert("RGB")).astype(np.int16)


def test_a_model_appears_at_the_orbit_asked_for(show: Show) -> None:
    page = show(CHAIR)
    shows(page, 60)
    assert orbit(page)[:2] == pytest.approx([60, 75])
    assert [sent(page, "viewport")[0][side] for side in ("width", "height")] == [480, 320]
    shares = [event["detail"]["totalProgress"] for event in page.evaluate("events") if event["type"] == "progress"]
    assert shares == sorted(shares)
    assert shares[-1] == 1


POSTER_IS_GONE = "v.shadowRoot.querySelector('.poster').classList.contains('gone')"


def test_a_poster_that_does_not_load_leaves_no_broken_picture(show: Show) -> None:
    page = show('<vitrine-viewer id="v" src="chair" poster="data:image/png;base64,AAAA"></vitrine-viewer>')
    page.wait_for_function("v.shadowRoot.querySelector('.poster img').hidden")


def test_the_poster_stays_until_the_picture_at_rest_is_as_good(show: Show) -> None:
    page = show(CHAIR)
    assert not page.evaluate(POSTER_IS_GONE)
    page.wait_for_function("events.some(({ type }) => type === 'poster-dismissed')")
    assert page.evaluate(POSTER_IS_GONE)


def test_the_poster_goes_at_the_first_touch(show: Show) -> None:
    page = show(CHAIR)
    page.mouse.move(200, 160)
    page.mouse.down()
    page.mouse.move(190, 160, steps=2)
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    assert page.evaluate(POSTER_IS_GONE)


def test_no_frame_on_screen_is_blank_once_the_poster_is_there(show: Show) -> None:
    page = show("", loaded=False)
    session = page.context.new_cdp_session(page)
    frames: list[str] = []

    def keep(event: dict[str, Any]) -> None:
        frames.append(event["data"])
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", keep)
    session.send("Page.startScreencast", {"format": "jpeg", "quality": 90})
    page.evaluate("(html) => document.body.insertAdjacentHTML('afterbegin', html)", CHAIR)
    page.wait_for_function("events.some(({ type }) => type === 'poster-dismissed')")
    page.wait_for_timeout(300)
    session.send("Page.stopScreencast")
    decoded = (Image.open(io.BytesIO(base64.b64decode(frame))).convert("L") for frame in frames)
    # The fake's background is nearly black, the empty stage white: a corner of the picture tells them apart.
    dark = [float(np.asarray(frame)[250:300, 300:450].mean()) < 90 for frame in decoded]
    assert True in dark
    assert all(dark[dark.index(True) :])


def test_dragging_turns_the_model_and_the_picture_changes(show: Show) -> None:
    page = show(CHAIR)
    shows(page, 60)
    before = pixels(page)
    page.mouse.move(200, 160)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(200 - 10 * step, 160)
    page.wait_for_timeout(150)  # a hand that rests before it lets go does not fling
    page.mouse.up()
    # One height of the element is a full turn: 80 of 320 px is a quarter.
    shows(page, 150)
    assert orbit(page)[0] == pytest.approx(150)
    assert np.abs(pixels(page) - before).max() > 100
    seqs = [message["seq"] for message in sent(page, "camera")]
    assert seqs == sorted(seqs)
    moves = [event["detail"]["source"] for event in page.evaluate("events") if event["type"] == "camera-change"]
    assert moves[-1] == "user-interaction"


def test_nothing_is_sent_and_nothing_runs_while_nothing_moves(show: Show) -> None:
    page = show(CHAIR)
    shows(page, 60)
    page.wait_for_timeout(400)
    page.evaluate(
        "() => { const ask = requestAnimationFrame; window.asked = 0; sent.length = 0;"
        "window.requestAnimationFrame = (f) => { window.asked += 1; return ask(f); } }"
    )
    page.wait_for_timeout(600)
    assert page.evaluate("[asked, sent.length]") == [0, 0]


def test_right_drag_and_shift_drag_move_the_target(show: Show) -> None:
    page = show(CHAIR)
    theta = orbit(page)[0]
    page.mouse.move(240, 160)
    page.mouse.down(button="right")
    page.mouse.move(240, 190, steps=3)
    page.mouse.up(button="right")
    high = page.evaluate("v.getCameraTarget().y")
    assert high > 0.55
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(240, 160, steps=3)
    page.mouse.up()
    assert page.evaluate("v.getCameraTarget().y") < high - 0.05
    assert orbit(page)[0] == theta


def test_the_wheel_zooms_and_does_not_scroll_the_page(show: Show) -> None:
    page = show(CHAIR)
    radius = orbit(page)[2]
    page.mouse.move(230, 150)
    page.mouse.move(240, 160)
    page.mouse.wheel(0, -200)
    page.wait_for_function("(radius) => v.getCameraOrbit().radius < 0.9 * radius", arg=radius)
    assert page.evaluate("scrollY") == 0


def test_with_disable_zoom_the_wheel_scrolls_the_page(show: Show) -> None:
    page = show(CHAIR.replace("src=", "disable-zoom src="))
    radius = orbit(page)[2]
    page.mouse.move(230, 150)
    page.mouse.move(240, 160)
    page.mouse.wheel(0, 200)
    page.wait_for_function("scrollY > 50")
    assert orbit(page)[2] == radius


def test_keys_turn_zoom_move_and_return(show: Show) -> None:
    page = show(CHAIR)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "v"
    theta, phi, radius = orbit(page)
    for key in ("ArrowRight", "ArrowUp", "PageUp", "Shift+ArrowUp"):
        page.keyboard.press(key)
    page.wait_for_function(
        "([theta, phi, radius]) => { const o = v.getCameraOrbit();"
        "return o.theta > theta && o.phi < phi && o.radius < radius && v.getCameraTarget().y > 0.5 }",
        arg=[np.radians(theta), np.radians(phi), radius],
    )
    page.keyboard.press("Home")
    page.wait_for_function("(theta) => Math.abs(v.getCameraOrbit().theta - theta) < 1e-6", arg=np.radians(theta))
    shows(page, 60)
    assert page.evaluate("scrollY") == 0


def test_people_who_do_not_see_the_picture_are_told_what_it_shows(show: Show) -> None:
    page = show(CHAIR)
    hand = page.locator("#v [part=input]")
    assert hand.get_attribute("role") == "application"
    assert hand.get_attribute("aria-label") == "A chair. View from front right"
    hand.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("v.shadowRoot.querySelector('[role=status]').textContent === 'View from right'")
    assert hand.get_attribute("aria-label") == "A chair. View from right"


def test_one_finger_turns_two_pinch(browser: Browser, server: str) -> None:
    with window(browser, viewport={"width": 480, "height": 700}, has_touch=True, is_mobile=True) as context:
        page, complaints = watched(context)
        body = CHAIR.replace("src=", 'touch-action="none" src=')
        page.route("**/harness", lambda r: r.fulfill(content_type="text/html", body=HARNESS.format(body=body)))
        page.goto(f"{server}harness")
        page.wait_for_function("v.loaded")
        touch = context.new_cdp_session(page)

        def dispatch(kind: str, *points: tuple[float, float]) -> None:
            touches = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

        theta, _, radius = orbit(page)
        dispatch("touchStart", (200, 160))
        for x in range(190, 110, -10):
            dispatch("touchMove", (x, 160))
        page.wait_for_timeout(150)
        dispatch("touchEnd")
        turned = orbit(page)[0]
        assert turned > theta + 40
        dispatch("touchStart", (200, 160), (280, 160))
        for spread in range(5, 45, 5):
            dispatch("touchMove", (200 - spread, 160), (280 + spread, 160))
        dispatch("touchEnd")
        assert orbit(page)[2] < 0.7 * radius
        assert orbit(page)[0] == pytest.approx(turned)
        assert complaints == []


def test_reduced_motion_stops_the_model_where_the_hand_lets_go(browser: Browser, server: str) -> None:
    with window(browser, reduced_motion="reduce") as context:
        page, complaints = watched(context)
        body = CHAIR.replace("src=", 'auto-rotate auto-rotate-delay="0" src=')
        page.route("**/harness", lambda r: r.fulfill(content_type="text/html", body=HARNESS.format(body=body)))
        page.goto(f"{server}harness")
        page.wait_for_function("v.loaded")
        page.mouse.move(200, 160)
        page.mouse.down()
        page.mouse.move(120, 160, steps=6)
        page.mouse.up()
        theta = orbit(page)[0]
        page.wait_for_timeout(250)
        assert orbit(page)[0] == theta
        assert page.evaluate("v.turntableRotation") == 0
        assert complaints == []


def test_auto_rotate_turns_the_picture_and_leaves_the_orbit(show: Show) -> None:
    page = show(CHAIR.replace("src=", 'auto-rotate auto-rotate-delay="0" rotation-per-second="90deg" src='))
    page.wait_for_function("v.turntableRotation > 0.5")
    assert orbit(page)[0] == pytest.approx(60)
    assert len({message["orbit"][0] for message in sent(page, "camera")}) > 5
    page.evaluate("v.removeAttribute('auto-rotate')")
    page.wait_for_timeout(100)
    turned = page.evaluate("v.turntableRotation")
    shows(page, 60 + np.degrees(turned))
    assert page.evaluate("v.turntableRotation") == turned


def test_choices_reach_the_server_once_the_model_has_them(show: Show) -> None:
    page = show(CHAIR.replace("src=", 'variant-name="walnut" environment-image="studio" exposure="2" src='))
    assert page.evaluate("[v.availableVariants, v.availableAnimations]") == [["oak", "walnut"], ["spin"]]
    assert sent(page, "variant")[-1]["name"] == "walnut"
    assert sent(page, "environment")[-1]["name"] == "studio"
    assert sent(page, "exposure")[-1]["ev"] == 1
    page.evaluate("() => { v.variantName = 'no such cover'; v.play(); v.currentTime = 0.5; }")
    page.wait_for_function("sent.some(({ type, play, time }) => type === 'animation' && play && time >= 0.5)")
    assert sent(page, "variant")[-1]["name"] is None
    assert [event for event in page.evaluate("events") if event["type"] == "error"] == []


def test_picking_answers_with_a_point_or_with_nothing(show: Show) -> None:
    page = show(CHAIR)
    hit = page.evaluate("v.positionAndNormalFromPoint(360, 80).then((hit) => [hit.position.toString(), hit.normal.z])")
    assert hit == ["0.75m 0.25m 0m", 1]
    assert page.evaluate("v.positionAndNormalFromPoint(60, 80)") is None
    assert page.evaluate("v.positionAndNormalFromPoint(-5, 80)") is None


def test_a_tap_puts_the_point_into_the_middle(show: Show) -> None:
    page = show(CHAIR)
    page.mouse.click(360, 80)
    page.wait_for_function("v.getCameraTarget().toString() === '0.75m 0.25m 0m'")
    page.mouse.click(60, 80)
    page.wait_for_function("v.getCameraTarget().toString() === '0m 0.5m 0m'")


def test_attributes_and_properties_are_one(show: Show) -> None:
    page = show(CHAIR)
    page.evaluate("() => { v.cameraOrbit = '200deg 80deg 3m'; v.jumpCameraToGoal(); }")
    page.evaluate("() => { v.disableZoom = true; v.exposure = 0.5; }")
    shows(page, 200)
    assert orbit(page) == pytest.approx([200, 80, 3])
    assert page.evaluate("v.getCameraOrbit().toString()").endswith("rad 3m")
    assert page.evaluate("[v.hasAttribute('disable-zoom'), v.getAttribute('exposure')]") == [True, "0.5"]
    assert page.evaluate("v.getFieldOfView()") == 30


def test_a_new_size_is_told_and_shown(show: Show) -> None:
    page = show(CHAIR)
    page.evaluate("v.style.width = '640px'")
    page.wait_for_function("v.shadowRoot.querySelector('video').videoWidth === 640")
    assert sent(page, "viewport")[-1] == {"channel": "control", "type": "viewport", "width": 640, "height": 320}


@pytest.mark.parametrize(("src", "status"), [("nothing-here", 404), ("broken", 422)])
def test_a_model_that_cannot_be_shown_says_so_and_is_not_tried_again(show: Show, src: str, status: int) -> None:
    offers: list[str] = []
    page = show(f'<vitrine-viewer id="v" src="{src}"></vitrine-viewer>', loaded=False, expected=f"status of {status}")
    page.on("request", lambda request: offers.append(request.url) if "/whep/" in request.url else None)
    page.wait_for_function("events.some(({ type }) => type === 'error')")
    page.wait_for_timeout(700)
    errors = [event for event in page.evaluate("events") if event["type"] == "error"]
    assert len(errors) == 1
    assert page.locator("#v [role=alert]").inner_text().startswith("This model")
    page.evaluate("v.style.width = '300px'")
    page.wait_for_timeout(300)
    assert len(offers) <= 1
    page.wait_for_function("connections.every(({ connectionState }) => connectionState === 'closed')")


def test_several_viewers_live_side_by_side_and_a_lazy_one_waits(show: Show) -> None:
    other = '<vitrine-viewer id="w" src="lamp" camera-orbit="200deg 75deg auto"></vitrine-viewer>'
    far = '<div style="height: 1500px"></div><vitrine-viewer id="far" src="vase" loading="lazy"></vitrine-viewer>'
    page = show(CHAIR + other + far)
    page.wait_for_function("w.loaded && Math.abs(shownTheta(w) - 200) < 4 && Math.abs(shownTheta(v) - 60) < 4")
    assert page.evaluate("connections.length") == 2
    page.evaluate("far.scrollIntoView()")
    page.wait_for_function("far.loaded")
    assert page.evaluate("connections.length") == 3


def test_removal_frees_everything(show: Show) -> None:
    page = show(CHAIR.replace("src=", "auto-rotate auto-rotate-delay='0' stats src="))
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.evaluate("window.kept = v; kept.remove()")
    page.evaluate(
        "() => { const ask = requestAnimationFrame; window.asked = 0;"
        "window.requestAnimationFrame = (f) => { window.asked += 1; return ask(f); } }"
    )
    page.evaluate("() => { sent.length = 0; document.dispatchEvent(new Event('visibilitychange')); }")
    page.wait_for_timeout(400)
    page.wait_for_function("connections.every(({ connectionState }) => connectionState === 'closed')")
    assert page.evaluate("kept.shadowRoot.querySelectorAll('video').length") == 0
    assert page.evaluate("[asked, sent.length]") == [0, 0]
    page.evaluate("document.body.append(kept)")
    page.wait_for_function("connections.length === 2 && kept.shadowRoot.querySelector('video')?.videoWidth > 0")


def test_another_src_takes_the_place_of_the_first(show: Show) -> None:
    page = show(CHAIR)
    page.evaluate("v.src = 'lamp'")
    page.wait_for_function("events.filter(({ type }) => type === 'load').length === 2")
    page.wait_for_function("connections[0].connectionState === 'closed'")
    assert page.evaluate("connections.length") == 2


def test_reveal_manual_keeps_the_poster_and_connects_only_when_told(show: Show) -> None:
    page = show(CHAIR.replace("src=", 'reveal="manual" src='), loaded=False)
    page.wait_for_function("v.shadowRoot.querySelector('img').naturalWidth === 480")
    page.wait_for_timeout(200)
    assert page.evaluate("connections.length") == 0
    page.evaluate("v.dismissPoster()")
    page.wait_for_function("v.loaded")


def test_the_stats_overlay_measures(show: Show) -> None:
    page = show(CHAIR.replace("src=", "stats src="))
    page.mouse.move(200, 160)
    page.mouse.down()
    for step in range(40):
        page.mouse.move(200 - step, 160)
        page.wait_for_timeout(25)
    page.mouse.up()
    page.wait_for_function(
        r"/p50\d+ ms.*480×320 (H264|VP8)/s.test(v.shadowRoot.querySelector('[part=stats]').textContent)"
    )

"""The viewer's modules one by one, imported in a page: reading attributes, camera arithmetic, messages, timing."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from playwright.sync_api import Page

from streaming import protocol

pytestmark = pytest.mark.browser


def run(page: Page, module: str, body: str) -> Any:
    """The value of `body`, with everything that /viewer/MODULE.js exports in scope as `m`."""
    return page.evaluate(f"import('/viewer/{module}.js').then((m) => {{ {body} }})")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("30deg 75deg 1.2m", [[30, "deg"], [75, "deg"], [1.2, "m"]]),
        ("0.5rad 1rad 45cm", [[math.degrees(0.5), "deg"], [math.degrees(1), "deg"], [0.45, "m"]]),
        ("-Infinity 22.5deg auto", [[None, "deg"], [22.5, "deg"], [None, "auto"]]),
        ("auto auto 105%", [[None, "auto"], [None, "auto"], [105, "%"]]),
        ("10 20 3", [[10, "deg"], [20, "deg"], [3, "m"]]),
        ("30m nonsense", [[None, "auto"], [None, "auto"], [None, "auto"]]),
        ("", [[None, "auto"]] * 3),
    ],
)
def test_camera_orbit_is_read_as_model_viewer_writes_it(page: Page, text: str, terms: list[list[Any]]) -> None:
    terms_of = "map(({value, unit}) => [isFinite(value) ? value : null, unit])"
    read = run(page, "attributes", f"return m.parseOrbit({text!r}).{terms_of}")
    for (value, unit), (expected, expected_unit) in zip(read, terms, strict=True):
        assert unit == expected_unit
        assert value == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("src", "address", "model"),
    [
        ("chair", "https://here.example/sub/", "chair"),
        ("https://there.example/view/chair", "https://there.example/", "chair"),
        ("https://there.example/shop/view/my%20chair/", "https://there.example/shop/", "my chair"),
        ("view/chair", "https://here.example/sub/", "chair"),
    ],
)
def test_src_is_an_id_or_the_address_of_a_model(page: Page, src: str, address: str, model: str) -> None:
    source = run(
        page,
        "attributes",
        f"const s = m.parseSource({src!r}, 'https://here.example/sub'); return [s.base.href, s.model]",
    )
    assert source == [address, model]


def test_an_address_that_names_no_model_is_an_error(page: Page) -> None:
    body = "try { return m.parseSource('https://h/chair.glb', 'https://h/').model } catch (e) { return e.message }"
    assert "not the address of a model" in run(page, "attributes", body)


def test_framing_agrees_with_the_renderer(page: Page) -> None:
    from renderer.linalg import framing_radius

    for aspect in (0.5, 1.0, 16 / 9):
        radius = run(page, "orbit", f"return m.framingRadius({{min: [-1, 0, -2], max: [1, 3, 2]}}, 30, {aspect})")
        assert radius == pytest.approx(framing_radius(math.hypot(2, 3, 4) / 2, 30, aspect))


CAMERA = """
const a = await import('/viewer/attributes.js');
const camera = new m.Camera();
camera.reshape(1.5);
camera.frame({ min: [-0.5, 0, -0.5], max: [0.5, 1, 0.5] });
const settle = () => { for (let i = 0; i < 400 && camera.advance(16); i += 1); };
"""


def camera(page: Page, body: str) -> Any:
    return page.evaluate(f"(async () => {{ const m = await import('/viewer/orbit.js'); {CAMERA} {body} }})()")


def test_a_model_opens_framed_and_centred(page: Page) -> None:
    from renderer.linalg import framing_radius

    pose = camera(page, "return camera.pose")
    assert (pose["theta"], pose["phi"], pose["fov"]) == (30, 75, 30)
    assert pose["target"] == [0, 0.5, 0]
    assert pose["radius"] == pytest.approx(framing_radius(math.sqrt(3) / 2, 30, 1.5))


def test_theta_goes_round_for_the_server_and_on_for_the_page(page: Page) -> None:
    turned = camera(page, "camera.turn(400, 0); return [camera.orbit.theta, camera.pose.theta]")
    assert turned == [430, pytest.approx(70)]


def test_phi_and_distance_stop_at_their_limits(page: Page) -> None:
    bounds = camera(
        page,
        "const r = camera.framing(); camera.turn(0, -500); const top = camera.pose.phi; camera.turn(0, 900);"
        "camera.zoom(1e-6); const near = camera.pose.radius / r; camera.zoom(1e9);"
        "return [top, camera.pose.phi, near, camera.pose.radius / r]",
    )
    assert bounds == [22.5, 157.5, pytest.approx(0.35), pytest.approx(1.6)]


def test_limits_of_the_attributes_win(page: Page) -> None:
    pose = camera(
        page,
        "camera.configure({ minOrbit: a.parseOrbit('-45deg 60deg 50%'), maxOrbit: a.parseOrbit('45deg 90deg 120%') });"
        "camera.turn(-900, 900); camera.zoom(1e-3);"
        "return [camera.pose.theta, camera.pose.phi, camera.pose.radius / camera.framing()]",
    )
    assert pose == [-45, 90, pytest.approx(0.5)]


def test_a_view_that_is_written_is_within_reach_of_the_default_limits(page: Page) -> None:
    pose = camera(
        page,
        "camera.configure({ orbit: a.parseOrbit('0deg 5deg 0.01m'), fov: a.parseAngle('60deg') }); camera.jump();"
        "return [camera.pose.phi, camera.pose.radius, camera.pose.fov]",
    )
    assert pose == [5, 0.01, 60]


def test_a_hand_that_is_laid_on_stops_the_model_where_it_is(page: Page) -> None:
    before, after = camera(
        page,
        "camera.fling(0.5, 0); camera.advance(16); const b = camera.orbit.theta; camera.stop(); settle();"
        "return [b, camera.orbit.theta]",
    )
    assert after == before


def test_the_approach_to_the_goal_does_not_depend_on_the_frame_rate(page: Page) -> None:
    thetas = camera(
        page,
        "const run = (step) => { camera.reset(true); camera.turn(90, 0, 100);"
        "for (let t = 0; t < 96; t += step) camera.advance(step); return camera.orbit.theta; };"
        "return [run(8), run(16), run(48)]",
    )
    assert thetas[0] == pytest.approx(30 + 90 * (1 - math.exp(-0.96)), abs=0.01)
    assert thetas[1:] == pytest.approx([thetas[0]] * 2)


def test_a_fling_keeps_the_hands_speed_and_comes_to_rest(page: Page) -> None:
    before, after, end, settled = camera(
        page,
        "camera.fling(0.2, 0); const b = camera.orbit.theta; camera.advance(1); const c = camera.orbit.theta; settle();"
        "return [b, c, camera.orbit.theta, camera.settled]",
    )
    assert after - before == pytest.approx(0.2, rel=0.01)
    assert settled
    assert end > after


def test_panning_moves_the_target_in_the_pictures_plane_and_stays_with_the_model(page: Page) -> None:
    side, far = camera(
        page,
        "camera.configure({ orbit: a.parseOrbit('90deg 90deg auto') }); camera.jump(); camera.pan(0.05, 0);"
        "const side = camera.pose.target; camera.pan(-50, 50); return [side, camera.pose.target]",
    )
    # From +X the picture's right is −Z: dragging to the right moves the look towards +Z.
    assert side[0] == pytest.approx(0)
    assert side[2] > 0.01
    assert far[1:] == [1, -0.5]


def test_a_new_shape_keeps_the_model_as_large_as_it_was(page: Page) -> None:
    before, after = camera(
        page,
        "camera.zoom(0.8); const b = camera.pose.radius / camera.framing(); camera.reshape(0.5);"
        "return [b, camera.pose.radius / camera.framing()]",
    )
    assert after == pytest.approx(before)


@pytest.mark.parametrize(
    ("theta", "phi", "words"),
    [
        (0, 90, "View from front"),
        (30, 65, "View from front right, elevated"),
        (-90, 120, "View from left, from below"),
        (540, 90, "View from back"),
        (10, 5, "View from above"),
    ],
)
def test_a_view_in_words(page: Page, theta: float, phi: float, words: str) -> None:
    assert run(page, "describe", f"return m.describe({{theta: {theta}, phi: {phi}}})") == words


def test_every_message_the_viewer_makes_is_one_the_server_reads(page: Page) -> None:
    pose = "{theta: 12.3456789, phi: 75, radius: 0.0123456789, target: [0, 0.5, -1e-9], fov: 30}"
    assert protocol.parse("camera", run(page, "protocol", f"return m.camera(7, {pose})"))
    made = run(
        page,
        "protocol",
        "return [m.hello(), m.viewport(640, 480), m.variant('oak'), m.variant(null), m.animation('spin', true, 1.5),"
        "m.environment('neutral'), m.exposure(-0.5), m.channel('normal'), m.pick(3, 0.25, 0.75), m.ping(12.5),"
        "m.report(2, 640)]",
    )
    kinds = [protocol.parse("control", message).type for message in made]
    once = ["animation", "environment", "exposure", "channel", "pick", "ping", "report"]
    assert kinds == ["hello", "viewport", "variant", "variant", *once]


def test_every_message_the_server_makes_is_one_the_viewer_reads(page: Page) -> None:
    bounds = {"min": [-0.5, 0.0, -0.5], "max": [0.5, 1.0, 0.5]}
    made: list[protocol.Outbound] = [
        protocol.Ready(1, "chair", bounds, ["oak"], ["spin"], [], ["neutral"]),
        protocol.FrameShown(2**32 - 1, 7),
        protocol.Picked(3, "seat", [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]),
        protocol.Picked(4, None, None, None),
        protocol.GoAway(500),
        protocol.Pong(12.5),
        protocol.ErrorReply("out-of-range", "no"),
    ]
    assert {type(message) for message in made} == set(protocol.OUTBOUND)
    for message in made:
        text = protocol.dump(message)
        told = json.loads(text)
        told.pop("cameras", None)  # named by the server, chosen by no viewer yet
        assert run(page, "protocol", f"return m.parse({json.dumps(text)})") == told


@pytest.mark.parametrize(
    "message",
    [
        "",
        "null",
        "[]",
        "{",
        '{"type":"constructor"}',
        '{"type":"__proto__"}',
        '{"type":"ready","version":2}',
        '{"type":"ready","version":1,"model":"m","bounds":{"min":[0,0],"max":[1,1,1]}}',
        '{"type":"frame","rtp":"1","seq":1}',
        '{"type":"frame","rtp":1e400,"seq":1}',
        '{"type":"picked","id":null}',
        '{"type":"goaway","deadline_ms":null}',
        json.dumps({"type": "error", "code": "x" * 300_000}),
    ],
)
def test_a_message_that_is_none_is_ignored(page: Page, message: str) -> None:
    assert run(page, "protocol", f"return m.parse({json.dumps(message)})") is None


def test_what_a_ready_message_says_is_kept_and_no_more(page: Page) -> None:
    message = {
        "type": "ready",
        "version": 1,
        "model": "chair",
        "bounds": {"min": [0, 0, 0], "max": [1, 1, 1]},
        "variants": ["oak", 5, None],
        "animations": "spin",
        "environments": ["neutral"],
        "evil": 1,
    }
    ready = run(page, "protocol", f"return m.parse({json.dumps(json.dumps(message))})")
    assert ready["variants"] == ["oak"]
    assert ready["animations"] == []
    assert "evil" not in ready


def test_a_frame_answers_every_input_up_to_its_own_in_whichever_order_the_news_come(page: Page) -> None:
    samples, answered = run(
        page,
        "timing",
        "const answered = []; const line = new m.Timeline((seq) => answered.push(seq));"
        "line.sent(1, 100); line.sent(2, 110); line.sent(3, 120); line.sent(2, 119);"
        "line.presented(9000, 130); line.noted(9000, 2); line.noted(12000, 3); line.presented(12000, 150);"
        "return [line.samples, answered]",
    )
    assert samples == [30, 20, 30]
    assert answered == [2, 3]


def test_the_memory_of_a_timeline_is_bounded(page: Page) -> None:
    kept = run(
        page,
        "timing",
        "const line = new m.Timeline(() => {}); for (let i = 0; i < 5000; i += 1) line.sent(i, i);"
        "line.noted(1, 5000); line.presented(1, 6000); return line.samples.length",
    )
    assert kept == 300


def test_waiting_doubles_is_random_and_ends_at_eight_seconds(page: Page) -> None:
    shortest, longest = run(
        page,
        "connection",
        "const n = [0, 1, 2, 5, 9]; return [n.map((k) => m.backoff(k, 0)), n.map((k) => m.backoff(k, 1))]",
    )
    assert longest == [250, 500, 1000, 8000, 8000]
    assert shortest == [value / 2 for value in longest]


def test_a_host_that_a_balancer_did_not_reach_is_no_reason_to_wait_longer(page: Page) -> None:
    refused, astray = run(
        page,
        "connection",
        "const n = [0, 2, 7, 8]; return [503, 502].map((status) => n.map((k) => m.patience(status, k, 1)))",
    )
    assert refused == [250, 1000, 8000, 8000]
    assert astray == [250, 250, 250, 8000]


def test_who_is_told_to_go_does_not_go_with_all_others_at_once(page: Page) -> None:
    soonest, latest = run(
        page,
        "connection",
        "const n = [0, 5000, 10000, 120000]; return [n.map((k) => m.departure(k, 0)), n.map((k) => m.departure(k, 1))]",
    )
    assert soonest == [0, 0, 0, 0]
    assert latest == [0, 1000, 2000, 3000]


@pytest.mark.parametrize(
    ("size", "viewport"),
    [
        ((480, 320, 1), (480, 320)),
        ((390, 523, 3), (784, 1048)),
        ((3840, 2160, 1), (1920, 1080)),
        ((10, 10, 1), (64, 64)),
        ((0, 100, 1), (0, 0)),
    ],
)
def test_the_viewport_is_what_the_server_would_make_of_it(
    page: Page, size: tuple[int, int, float], viewport: tuple[int, int]
) -> None:
    from streaming.state import fit

    width, height = run(
        page, "still", f"const {{width, height}} = m.viewportOf({', '.join(map(str, size))}); return [width, height]"
    )
    assert (width, height) == viewport
    if width:
        assert fit(width, height, 3840 * 2160) == viewport

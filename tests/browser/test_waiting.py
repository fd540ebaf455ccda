"""In line: the place is said, stills stand in for the stream and turn with the hand, until it is time for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route

from tests.browser.conftest import HARNESS, Show, serving, shows, watched, window

pytestmark = pytest.mark.browser

CHAIR = '<vitrine-viewer id="v" src="chair" camera-orbit="60deg 75deg auto"></vitrine-viewer>'
NOTICE = "v.shadowRoot.querySelector('.notice').textContent"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server with room for one viewer."""
    models: Path = tmp_path_factory.mktemp("models")
    (models / "chair.glb").write_bytes(b"good")
    with serving(models, "--max-sessions", "1", fake=True) as address:
        yield address


def visit(context: BrowserContext, server: str, body: str = CHAIR) -> tuple[Page, list[str]]:
    page, complaints = watched(context, expected="status of 503")
    page.route("**/harness", lambda route: route.fulfill(content_type="text/html", body=HARNESS.format(body=body)))
    page.goto(f"{server}harness")
    return page, complaints


def until_notice(page: Page, pattern: str) -> None:
    page.wait_for_function(f"/{pattern}/.test({NOTICE})")


# Where the bar stands in the still that is shown, degrees; the fake backend draws it at theta.
STILL_THETA = """() => {
  const image = v.shadowRoot.querySelector(".poster img");
  if (!image.naturalWidth) return null;
  const canvas = new OffscreenCanvas(image.naturalWidth, 1);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, -Math.floor(image.naturalHeight / 2));
  const { data } = context.getImageData(0, 0, canvas.width, 1);
  for (let x = 0; x < canvas.width; x += 1) if (data[4 * x] > 130) return (360 * x) / canvas.width;
  return null;
}"""


def drag(page: Page, degrees: float) -> None:
    page.mouse.move(200, 160)
    page.mouse.down()
    page.mouse.move(200 - degrees / 360 * 320, 160, steps=6)
    page.wait_for_timeout(120)
    page.mouse.up()


def test_who_waits_turns_stills_and_gets_the_stream_where_they_left_it(browser: Browser, narrow: str) -> None:
    with window(browser) as first, window(browser) as second:
        owner, _ = visit(first, narrow)
        owner.wait_for_function("v.loaded")
        page, complaints = visit(second, narrow)
        until_notice(page, "You are next in line")
        notice = page.locator("#v [part=notice]")
        assert notice.get_attribute("role") == "status"
        assert page.get_by_role("button", name="Try again").is_hidden()
        drag(page, 90)
        page.wait_for_function(f"Math.abs(({STILL_THETA})() - 150) < 4")
        assert not page.evaluate("v.loaded")
        owner.close()
        page.wait_for_function("v.loaded", timeout=30_000)
        shows(page, 150)
        assert notice.is_hidden()
        assert page.evaluate("v.shadowRoot.querySelector('.poster').classList.contains('gone')")
        assert page.evaluate("v.getCameraOrbit().theta * 180 / Math.PI") == pytest.approx(150, abs=0.5)
        assert complaints == []


def full(position: int, seconds: float) -> dict[str, Any]:
    """The answer of a server that has no place."""
    return {
        "status": 503,
        "headers": {"Retry-After": "1"},
        "json": {
            "error": {"code": "full", "message": "all places are taken"},
            "queue": {"ticket": "a ticket", "position": position, "seconds": seconds},
        },
    }


@pytest.fixture
def line(show: Show) -> tuple[Page, list[str], list[str]]:
    """A page in a long line, the tickets that it has shown, and the stills it asked for."""
    tickets: list[str] = []
    stills: list[str] = []

    def refuse(route: Route) -> None:
        tickets.append(parse_qs(urlsplit(route.request.url).query).get("ticket", [""])[0])
        route.fulfill(**full(5 - min(3, len(tickets)), 100))

    def note(request: Request) -> None:
        if "/render/" in request.url:
            stills.append(request.url)

    page = show(CHAIR.replace("src=", 'reveal="manual" src='), loaded=False, expected="status of (503|500)")
    page.route("**/whep/**", refuse)
    page.on("request", note)
    page.evaluate("v.dismissPoster()")
    return page, tickets, stills


def test_the_ticket_is_shown_again_and_the_place_is_said(line: tuple[Page, list[str], list[str]]) -> None:
    page, tickets, _ = line
    until_notice(page, "You are 4th in line. It should take about 2 minutes")
    until_notice(page, "You are 2nd in line")
    assert tickets[:3] == ["", "a ticket", "a ticket"]
    assert page.evaluate("events.filter(({ type }) => type === 'error')") == []


def test_stills_are_asked_for_one_at_a_time_at_angles_that_others_have_too(
    line: tuple[Page, list[str], list[str]],
) -> None:
    page, _, stills = line
    until_notice(page, "in line")
    waiting: list[Route] = []

    def keep(route: Route) -> None:
        waiting.append(route)

    page.wait_for_function(f"({STILL_THETA})() !== null")
    page.route("**/render/**", keep)
    stills.clear()
    drag(page, 77)
    assert len(waiting) == 1
    waiting[0].continue_()
    page.wait_for_timeout(300)
    assert len(waiting) == 2  # the newest of all that were passed meanwhile
    newest = parse_qs(urlsplit(stills[-1]).query)
    assert newest["orbit"] == ["140deg 80deg auto"]
    assert newest["samples"] == ["8"]
    assert re.fullmatch(r"\d+x\d+", newest["size"][0])


def test_stills_that_do_not_come_are_asked_for_with_patience(line: tuple[Page, list[str], list[str]]) -> None:
    page, _, stills = line
    page.route("**/render/**", lambda route: route.fulfill(status=500))
    stills.clear()
    until_notice(page, "in line")
    for _ in range(5):
        drag(page, 30)
    assert len(stills) <= 4
    page.unroute("**/render/**")
    page.wait_for_function(f"({STILL_THETA})() !== null")


def run(page: Page, module: str, body: str) -> Any:
    """The value of `body`, with everything that /viewer/MODULE.js exports in scope as `m`."""
    return page.evaluate(f"import('/viewer/{module}.js').then((m) => {{ {body} }})")


@pytest.fixture
def bare(show: Show) -> Page:
    """A page without a viewer."""
    return show("", loaded=False)


@pytest.mark.parametrize(
    ("position", "seconds", "words"),
    [
        (1, 3, "You are next in line. It should take about 5 seconds."),
        (2, 41, "You are 2nd in line. It should take about 45 seconds."),
        (3, 59, "You are 3rd in line. It should take about 60 seconds."),
        (11, 61, "You are 11th in line. It should take about 2 minutes."),
        (22, "NaN", "You are 22nd in line."),
    ],
)
def test_a_place_in_words(bare: Page, position: int, seconds: float | str, words: str) -> None:
    told = f"return m.describeQueue({{ position: {position}, seconds: {seconds} }})"
    assert run(bare, "describe", told) == words


def test_when_to_ask_again(bare: Page) -> None:
    asked = (
        "return [m.turn(2000, 60, 1), m.turn(2000, 60, 0), m.turn(2000, 1, 1), m.turn(0, NaN, 1), m.turn(1e6, 1e6, 1)]"
    )
    assert run(bare, "connection", asked) == [2000, 1800, 1000, 2000, 15_000]


def test_coarse_cameras_are_few(bare: Page) -> None:
    pose = "{ theta: 34, phi: 71.2, radius: 1.003, target: [0, 0.50049, 0], fov: 30 }"
    known = run(bare, "stills", f"return m.coarse({pose}, true)")
    assert known == {"theta": 30, "phi": 70, "radius": 1, "target": [0, 0.5, 0], "fov": 30}
    around = run(bare, "stills", f"return [-4, 0, 15].map((n) => m.coarse({pose}, false, n).theta)")
    assert around == [-10, 30, -180]


@pytest.mark.parametrize(
    ("header", "links"),
    [
        (None, []),
        ("", []),
        ('</whep/a/b/events>; rel="x"', [["http://h/whep/a/b/events", ["x"], {"rel": "x"}]]),
        (
            '<turn:t.example:3478?transport=udp>; rel="ice-server"; username="a,\\"b"; credential=c, <x>; REL=watch',
            [
                ["turn:t.example:3478?transport=udp", ["ice-server"], {"username": 'a,"b', "credential": "c"}],
                ["http://h/whep/x", ["watch"], {"rel": "watch"}],
            ],
        ),
        ("nonsense; rel=x, <http://[>; rel=y", []),
    ],
)
def test_link_headers_are_read(bare: Page, header: str | None, links: list[list[Any]]) -> None:
    read = bare.evaluate(
        """(header) => import("/viewer/links.js").then((m) => m.parseLinks(header, "http://h/whep/m")
          .map(({ url, relations, parameters }) => [url.href, relations, parameters]))""",
        header,
    )
    for (url, relations, parameters), expected in zip(read, links, strict=True):
        assert [url, relations] == expected[:2]
        assert parameters.items() >= expected[2].items()


def test_events_are_read_in_whatever_pieces_they_come(bare: Page) -> None:
    text = ": hello\\r\\n\\r\\nevent: gone\\ndata: {\\ndata: }\\n\\n\\n\\ndata:x\\n\\nevent: half"
    told = run(
        bare,
        "events",
        f"""const text = "{text}";
        return [1, 2, 5, 1000].map((size) => {{
          let pending = "";
          const events = [];
          for (let i = 0; i < text.length; i += size) {{
            const read = m.cut(pending, text.slice(i, i + size));
            pending = read.pending;
            events.push(...read.events);
          }}
          return [events, pending];
        }});""",
    )
    gone = {"event": "gone", "data": "{\n}"}
    assert told == [[[gone, {"event": "message", "data": "x"}], "event: half"]] * 4

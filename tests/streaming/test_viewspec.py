"""Queries in `<model-viewer>`'s spelling become views, or a 400 that says what is allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.errors import ViewError
from renderer.view import AnimationState, Orbit, View
from streaming.errors import SignallingError
from streaming.state import Facts
from streaming.stills import parse_still
from streaming.viewspec import VIEW_KEYS, check_names, parse_view, view_from_json, view_to_json


def read(**query: str) -> View:
    return parse_view({k.replace("_", "-"): v for k, v in query.items()}, base=View(), max_pixels=2048 * 2048)


def test_units_are_understood() -> None:
    assert read(orbit="30deg 75deg 1.2m").orbit == Orbit(30.0, 75.0, 1.2)
    assert read(orbit="auto auto auto").orbit == Orbit()
    assert read(target="0m 30cm 1500mm").target == (0.0, 0.3, 1.5)
    assert read(target="auto").target is None


def test_radians_are_degrees() -> None:
    orbit = read(orbit="0.5rad 1rad 120cm").orbit
    assert (orbit.theta, orbit.phi, orbit.radius) == pytest.approx((28.6478897, 57.2957795, 1.2))


def test_everything_at_once() -> None:
    view = read(
        size="640x360",
        fov="45deg",
        variant="oak",
        environment="studio",
        channel="normal",
        exposure="1.5",
        background="#ff8000",
        tone_mapping="aces",
        ground="on",
        animation="1",
        time="2.5",
    )
    assert (view.width, view.height, view.fov, view.variant, view.environment) == (640, 360, 45.0, "oak", "studio")
    assert view.channel == "normal"
    assert view.ground
    assert view.background == pytest.approx((1.0, 128 / 255, 0.0))
    assert (view.exposure, view.tone_mapping, view.animation) == (1.5, "aces", AnimationState(1, 2.5))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ground", "maybe"),
        ("orbit", "x"),
        ("orbit", "1 2"),
        ("orbit", "0 200deg 1m"),
        ("orbit", "0 90deg -1m"),
        ("orbit", "0 90deg 1deg"),
        ("orbit", "1e999 90 1"),
        ("orbit", "nan 90 1"),
        ("target", "1 2"),
        ("target", "auto 0 0"),
        ("fov", "0"),
        ("fov", "171deg"),
        ("size", "0x100"),
        ("size", "big"),
        ("size", "100"),
        ("exposure", "nan"),
        ("exposure", "-1"),
        ("background", "red"),
        ("tone-mapping", "filmic"),
        ("animation", "-1"),
        ("time", "inf"),
        ("variant", "v" * 300),
    ],
)
def test_bad_values_are_400_and_named(key: str, text: str) -> None:
    with pytest.raises(SignallingError, match=key) as caught:
        parse_view({key: text}, base=View(), max_pixels=2048 * 2048)
    assert caught.value.status == 400


@given(st.sampled_from(sorted(VIEW_KEYS)), st.text(max_size=40))
def test_any_text_is_a_view_or_a_400(key: str, text: str) -> None:
    status, view = 200, View()
    try:
        view = parse_view({key: text}, base=View(), max_pixels=2048 * 2048)
    except SignallingError as error:
        status = error.status
    assert status in (200, 400)
    assert view.width * view.height <= 2048 * 2048


def test_a_still_larger_than_allowed_is_shrunk_in_proportion() -> None:
    view = parse_view({"size": "20000x10000"}, base=View(), max_pixels=2048 * 2048)
    assert view.width * view.height <= 2048 * 2048
    assert view.width / view.height == pytest.approx(2.0, rel=0.01)


def test_unknown_keys_and_samples_of_a_still() -> None:
    with pytest.raises(SignallingError, match="colour"):
        parse_still({"colour": "red"}, max_pixels=10**6, samples=16)
    for bad in ("0", "65", "x", "-1", "1e3", "²"):
        with pytest.raises(SignallingError, match="samples"):
            parse_still({"samples": bad}, max_pixels=10**6, samples=16)
    assert parse_still({}, max_pixels=10**7, samples=16)[1] == 16
    assert parse_still({}, max_pixels=10**7, samples=16, ground=True)[0].ground
    assert not parse_still({"ground": "off"}, max_pixels=10**7, samples=16, ground=True)[0].ground


def test_views_cross_processes_unchanged() -> None:
    view = read(orbit="1 2 3", target="4 5 6", background="#102030", animation="2", time="1")
    assert view_from_json(view_to_json(view)) == view
    assert view_from_json(view_to_json(View(background="transparent"))) == View(background="transparent")


@pytest.mark.parametrize(
    "view", [View(variant="x"), View(environment="x"), View(channel="x"), View(animation=AnimationState(1))]
)
def test_names_that_the_model_lacks_are_view_errors(view: View) -> None:
    facts = Facts(bounds=((0, 0, 0), (1, 1, 1)), animations=("spin",))
    with pytest.raises(ViewError):
        check_names(view, facts)
    assert check_names(View(animation=AnimationState(0)), facts)

"""How people write views."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from renderer import spelling
from renderer.errors import ViewError
from renderer.view import Orbit


def test_orbits() -> None:
    assert spelling.orbit("30deg 75deg 1.2m") == Orbit(30.0, 75.0, 1.2)
    assert spelling.orbit("auto auto 120cm") == Orbit(spelling.DEFAULT_ORBIT.theta, spelling.DEFAULT_ORBIT.phi, 1.2)
    assert spelling.orbit("-0.5rad 90 auto") == Orbit(pytest.approx(-28.6479, abs=1e-3), 90.0, None)  # type: ignore[arg-type]
    assert spelling.orbit("auto") == spelling.DEFAULT_ORBIT


def test_points_sizes_and_colours() -> None:
    assert spelling.point("0m 0.3m -10mm") == pytest.approx((0.0, 0.3, -0.01))
    assert spelling.point("auto") is None
    assert spelling.size("640x480") == (640, 480)
    assert spelling.color("#ff8000") == pytest.approx((1.0, 128 / 255, 0.0))
    assert spelling.color("#fff") == (1.0, 1.0, 1.0)
    assert spelling.field_of_view("0.5rad") == pytest.approx(28.6479, abs=1e-3)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (spelling.orbit, "30deg 75deg"),
        (spelling.orbit, "30deg 200deg 1m"),
        (spelling.orbit, "30deg 75deg -1m"),
        (spelling.orbit, "nan 75deg 1m"),
        (spelling.orbit, "1e999deg 75deg 1m"),
        (spelling.orbit, "30deg 75deg 1parsec"),
        (spelling.point, "1m 2m"),
        (spelling.size, "0x10"),
        (spelling.size, "99999x2"),
        (spelling.size, "640"),
        (spelling.color, "red"),
        (spelling.field_of_view, "180deg"),
        (spelling.field_of_view, "0"),
    ],
)
def test_nonsense_is_refused_with_what_is_allowed(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ViewError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert any(part in str(caught.value) for part in text.split())

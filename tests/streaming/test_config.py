"""Options, environment and bounds."""

from __future__ import annotations

import pytest

from streaming.config import Config, load
from streaming.errors import ConfigError


def test_overrides_win_over_the_environment_over_defaults() -> None:
    config = load({"port": 1234, "host": None}, {"VITRINE_PORT": "99", "VITRINE_HOST": "::1", "VITRINE_WARM": "a,b"})
    assert (config.port, config.host, config.warm, config.bitrate) == (1234, "::1", ("a", "b"), Config().bitrate)


def test_require_gpu() -> None:
    assert load({}, {"REQUIRE_GPU": "1"}).require_gpu
    assert not load({}, {"REQUIRE_GPU": "0"}).require_gpu
    assert load({}, {"VITRINE_REQUIRE_GPU": "1"}).require_gpu


@pytest.mark.parametrize(
    "environ",
    [
        {"VITRINE_PORT": "web"},
        {"VITRINE_PORT": "70000"},
        {"VITRINE_REQUIRE_GPU": "maybe"},
        {"VITRINE_MAX_SESSIONS": "0"},
        {"VITRINE_BITRATE": "1"},
        {"VITRINE_FRAME_RATE": "nan"},
    ],
)
def test_wrong_values_are_named(environ: dict[str, str]) -> None:
    name = next(iter(environ)).removeprefix("VITRINE_").lower()
    with pytest.raises(ConfigError, match=f"(?i){name}"):
        load({}, environ)


def test_children_get_the_same_value() -> None:
    config = load({"warm": ("chair",), "network": 3}, {})
    assert Config.from_json(config.to_json()) == config
    assert config.networks == 3

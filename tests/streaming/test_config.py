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
        {"VITRINE_HOST": "0.0.0.0"},
        {"VITRINE_HOST": ""},
        {"VITRINE_HOST": "shop.example"},
        {"VITRINE_ALLOW_ORIGIN": "shop.example"},
        {"VITRINE_ALLOW_ORIGIN": "https://shop.example/"},
        {"VITRINE_ALLOW_ORIGIN": "https://*.shop.example"},
        {"VITRINE_ALLOW_ORIGIN": "*,https://shop.example"},
        {"VITRINE_TRUSTED_PROXIES": "10.0.0.1/8"},
    ],
)
def test_wrong_values_are_named(environ: dict[str, str]) -> None:
    name = next(iter(environ)).removeprefix("VITRINE_").lower()
    with pytest.raises(ConfigError, match=f"(?i){name}"):
        load({}, environ)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_needs_no_permission_to_be_served(host: str) -> None:
    assert load({"host": host}, {}).is_local


@pytest.mark.parametrize("permission", [{"VITRINE_AUTH": "keys.json"}, {"VITRINE_OPEN": "1"}])
def test_everybody_is_served_with_tokens_or_on_purpose(permission: dict[str, str]) -> None:
    assert not load({"host": "0.0.0.0"}, permission).is_local


def test_no_other_page_may_ask_when_the_list_is_empty() -> None:
    assert load({}, {"VITRINE_ALLOW_ORIGIN": ""}).allow_origin == ()


def test_children_get_the_same_value() -> None:
    config = load({"warm": ("chair",), "network": 3}, {})
    assert Config.from_json(config.to_json()) == config
    assert config.networks == 3

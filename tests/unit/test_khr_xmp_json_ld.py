"""KHR_xmp_json_ld: the packet of the asset becomes texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from renderer.errors import FormatError
from renderer.inspect import inspect, lines
from tests.unit.glb import Glb, read, triangle

NAME = "KHR_xmp_json_ld"


def with_packets(*packets: dict[str, Any], used: Any = 0) -> Glb:
    glb = triangle()
    glb.json["extensionsUsed"] = [NAME]
    glb.json["extensions"] = {NAME: {"packets": list(packets)}}
    glb.json["asset"]["extensions"] = {NAME: {"packet": used}}
    return glb


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Bay Area", "Bay Area"),
        (3, "3"),
        (True, "True"),
        (None, ""),
        ({"@list": ["Ann", "ann@example.com"]}, "Ann, ann@example.com"),
        ({"@set": ["en", {"@value": "de"}]}, "en, de"),
        ({"@type": "rdf:Alt", "rdf:_1": {"@language": "en", "@value": "Cup"}, "rdf:_2": {"@value": "Tasse"}}, "Cup"),
        ({"@type": "rdf:Bag", "rdf:_1": "red", "rdf:_2": "blue"}, "red, blue"),
        ({"@type": "rdf:Alt"}, ""),
        (["a", ["b", {}]], "a, b"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("x" * 1000, "x" * 200),
        (list(range(1000)), ", ".join(map(str, range(20)))),
    ],
)
def test_values_become_one_line(value: object, text: str) -> None:
    assert read(with_packets({"@context": {"dc": "http://x/"}, "dc:title": value}).data()).asset["dc:title"] == text


def test_only_the_packet_that_the_asset_names_is_taken() -> None:
    packets = {"dc:title": "not this one"}, {"dc:title": "this one", "@id": "", "version": "9"}
    asset = read(with_packets(*packets, used=1).data()).asset
    assert dict(asset) == {"version": "2.0", "dc:title": "this one"}


def test_packets_that_nothing_names_are_left_alone() -> None:
    glb = with_packets({"dc:title": "of a mesh"})
    del glb.json["asset"]["extensions"]
    assert dict(read(glb.data()).asset) == {"version": "2.0"}


def test_endless_packets_are_cut() -> None:
    asset = read(with_packets({f"dc:{i}": i for i in range(1000)}).data()).asset
    assert len(asset) == 51


@pytest.mark.parametrize("used", [1, -1, "0", None, 1.5])
def test_a_packet_that_is_not_there(used: object) -> None:
    with pytest.raises(FormatError, match=r"asset.extensions.KHR_xmp_json_ld.packet is"):
        read(with_packets({}, used=used).data())


def test_inspect_shows_it(tmp_path: Path) -> None:
    report = inspect(with_packets({"dc:rights": "CC0"}).save(tmp_path))
    assert "      asset  dc:rights: CC0" in lines(report)

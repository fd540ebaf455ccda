"""What must be known of a COLLADA file before it is parsed: its unit, its up axis, and how much it multiplies to."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from typing import Literal, cast
from xml.etree import ElementTree

from renderer.errors import FormatError, LimitError
from renderer.foreign.multiply import multiplied
from renderer.limits import Limits

_UP = {"X_UP": "X", "Y_UP": "Y", "Z_UP": "Z"}


def check(data: bytes, limits: Limits) -> tuple[float, Literal["X", "Y", "Z"]]:
    """(metres per unit, up axis). Raises FormatError for what is no XML or declares entities, LimitError for bombs.

    The bound is on the text of geometry that all instances together stand for.
    """
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise FormatError("declares a document type, which a model has no use for")
    metres, up = 1.0, "Y"
    sizes: dict[str, int] = {}
    children: dict[str, list[str]] = defaultdict(list)
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(data)):
            tag = element.tag.rpartition("}")[2]
            if tag == "unit":
                metres = float(element.get("meter", "1"))
            elif tag == "up_axis":
                up = _UP.get((element.text or "").strip(), "Y")
            elif tag == "geometry":
                sizes[element.get("id", "")] = sum(len(e.text or "") for e in element.iter())
                element.clear()
            elif tag == "node":
                children[_name(element)] += _used(element)
            elif tag == "visual_scene":
                children[""] += _used(element)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise FormatError(f"not a readable COLLADA file: {' '.join(str(error).split())[:100]}") from error
    if multiplied(children, "", lambda name: sizes.get(name, 1)) > 4 * limits.text_bytes:
        raise LimitError("its instances multiply to more geometry than is allowed")
    if multiplied(children, "", lambda _: 1) > limits.nodes:
        raise LimitError(f"its instances multiply to more parts than the {limits.nodes:,} that are allowed")
    return (metres if 0.0 < metres < math.inf else 1.0), cast(Literal["X", "Y", "Z"], up)


def _name(element: ElementTree.Element) -> str:
    return element.get("id") or f"\0{id(element)}"


def _used(element: ElementTree.Element) -> list[str]:
    """What a node holds: its own child nodes, and those and the geometry that it has instances of."""
    used = []
    for child in element:
        tag = child.tag.rpartition("}")[2]
        if tag == "node":
            used.append(_name(child))
        elif tag in ("instance_node", "instance_geometry", "instance_controller"):
            used.append(child.get("url", "").removeprefix("#"))
    return used

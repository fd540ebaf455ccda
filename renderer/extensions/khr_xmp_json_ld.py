"""KHR_xmp_json_ld: who made the model, under which terms …: the packet of the whole asset, as texts for `inspect`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from renderer.extensions.declaration import FileExtension
from renderer.gltf.item import clean
from renderer.scene import Scene

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading

NAME = "KHR_xmp_json_ld"
_MOST_PROPERTIES = 50
_MOST_VALUES = 20


def _read_packet(_reading: Reading, item: Item, scene: Scene) -> Scene:
    """Its properties join `Scene.asset` under their own names, such as "dc:title"."""
    use = item.root.child("asset").extension(NAME)
    if use is None:
        return scene
    packet = item.item("packets", use.index_below("packet", item.count("packets"), "packets"))
    properties = ((key, value) for key, value in packet.values.items() if ":" in key)  # "@id" and the like have none
    texts = {clean(key): clean(_text(value)) for key, value in islice(properties, _MOST_PROPERTIES)}
    return replace(scene, asset={**scene.asset, **texts})


def _text(value: object) -> str:
    """A JSON-LD value in words: lists and sets by commas, of alternatives (other languages) the first."""
    if isinstance(value, dict):
        if "@value" in value:
            return _text(value["@value"])
        members = [v for key, v in islice(value.items(), _MOST_VALUES) if not key.startswith("@")]
        members += [v for key in ("@list", "@set") if isinstance(v := value.get(key), list)]
        return _text(members[0]) if value.get("@type") == "rdf:Alt" and members else _join(members)
    if isinstance(value, list):
        return _join(value)
    return "" if value is None else str(value)


def _join(values: Iterable[object]) -> str:
    return ", ".join(text for value in islice(values, _MOST_VALUES) if (text := _text(value)))


EXTENSION = FileExtension(NAME, scene=_read_packet)

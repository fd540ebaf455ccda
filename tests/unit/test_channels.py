"""Debug channels as the registry declares them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from renderer.channels import channel_glsl, channels, find, owners
from renderer.errors import ViewError
from renderer.extensions import MATERIAL_EXTENSIONS, MaterialExtension
from renderer.material import declarations, factors, key, slots
from renderer.scene import Material

PLAIN = key(Material())


def test_every_input_of_the_core_and_of_every_extension_is_there() -> None:
    wanted = {"baseColor", "alpha", "metallic", "roughness", "normal", "geometricNormal", "tangent", "occlusion"}
    wanted |= {"emissive", "texcoord0", "texcoord1", "color", "depth", "clearcoatNormal", "sheenColor", "ior"}
    assert wanted <= channels().keys()
    assert [e.name for e in MATERIAL_EXTENSIONS.values() if e.factors and not e.channels] == []


def test_two_declarations_never_give_one_name() -> None:
    names = [name for declaration in declarations() for name in declaration.channels]
    assert len(names) == len(set(names)) == len(channels())


@pytest.mark.parametrize("declaration", declarations(), ids=lambda d: d.name or "core")
def test_expressions_name_only_what_is_declared(declaration: MaterialExtension) -> None:
    known = {f"u_{name}" for name in factors()} | {"u_boxLow", "u_boxSize"}
    for channel in declaration.channels.values():
        assert set(re.findall(r"\bu_\w+", channel.glsl)) <= known
        assert set(re.findall(r"sample_(\w+)\(\)", channel.glsl)) <= slots().keys()
        assert channel.white > 0


def test_an_unknown_channel_is_refused_with_the_list() -> None:
    with pytest.raises(ViewError, match=r"no channel 'rougness'; allowed: baseColor, .*roughness.*clearcoatNormal"):
        find("rougness")


def test_a_missing_texture_is_white_and_a_missing_extension_black() -> None:
    glass = key(Material(factors={"transmissionFactor": (1.0,)}, features=frozenset({"TRANSMISSION"})))
    assert "vec4 sample_transmissionTexture() { return vec4(1.0); }" in channel_glsl("transmission", glass)
    assert channel_glsl("transmission", PLAIN) == "vec3 channel(Surface s) { return vec3(0.0); }\n"
    assert "vec3(float(1.0) / 1)" in channel_glsl("specular", PLAIN)


def test_the_documented_table_is_the_registry() -> None:
    text = (Path(__file__).parents[2] / "docs/channels.md").read_text("utf-8").split("## All of them")[1]
    rows = re.findall(r"^\| `(\w+)` \| ([\w. ]+) \| (\w+) \| (.+) \|$", text, re.MULTILINE)
    assert [row[:3] for row in rows] == [(n, owners()[n] or "glTF 2.0", c.kind) for n, c in channels().items()]
    scalars = {name: float(white) for name, _, kind, white in rows if kind == "scalar"}
    assert scalars == {n: c.white for n, c in channels().items() if c.kind == "scalar"}

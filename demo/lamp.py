"""A cordless table lamp: brushed brass, a fluted glass globe (KHR_materials_transmission), a lit bulb."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from demo import lines, shapes, textures
from demo.glb import Document, Part
from demo.lines import Array
from demo.shapes import Mesh

_SEGMENTS = 96
_CENTRE = 0.345  # height of the globe's and the bulb's centre, m
_FINISHES = {"Brass": ("#dcb67c", 0.30), "Nickel": ("#d8d4cc", 0.22), "Blackened steel": ("#57524d", 0.42)}


def build(title: str) -> bytes:
    """The product as a GLB."""
    document = Document(title, list(_FINISHES))
    metals = _metals(document)
    walnut = _walnut(document)
    parts = [
        Part(shapes.join(_metal()), metals["Brass"], metals),
        Part(_foot(), walnut),
        Part(_bulb(), _glow(document)),
    ]
    document.add("Body", parts)
    document.add("Globe", [Part(_globe(), _glass(document))])
    light = {"type": "point", "color": [1.0, 0.72, 0.42], "intensity": 0.16}
    document.light("Bulb", light, (0.0, _CENTRE, 0.0))
    return document.to_bytes()


# ---- materials ----
def _metals(document: Document) -> dict[str, int]:
    """One brushed metal per finish; they share the map of brushing lines."""
    brushing = textures.brushed(512, 3)
    smudges = textures.noise(512, 5, 4, octaves=4)
    packed = document.texture(
        textures.jpeg(textures.surface(0.62 + 0.38 * brushing * (0.7 + 0.6 * smudges), metallic=1.0), 88)
    )
    relief = document.texture(textures.jpeg(textures.normals(brushing, 0.35), 90))
    metals = {}
    for name, (color, roughness) in _FINISHES.items():
        base: dict[str, Any] = {
            "baseColorFactor": [*textures.linear(color), 1.0],
            "metallicRoughnessTexture": {"index": packed},
            "roughnessFactor": roughness,
        }
        metals[name] = document.material(name, {"pbrMetallicRoughness": base, "normalTexture": {"index": relief}})
    return metals


def _walnut(document: Document) -> int:
    color, height = textures.woodgrain(1024, ["#3a2418", "#5b3a26", "#7a5236"], 12)
    base = {
        "baseColorTexture": {"index": document.texture(textures.jpeg(color, 85))},
        "roughnessFactor": 0.48,
        "metallicFactor": 0.0,
    }
    relief = document.texture(textures.jpeg(textures.normals(height[::2, ::2], 0.7), 85))
    return document.material("Oiled walnut", {"pbrMetallicRoughness": base, "normalTexture": {"index": relief}})


def _glow(document: Document) -> int:
    base = {"baseColorFactor": [0.9, 0.86, 0.8, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.4}
    properties = {"pbrMetallicRoughness": base, "emissiveFactor": [1.0, 0.66, 0.34]}
    return document.material(
        "Lit opal bulb", properties, {"KHR_materials_emissive_strength": {"emissiveStrength": 2.4}}
    )


def _glass(document: Document) -> int:
    base = {"baseColorFactor": [0.86, 0.73, 0.54, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.03}
    return document.material(
        "Fluted glass", {"pbrMetallicRoughness": base}, {"KHR_materials_transmission": {"transmissionFactor": 1.0}}
    )


# ---- form ----
# Turned profiles: (radius, height, fillet) in metres, from below upwards.
_PLATE = (
    (0.0665, 0.0285, 0.0), (0.0700, 0.0285, 0.001), (0.0700, 0.0345, 0.002), (0.0140, 0.0385, 0.012),
    (0.0105, 0.0480, 0.006), (0.0062, 0.0560, 0.006), (0.0062, 0.2080, 0.004), (0.0105, 0.2120, 0.001),
    (0.0105, 0.2180, 0.001), (0.0175, 0.2240, 0.004), (0.0200, 0.2360, 0.0),
)  # fmt: skip
_GALLERY = (
    (0.0200, 0.2360, 0.002), (0.0420, 0.2390, 0.001), (0.0440, 0.2410, 0.001), (0.0440, 0.2560, 0.001),
    (0.0425, 0.2575, 0.0004), (0.0405, 0.2575, 0.0004), (0.0405, 0.2450, 0.001), (0.0180, 0.2450, 0.002),
    (0.0175, 0.2950, 0.002), (0.0140, 0.2990, 0.002), (0.0, 0.2990, 0.0),
)  # fmt: skip
_FOOT_RING = ((0.0, 0.0, 0.0), (0.060, 0.0, 0.0008), (0.062, 0.0015, 0.0008), (0.062, 0.0030, 0.0))


def _metal() -> list[Mesh]:
    """Everything turned from brass, from the plinth's cap to the bulb's socket, brushed around its axis."""
    profiles = [np.array(profile) for profile in (_PLATE, _GALLERY, _FOOT_RING)]
    turned = [shapes.revolve(lines.fillet(line[:, :2], line[:, 2]), _SEGMENTS) for line in profiles]
    return [*(mesh.with_uv(1.0, 8.0) for mesh in turned), _knurl()]


def _knurl() -> Mesh:
    """The dimmer: a ring with 64 rounded teeth half-way up the stem."""
    return shapes.knob(0.0122, 0.016, 0.0008, 64, 0.0005).turned("x", -90).moved(y=0.120).with_uv(1.0, 8.0)


def _foot() -> Mesh:
    """The walnut plinth, grain running across: planar coordinates from above on top, around on the side."""
    profile = lines.fillet(
        [[0.060, 0.0022], [0.0740, 0.0022], [0.0740, 0.0300], [0.060, 0.0300]], [0, 0.003, 0.004, 0], steps=6
    )
    mesh = shapes.revolve(profile, _SEGMENTS)
    side = np.stack([mesh.uv[:, 0] * 2.0, mesh.uv[:, 1] * 6.0], 1)
    return shapes.Mesh(mesh.position, mesh.normal, side, mesh.index)


def _bulb() -> Mesh:
    profile = lines.spline(
        [
            [0.0125, 0.2985],
            [0.0135, 0.306],
            [0.0215, 0.322],
            [0.0285, _CENTRE],
            [0.0215, 0.3665],
            [0.010, 0.3735],
            [0.0, 0.3750],
        ],
        48,
    )
    profile[-1, 0] = 0.0
    return shapes.revolve(profile, 64).with_uv(1.0, 1 / lines.lengths(profile)[-1])


def _globe() -> Mesh:
    """A sphere 170 mm wide, open below, with 48 flutes that fade towards both poles; thin glass is paler (COLOR_0)."""
    polar = np.radians(np.linspace(153, 0, 44))
    azimuth = np.linspace(0, 2 * np.pi, 48 * 6 + 1)
    azimuth[-1] = 0.0
    ridge = np.sin(polar)[:, None] ** 2 * np.abs(np.sin(24 * azimuth))[None]
    points = _sphere(0.085 + 0.0019 * ridge, polar, azimuth)
    u, v = np.meshgrid(np.linspace(0, 1, len(azimuth)), np.linspace(1, 0, len(polar)))
    globe = shapes.surface(points.transpose(1, 0, 2), np.stack([u, v], -1).transpose(1, 0, 2))
    thick = np.clip((np.linalg.norm(globe.position, axis=1) - 0.085) / 0.0019, 0, 1)
    color = 1 - (1 - thick[:, None]) * np.array([0.22, 0.30, 0.42])
    return replace(globe.moved(y=_CENTRE - 0.0065), color=color)


def _sphere(radius: Array, polar: Array, azimuth: Array) -> Array:
    sine, cosine = np.sin(polar)[:, None], np.cos(polar)[:, None]
    return np.stack([radius * sine * np.sin(azimuth), radius * cosine, radius * sine * np.cos(azimuth)], -1)

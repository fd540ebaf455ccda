"""Wavefront .mtl → materials: Phong's terms and the PBR extension in glTF's words. Opens no files itself.

Phong's exponent n becomes the roughness whose GGX lobe is as wide: α² = 2 / (n + 2) (Walter et al. 2007) and
roughness = √α. Colours are sRGB, as most writers mean them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from renderer.foreign.shape import DEFAULT, Draft, linear
from renderer.foreign.side_files import SideFiles
from renderer.gltf.item import clean
from renderer.scene import AlphaMode, Material, Sampler, TextureInfo

_CLAMP = 33071  # CLAMP_TO_EDGE
#: Numbers that each option of a map takes; others take one word.
_OPTIONS = {"-o": 3, "-s": 3, "-t": 3, "-mm": 2}
#: Spellings of one thing.
_ALIASES = {"bump": "map_bump", "map_refl": "refl", "map_kn": "norm", "map_normal": "norm", "map_opacity": "map_d"}
#: A height map's full range, in texels, when the file gives no -bm: deep enough to see, shallow enough to believe.
_BUMP_TEXELS = 8.0
#: Share of pixels that must be clear or solid for a picture of opacity to count as cut out.
_CUT_OUT = 0.95


@dataclass(frozen=True, slots=True)
class Map:
    """A picture and its options: offset and scale in (u, v), whether it repeats, and the bump multiplier."""

    name: str
    offset: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    clamp: bool = False
    bump: float = 1.0

    def info(self, texture: int) -> TextureInfo:
        """The use of its texture in glTF's words, whose v grows down the picture; the file's grows up."""
        (u, v), (du, dv) = self.scale, self.offset
        return TextureInfo(texture, offset=(du, 1.0 - v - dv), scale=(u, v))

    @property
    def sampler(self) -> Sampler:
        """How the picture goes on beyond its edges."""
        return Sampler(wrapS=_CLAMP, wrapT=_CLAMP) if self.clamp else Sampler()


@dataclass(frozen=True, slots=True)
class Entry:
    """One `newmtl`, keys in lower case."""

    name: str
    numbers: dict[str, tuple[float, ...]] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)

    def scalar(self, key: str, default: float = 0.0) -> float:
        """The first number of a line, within [0, 1]."""
        return min(max(self.numbers.get(key, (default,))[0], 0.0), 1.0)

    def color(self, key: str, default: float) -> tuple[float, float, float]:
        """A colour, linear; grey where the file gives one number."""
        given = self.numbers.get(key, (default,))
        r, g, b = linear(np.array([(given * 3)[:3]]))[0, :3].tolist()
        return (r, g, b)


def parse(text: str) -> dict[str, Entry]:
    """The materials of a file by name; lines that say nothing known are left out."""
    entries: dict[str, Entry] = {}
    entry: Entry | None = None
    for line in text.splitlines():
        key, _, rest = line.strip().partition(" ")
        key, rest = key.lower(), rest.strip()
        if key == "newmtl":
            entry = entries.setdefault(" ".join(rest.split()), Entry(clean(rest)))
        elif entry is None or not rest or key.startswith("#"):
            continue
        elif key.startswith("map_") or key in ("bump", "norm"):
            entry.maps[_ALIASES.get(key, key)] = _read_map(rest.split())
        else:
            numbers = _numbers(rest.split())
            if numbers:
                entry.numbers[key] = numbers
    return entries


def _numbers(words: list[str]) -> tuple[float, ...]:
    """The finite numbers that a line begins with."""
    found = []
    for word in words[:4]:
        try:
            value = float(word)
        except ValueError:
            break
        if not math.isfinite(value):
            break
        found.append(value)
    return tuple(found)


def _read_map(words: list[str]) -> Map:
    """Options, then a file name that may hold spaces."""
    given: dict[str, list[str]] = {}
    while len(words) > 1 and words[0].startswith("-") and words[0][1:].isalpha():
        option, words = words[0].lower(), words[1:]
        most = _OPTIONS.get(option, 1)
        numeric = option in _OPTIONS
        taken = 0
        while taken < most and len(words) > taken + 1 and (not numeric or _numbers(words[taken : taken + 1])):
            taken += 1
        given[option], words = words[:taken], words[taken:]
    offset, scale = _numbers(given.get("-o", [])), _numbers(given.get("-s", []))
    (bump,) = _numbers(given.get("-bm", ["1"])) or (1.0,)
    return Map(
        " ".join(words),
        ((offset + (0.0, 0.0))[0], (offset + (0.0, 0.0))[1]),
        (scale[0] if scale else 1.0, scale[1] if len(scale) > 1 else 1.0),
        given.get("-clamp", ["off"])[0].lower() == "on",
        bump,
    )


def material(entry: Entry, files: SideFiles, draft: Draft) -> Material:
    """The entry as glTF would say it."""
    alpha = entry.scalar("d", 1.0 - entry.scalar("tr"))
    factors: dict[str, tuple[float, ...]] = {**DEFAULT.factors, "baseColorFactor": (*entry.color("kd", 0.8), alpha)}
    textures: dict[str, TextureInfo] = {}
    features: set[str] = set()
    mode = _base(entry, files, draft, textures)
    if textures and "kd" not in entry.numbers:
        factors["baseColorFactor"] = (1.0, 1.0, 1.0, alpha)
    _emission(entry, files, factors, textures)
    _reflection(entry, files, draft, factors, textures, features)
    _layers(entry, factors, features)
    _relief(entry, files, draft, textures)
    return Material(entry.name, "BLEND" if alpha < 1.0 else mode, True, factors, textures, frozenset(features))


def _plain(entry: Entry, key: str, files: SideFiles) -> TextureInfo | None:
    """A picture used as it is."""
    map_ = entry.maps.get(key)
    texture = None if map_ is None else files.texture(map_.name, map_.sampler)
    return None if map_ is None or texture is None else map_.info(texture)


def _base(entry: Entry, files: SideFiles, draft: Draft, textures: dict[str, TextureInfo]) -> AlphaMode:
    """The base colour's picture with the opacity's in its alpha; returns the alpha mode."""
    color, opacity = entry.maps.get("map_kd"), entry.maps.get("map_d")
    cover = None if opacity is None else files.picture(opacity.name)
    if opacity is None or cover is None:
        info = _plain(entry, "map_kd", files)
        if info is not None:
            textures["baseColorTexture"] = info
        return "OPAQUE"
    pixels = None if color is None else files.picture(color.name)
    share = cover[..., 3] if cover[..., 3].min() < 255 else cover[..., :3].mean(axis=2).astype(np.uint8)
    if pixels is None:
        pixels = np.full((*share.shape, 4), 255, np.uint8)
    joined = pixels.copy()
    joined[..., 3] = _resized(share, pixels.shape[:2])
    map_ = color or opacity
    draft.budget.take("image_bytes", joined.nbytes, clean(map_.name))
    textures["baseColorTexture"] = map_.info(draft.texture(map_.name, joined, map_.sampler))
    return "MASK" if np.mean((share < 26) | (share > 229)) > _CUT_OUT else "BLEND"


def _emission(
    entry: Entry, files: SideFiles, factors: dict[str, tuple[float, ...]], textures: dict[str, TextureInfo]
) -> None:
    info = _plain(entry, "map_ke", files)
    if info is not None:
        textures["emissiveTexture"] = info
    if info is not None or "ke" in entry.numbers:
        given = entry.color("ke", 1.0)
        factors["emissiveFactor"] = given if any(given) or info is None else (1.0, 1.0, 1.0)


def _reflection(
    entry: Entry,
    files: SideFiles,
    draft: Draft,
    factors: dict[str, tuple[float, ...]],
    textures: dict[str, TextureInfo],
    features: set[str],
) -> None:
    """Roughness and metalness where the file has them, else from the highlight's colour and exponent."""
    rough, metal = entry.maps.get("map_pr"), entry.maps.get("map_pm")
    if {"pr", "pm"} & entry.numbers.keys() or rough or metal:
        factors["roughnessFactor"] = (entry.scalar("pr", 1.0 if rough else 0.5),)
        factors["metallicFactor"] = (entry.scalar("pm", 1.0 if metal else 0.0),)
        packed = _packed(rough, metal, files)
        map_ = rough or metal
        if packed is not None and map_ is not None:
            draft.budget.take("image_bytes", packed.nbytes, clean(map_.name))
            info = map_.info(draft.texture(map_.name, packed, map_.sampler))
            textures["metallicRoughnessTexture"] = info
        return
    if "ns" in entry.numbers:
        exponent = min(max(entry.numbers["ns"][0], 0.0), 1e6)
        factors["roughnessFactor"] = ((2.0 / (exponent + 2.0)) ** 0.25,)
    if "ks" in entry.numbers or entry.numbers.get("illum", (2.0,))[0] < 2.0:
        highlight = entry.color("ks", 0.0) if entry.numbers.get("illum", (2.0,))[0] >= 2.0 else (0.0, 0.0, 0.0)
        strongest = max(highlight)
        features.add("SPECULAR")
        factors["specularFactor"] = (min(1.0, 5.0 * strongest),)  # writers' usual 0.5 (sRGB) is a plain dielectric's
        if strongest > 0.0:
            factors["specularColorFactor"] = tuple(c / strongest for c in highlight)


def _layers(entry: Entry, factors: dict[str, tuple[float, ...]], features: set[str]) -> None:
    """Index of refraction, clear coat, sheen and anisotropy."""
    ior = entry.numbers.get("ni", (1.0,))[0]
    if 1.0 < ior <= 4.0:
        features.add("IOR")
        factors["ior"] = (ior,)
    if entry.scalar("pc") > 0.0:
        features.add("CLEARCOAT")
        factors["clearcoatFactor"] = (entry.scalar("pc"),)
        factors["clearcoatRoughnessFactor"] = (entry.scalar("pcr"),)
    if entry.scalar("ps") > 0.0:
        features.add("SHEEN")
        factors["sheenColorFactor"] = (entry.scalar("ps"),) * 3
        factors["sheenRoughnessFactor"] = (0.5,)
    if entry.scalar("aniso") > 0.0:
        features.add("ANISOTROPY")
        factors["anisotropyStrength"] = (entry.scalar("aniso"),)
        factors["anisotropyRotation"] = (2.0 * math.pi * entry.scalar("anisor"),)


def _relief(entry: Entry, files: SideFiles, draft: Draft, textures: dict[str, TextureInfo]) -> None:
    """A normal map as it is; heights as the normal map they make."""
    map_ = entry.maps.get("norm") or entry.maps.get("map_bump")
    pixels = None if map_ is None else files.picture(map_.name)
    if map_ is None or pixels is None:
        return
    if _is_normal_map(pixels):
        texture = files.texture(map_.name, map_.sampler)
    else:
        draft.budget.take("image_bytes", pixels.nbytes, clean(map_.name))
        texture = draft.texture(map_.name, _normals_of_heights(pixels, map_.bump), map_.sampler)
    if texture is not None:
        textures["normalTexture"] = map_.info(texture)


def _is_normal_map(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture's colours point out of the surface on the whole: exporters put normal maps under map_Bump."""
    red, green, blue = pixels[..., :3].reshape(-1, 3).mean(axis=0)
    return bool(blue > 170 and abs(red - 128) < 40 and abs(green - 128) < 40)


def _normals_of_heights(pixels: NDArray[np.uint8], multiplier: float) -> NDArray[np.uint8]:
    """A tangent-space normal map, its green up, from heights in grey; the picture repeats."""
    height = pixels[..., :3].mean(axis=2) / 255.0 * _BUMP_TEXELS * min(max(multiplier, -10.0), 10.0)
    across = (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1)) / 2.0
    down = (np.roll(height, -1, axis=0) - np.roll(height, 1, axis=0)) / 2.0
    normal = np.stack([-across, down, np.ones_like(height)], axis=2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    made = np.full(pixels.shape, 255, np.uint8)
    made[..., :3] = np.rint(normal * 127.5 + 127.5)
    return made


def _packed(rough: Map | None, metal: Map | None, files: SideFiles) -> NDArray[np.uint8] | None:
    """glTF's picture of both: roughness in green, metalness in blue."""
    given = [(channel, files.picture(m.name)) for channel, m in ((1, rough), (2, metal)) if m is not None]
    pictures = [(channel, pixels) for channel, pixels in given if pixels is not None]
    if not pictures:
        return None
    shape = max((pixels.shape[:2] for _, pixels in pictures), key=math.prod)
    made = np.full((*shape, 4), 255, np.uint8)
    for channel, pixels in pictures:
        made[..., channel] = _resized(pixels[..., :3].mean(axis=2).astype(np.uint8), shape)
    return made


def _resized(grey: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A grey picture at another size [height, width]."""
    import PIL.Image

    if grey.shape == shape[:2]:
        return grey
    image = PIL.Image.fromarray(grey).resize((shape[1], shape[0]), PIL.Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)


def reduced(entries: Mapping[str, Entry]) -> bytes:
    """A .mtl that only names the materials, for trimesh to tell faces apart by."""
    return "".join(f"newmtl {name}\nKd 1 1 1\n" for name in entries).encode()

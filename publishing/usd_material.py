"""Materials of a Scene as UsdPreviewSurface networks, their pictures as PNG and JPEG. Notes what that surface lacks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from renderer.extensions import CORE, MATERIAL_EXTENSIONS
from renderer.scene import Floats, Material, Primitive, Scene, TextureInfo

if TYPE_CHECKING:
    from pxr import Usd, UsdShade

Four: TypeAlias = tuple[float, float, float, float]

MAX_SIDE = 2048  # pixels; larger pictures make Quick Look run out of memory
_JPEG_QUALITY = 90
_WRAP = {10497: "repeat", 33071: "clamp", 33648: "mirror"}
_SEEN_THROUGH = 0.85  # of a transmitting surface: what remains opaque is its tint and its edge
#: Features of our materials that UsdPreviewSurface has no input for.
_UNSAID = {
    "SHEEN": "sheen",
    "VOLUME": "thickness and attenuation",
    "IRIDESCENCE": "iridescence",
    "ANISOTROPY": "anisotropy",
    "DISPERSION": "dispersion",
    "DIFFUSE_TRANSMISSION": "diffuse transmission",
    "SPECULAR": "strength and colour of reflections",
}
_DEFAULTS = {name: f.default for part in (CORE, *MATERIAL_EXTENSIONS.values()) for name, f in part.factors.items()}


@dataclass(frozen=True, eq=False, slots=True)
class MeshUse:
    """What one primitive is drawn with. colors: float32 [N, 3], linear, for `displayColor`, or None."""

    material: UsdShade.Material
    double_sided: bool
    colors: Floats | None


class Materials:
    """The materials of one stage, each written when it is first used. `notes` tells what they cannot say."""

    def __init__(self, stage: Usd.Stage, scene: Scene, folder: Path) -> None:
        self._stage = stage
        self._scene = scene
        self._folder = folder
        self._made: dict[tuple[int, bool], UsdShade.Material] = {}
        self._files: dict[tuple[int, bool], str] = {}
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """One line each, in the order in which they were met."""
        return tuple(self._notes)

    def use(self, primitive: Primitive, colors: Floats | None) -> MeshUse:
        """The material of a primitive with these vertex colours ([N, 4], linear, or None)."""
        material = self._scene.materials[primitive.material]
        colored = colors is not None and bool(np.any(colors[:, :3] < 1.0))
        if colored and "baseColorTexture" in material.textures:
            self._note("vertex colours are left out where the material has a picture")
            colored = False
        key = (primitive.material, colored)
        if key not in self._made:
            self._made[key] = self._write(primitive.material, material, colored)
        tinted = None
        if colored and colors is not None:
            tint = np.array(_factor(material, "baseColorFactor")[:3], np.float32)
            tinted = np.ascontiguousarray(colors[:, :3] * tint, np.float32)
        return MeshUse(self._made[key], material.doubleSided, tinted)

    def _write(self, index: int, material: Material, colored: bool) -> UsdShade.Material:
        from pxr import UsdShade

        path = f"/Model/Materials/Material{index}{'Colored' if colored else ''}"
        made = UsdShade.Material.Define(self._stage, path)
        surface = UsdShade.Shader.Define(self._stage, f"{path}/Surface")
        surface.CreateIdAttr("UsdPreviewSurface")
        made.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
        network = _Network(self, path, surface, material)
        _write_color(network, material, colored)
        _write_surface(network, material)
        for feature in sorted(material.features & _UNSAID.keys()):
            self._note(f"{_UNSAID[feature]} is left out")
        return made

    def _note(self, line: str) -> None:
        self._notes[line] = None

    def picture(self, texture: int, *, alpha: bool) -> str:
        """The file of a texture's image, written when it is first asked for; its name."""
        image = self._scene.textures[texture].image
        if (image, alpha) not in self._files:
            pixels = self._scene.images[image].pixels
            self._files[image, alpha] = _write_picture(self._folder, f"picture{image}", pixels, alpha)
        return self._files[image, alpha]

    def sampler(self, texture: int) -> tuple[str, str]:
        """How a texture goes on beyond its edges, along u and v."""
        found = self._scene.textures[texture].sampler
        return _WRAP.get(found.wrapS, "repeat"), _WRAP.get(found.wrapT, "repeat")


class _Network:
    """The shaders around one UsdPreviewSurface."""

    def __init__(self, owner: Materials, path: str, surface: UsdShade.Shader, material: Material) -> None:
        self._owner = owner
        self._path = path
        self._surface = surface
        self._material = material

    def value(self, name: str, value: float | tuple[float, ...]) -> None:
        """A constant input."""
        from pxr import Gf, Sdf

        if isinstance(value, tuple):
            self._surface.CreateInput(name, Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(*value))
        else:
            self._surface.CreateInput(name, Sdf.ValueTypeNames.Float).Set(float(value))

    def texture(self, name: str, slot: str, output: str, scale: Four, bias: Four = (0.0, 0.0, 0.0, 0.0)) -> None:
        """An input read from the picture in `slot`: output "rgb", "r", "g", "b" or "a", of scale · texel + bias."""
        from pxr import Sdf

        kinds = {"rgb": Sdf.ValueTypeNames.Normal3f if name == "normal" else Sdf.ValueTypeNames.Color3f}
        target = self._surface.CreateInput(name, kinds.get(output, Sdf.ValueTypeNames.Float))
        reader = self._reader(f"{slot}_{name}", slot, alpha=output == "a", scale=scale, bias=bias)
        kind = Sdf.ValueTypeNames.Float3 if output == "rgb" else Sdf.ValueTypeNames.Float
        reader.CreateOutput(output, kind)
        target.ConnectToSource(reader.ConnectableAPI(), output)

    def vertex_color(self) -> None:
        """The diffuse colour from the mesh's displayColor."""
        from pxr import Sdf

        reader = self._shader("Color", "UsdPrimvarReader_float3")
        reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("displayColor")
        reader.CreateOutput("result", Sdf.ValueTypeNames.Float3)
        target = self._surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f)
        target.ConnectToSource(reader.ConnectableAPI(), "result")

    def note(self, line: str) -> None:
        """Something that this surface cannot say."""
        self._owner._note(line)

    def _reader(self, name: str, slot: str, *, alpha: bool, scale: Four, bias: Four) -> UsdShade.Shader:
        from pxr import Gf, Sdf

        info = self._material.textures[slot]
        srgb = slot in ("baseColorTexture", "emissiveTexture") and not alpha
        shader = self._shader(name, "UsdUVTexture")
        shader.CreateInput("file", Sdf.ValueTypeNames.Asset).Set("./" + self._owner.picture(info.texture, alpha=alpha))
        shader.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("sRGB" if srgb else "raw")
        for axis, wrap in zip("ST", self._owner.sampler(info.texture), strict=True):
            shader.CreateInput(f"wrap{axis}", Sdf.ValueTypeNames.Token).Set(wrap)
        shader.CreateInput("scale", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(*scale))
        shader.CreateInput("bias", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(*bias))
        source = self._coordinates(name, info)
        shader.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(source.ConnectableAPI(), "result")
        return shader

    def _coordinates(self, name: str, info: TextureInfo) -> UsdShade.Shader:
        from pxr import Gf, Sdf

        reader = self._shader(f"{name}_st", "UsdPrimvarReader_float2")
        reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set(
            "st" if info.texCoord == 0 else f"st{info.texCoord}"
        )
        reader.CreateOutput("result", Sdf.ValueTypeNames.Float2)
        if (info.offset, info.rotation, info.scale) == ((0.0, 0.0), 0.0, (1.0, 1.0)):
            return reader
        turned = self._shader(f"{name}_place", "UsdTransform2d")
        turned.CreateInput("in", Sdf.ValueTypeNames.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
        turned.CreateInput("rotation", Sdf.ValueTypeNames.Float).Set(math.degrees(info.rotation))
        turned.CreateInput("scale", Sdf.ValueTypeNames.Float2).Set(Gf.Vec2f(*info.scale))
        turned.CreateInput("translation", Sdf.ValueTypeNames.Float2).Set(Gf.Vec2f(*usd_translation(info)))
        turned.CreateOutput("result", Sdf.ValueTypeNames.Float2)
        return turned

    def _shader(self, name: str, kind: str) -> UsdShade.Shader:
        from pxr import UsdShade

        shader = UsdShade.Shader.Define(self._owner._stage, f"{self._path}/{name}")
        shader.CreateIdAttr(kind)
        return shader


def usd_translation(info: TextureInfo) -> tuple[float, float]:
    """The translation of a glTF texture transform where v points up.

    With F(u, v) = (u, 1 - v) and glTF's T(p) = M p + t, USD needs F ∘ T ∘ F: scale stays, the rotation turns the other
    way round, and what is left over is D (M e + t) + e for e = (0, 1), D = diag(1, -1).
    """
    a, b, x, c, d, y = info.transform
    del a, c
    return b + x, 1.0 - (d + y)


def _write_color(network: _Network, material: Material, colored: bool) -> None:
    """Base colour, opacity and emission."""
    base = _factor(material, "baseColorFactor")
    strength = _factor(material, "emissiveStrength")[0]
    emissive = tuple(value * strength for value in _factor(material, "emissiveFactor"))
    name = "emissiveColor" if "UNLIT" in material.features else "diffuseColor"
    if "UNLIT" in material.features:
        network.note("unlit materials glow in their colour")
        network.value("diffuseColor", (0.0, 0.0, 0.0))
        emissive = (0.0, 0.0, 0.0)
    if colored:
        network.vertex_color()
    elif "baseColorTexture" in material.textures:
        network.texture(name, "baseColorTexture", "rgb", _color_scale(base))
    else:
        network.value(name, tuple(base[:3]))
    if "emissiveTexture" in material.textures and any(emissive):
        network.texture("emissiveColor", "emissiveTexture", "rgb", _color_scale(emissive))
    elif any(emissive):
        network.value("emissiveColor", emissive)
    _write_opacity(network, material, base[3])


def _write_opacity(network: _Network, material: Material, alpha: float) -> None:
    transmission = _factor(material, "transmissionFactor")[0] if "TRANSMISSION" in material.features else 0.0
    if transmission > 0.0:
        network.note("transmission is shown as a see-through surface, without refraction")
        network.value(
            "opacity", (alpha if material.alphaMode == "BLEND" else 1.0) * (1.0 - _SEEN_THROUGH * transmission)
        )
        return
    if material.alphaMode == "OPAQUE":
        return
    if "baseColorTexture" in material.textures:
        network.texture("opacity", "baseColorTexture", "a", (1.0, 1.0, 1.0, alpha))
    else:
        network.value("opacity", alpha)
    if material.alphaMode == "MASK":
        network.value("opacityThreshold", _factor(material, "alphaCutoff")[0])


def _write_surface(network: _Network, material: Material) -> None:
    """Metal, roughness, normals, occlusion and the coat."""
    if "UNLIT" in material.features:
        network.value("roughness", 1.0)
        return
    for name, factor, slot, channel in (
        ("metallic", "metallicFactor", "metallicRoughnessTexture", "b"),
        ("roughness", "roughnessFactor", "metallicRoughnessTexture", "g"),
        ("clearcoat", "clearcoatFactor", "clearcoatTexture", "r"),
        ("clearcoatRoughness", "clearcoatRoughnessFactor", "clearcoatRoughnessTexture", "g"),
    ):
        if name.startswith("clearcoat") and "CLEARCOAT" not in material.features:
            continue
        value = _factor(material, factor)[0]
        if slot in material.textures:
            network.texture(name, slot, channel, (value, value, value, value))
        else:
            network.value(name, value)
    if "clearcoatNormalTexture" in material.textures:
        network.note("the coat's own normals are left out")
    if "IOR" in material.features:
        network.value("ior", max(1.0, _factor(material, "ior")[0]))
    if "normalTexture" in material.textures:
        if _factor(material, "normalTextureScale", (1.0,))[0] != 1.0:
            network.note("the strength of normal maps is left out")  # USD's own check wants it to be 1
        network.texture("normal", "normalTexture", "rgb", (2.0, 2.0, 2.0, 1.0), (-1.0, -1.0, -1.0, 0.0))
    if "occlusionTexture" in material.textures:
        share = _factor(material, "occlusionTextureStrength", (1.0,))[0]
        rest = 1.0 - share
        network.texture("occlusion", "occlusionTexture", "r", (share, share, share, 1.0), (rest, rest, rest, 0.0))


def _color_scale(color: tuple[float, ...]) -> Four:
    """Of a picture's colour alone."""
    red, green, blue = color[:3]
    return red, green, blue, 1.0


def _factor(material: Material, name: str, default: tuple[float, ...] | None = None) -> tuple[float, ...]:
    """A factor of the material, or its declared default."""
    factors: Mapping[str, tuple[float, ...]] = material.factors
    return factors.get(name, _DEFAULTS[name] if default is None else default)


def _write_picture(folder: Path, name: str, pixels: NDArray[np.uint8], alpha: bool) -> str:
    """PNG where alpha is read, else JPEG in full colour resolution, a tenth of the bytes. Returns the name."""
    image: Any = PillowImage.fromarray(pixels)
    if max(image.size) > MAX_SIDE:
        share = MAX_SIDE / max(image.size)
        image = image.resize([max(1, round(side * share)) for side in image.size], PillowImage.Resampling.BOX)
    if alpha:
        file = f"{name}-alpha.png"
        image.save(folder / file)
        return file
    image = image.convert("RGB")
    file = f"{name}.jpg"
    image.save(folder / file, quality=_JPEG_QUALITY, subsampling=0)
    return file

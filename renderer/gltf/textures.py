"""Textures and samplers, the pictures behind them, and textures that are made of others. Decodes no picture itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from renderer.errors import FormatError
from renderer.extensions import FILE_EXTENSIONS
from renderer.gltf.images import read_images
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading
from renderer.scene import Image, Material, Sampler, Texture

_MAG_FILTERS = (9728, 9729)
_MIN_FILTERS = (9728, 9729, 9984, 9985, 9986, 9987)
_WRAPS = (10497, 33071, 33648)


def read_pictures(reading: Reading, materials: Sequence[Material]) -> tuple[tuple[Texture, ...], tuple[Image, ...]]:
    """All textures, the derived ones after the file's own, and the images that materials use.

    Textures that no material uses share the first image.
    """
    textures = _read_textures(reading)
    used = {info.texture for material in materials for info in material.textures.values()}
    used = {index for index in used if index < len(textures)} | {derived.texture for derived in reading.derived}
    for index in sorted(used):
        if textures[index] is None:
            raise FormatError(f"textures[{index}] has no picture that this build can read")
    wanted = sorted({texture.image for i, texture in enumerate(textures) if texture is not None and i in used})
    images = read_images(reading, wanted)
    if not images:
        return (), ()
    position = {image: place for place, image in enumerate(wanted)}
    placed = [Texture(0) if t is None else replace(t, image=position.get(t.image, 0)) for t in textures]
    for derived in reading.derived:
        source = images[placed[derived.texture].image]
        reading.budget.take("image_bytes", source.pixels.nbytes, f"textures[{derived.texture}], converted,")
        placed.append(replace(placed[derived.texture], image=len(images)))
        images.append(Image(source.name, derived.make(source.pixels)))
    return tuple(placed), tuple(images)


def _read_textures(reading: Reading) -> list[Texture | None]:
    """Every texture of the file, `image` still being the file's own index; None for one without a readable picture."""
    samplers = [_read_sampler(reading, item) for item in reading.root.items("samplers")]
    return [_read_texture(item, samplers) for item in reading.root.items("textures")]


def _read_texture(item: Item, samplers: list[Sampler]) -> Texture | None:
    sampler = item.index("sampler", "samplers")
    image = item.index("source", "images")
    for extension in FILE_EXTENSIONS.values():
        if extension.texture_source and (given := item.extension(extension.name)) is not None:
            image = given.index("source", "images", required=True)
    if image is None:
        return None
    return Texture(image, Sampler() if sampler is None else samplers[sampler])


def _read_sampler(reading: Reading, item: Item) -> Sampler:
    default = Sampler()
    return Sampler(
        _read_enum(reading, item, "magFilter", _MAG_FILTERS, default.magFilter),
        _read_enum(reading, item, "minFilter", _MIN_FILTERS, default.minFilter),
        _read_enum(reading, item, "wrapS", _WRAPS, default.wrapS),
        _read_enum(reading, item, "wrapT", _WRAPS, default.wrapT),
    )


def _read_enum(reading: Reading, item: Item, key: str, allowed: Iterable[int], default: int) -> int:
    value = item.integer(key, default)
    if value in allowed:
        return value
    reading.warn(f"{item.at(key)} is not one of {', '.join(map(str, allowed))}: {default} is used")
    return default

"""EXT_texture_avif: a texture whose picture is AVIF, which Pillow decodes like any other."""

from __future__ import annotations

from renderer.extensions.declaration import FileExtension

EXTENSION = FileExtension("EXT_texture_avif", texture_source=True)

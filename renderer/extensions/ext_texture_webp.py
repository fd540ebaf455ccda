"""EXT_texture_webp: a texture whose picture is WebP, which Pillow decodes like any other."""

from __future__ import annotations

from renderer.extensions.declaration import FileExtension

EXTENSION = FileExtension("EXT_texture_webp", texture_source=True)

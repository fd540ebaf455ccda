"""KHR_texture_basisu: a texture whose picture is a KTX 2 file of Basis Universal data, see `renderer/gltf/ktx2.py`."""

from __future__ import annotations

from renderer.extensions.declaration import FileExtension

EXTENSION = FileExtension("KHR_texture_basisu", texture_source=True)

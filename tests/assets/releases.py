"""Releases and manifests made up for tests, with real checksums: what a publisher would have written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from assets.manifest import File, Manifest, Release

Files = dict[str, bytes]  # content by key


def file(key: str, content: bytes) -> File:
    """The manifest's words for a file."""
    return File(key, hashlib.sha256(content).hexdigest(), len(content))


def release(
    model: str,
    content: bytes,
    *,
    secret: bool = False,
    parts: Mapping[str, bytes] | None = None,
    side: Mapping[str, bytes] | None = None,
    name: str = "model.glb",
    variants: tuple[str, ...] = (),
) -> tuple[Release, Files]:
    """A release and its files. parts: preview, client, usdz, poster; thumbnail/N and spin/N in order."""
    version = hashlib.sha256(content).hexdigest()[:16]
    folder = f"{'private' if secret else 'models'}/{model}/{version}"
    suffixes = {"usdz": ".usdz", "preview": ".glb", "client": ".glb"}
    placed = {part: (f"{folder}/{part}{suffixes.get(part, '.webp')}", data) for part, data in (parts or {}).items()}
    beside = [(f"{folder}/{path}", data) for path, data in (side or {}).items()]
    described = {part: file(*both) for part, both in placed.items()}
    made = Release(
        version=version,
        title=f"The {model}",
        model=file(f"{folder}/{name}", content),
        secret=secret,
        side=tuple(file(*both) for both in beside),
        variants=variants,
        triangles=12,
        bytes_source=len(content) * 3,
        preview=described.get("preview"),
        client=described.get("client"),
        usdz=described.get("usdz"),
        poster=described.get("poster"),
        thumbnails=tuple(one for part, one in described.items() if part.startswith("thumbnail/")),
        spin=tuple(one for part, one in described.items() if part.startswith("spin/")),
        published="2026-01-31T12:00:00+00:00",
    )
    return made, {f"{folder}/{name}": content, **dict(placed.values()), **dict(beside)}


def published(**models: bytes) -> tuple[Manifest, Files]:
    """A manifest of plain models, and all files of the store but the manifest."""
    manifest, files = Manifest(), {}
    for model, content in models.items():
        made, more = release(model, content)
        manifest = manifest.with_release(model, made)
        files |= more
    return manifest, files

"""What a model file holds, as Facts for reports. Draws nothing."""

from __future__ import annotations

from pathlib import Path

from publishing.facts import Facts
from renderer.cost import cost
from renderer.limits import DEFAULT_LIMITS, Limits
from renderer.load import load_scene
from renderer.scene import Scene


def facts_of(path: Path, limits: Limits = DEFAULT_LIMITS, size: int | None = None) -> Facts:
    """Reads a model file. size: its bytes with those of its side files; None: it has none. Raises a SceneError."""
    return facts_in(load_scene(path, limits), path.stat().st_size if size is None else size)


def facts_in(scene: Scene, size: int) -> Facts:
    """Of a scene that has been read from `size` bytes."""
    used = cost(scene)
    return Facts(
        bytes=size,
        triangles=used.triangles,
        vertices=sum(len(p.positions) for mesh in scene.meshes for p in mesh.primitives),
        draws=used.draws,
        pixels=sum(image.pixels.shape[0] * image.pixels.shape[1] for image in scene.images),
        variants=scene.variants,
        animations=tuple(animation.name for animation in scene.animations),
        extensions=scene.extensions,
    )

"""A model whose two sides have two colours, and how a page reads the colour of a viewer's middle."""

from __future__ import annotations

from typing import Any

import trimesh

# Mean colour of the middle of the picture, 0 to 255.
MIDDLE = """() => {
  const video = v.shadowRoot.querySelector("video");
  const canvas = new OffscreenCanvas(8, 8);
  const context = canvas.getContext("2d");
  context.drawImage(video, video.videoWidth / 2 - 8, video.videoHeight / 2 - 8, 16, 16, 0, 0, 8, 8);
  const { data } = context.getImageData(0, 0, 8, 8);
  return [0, 1, 2].map((channel) => data.filter((_, i) => i % 4 === channel).reduce((a, b) => a + b) / 64);
}"""


def two_sided_slab() -> bytes:
    """GLB of a slab of 1 m: red towards +Z, blue towards -Z."""
    visual: Any = trimesh.visual
    scene: Any = trimesh.Scene()
    for z, colour in ((0.05, (200, 20, 20, 255)), (-0.05, (20, 20, 200, 255))):
        half = trimesh.creation.box((1.0, 1.0, 0.1))
        half.apply_translation((0, 0, z))
        material = visual.material.PBRMaterial(baseColorFactor=colour, metallicFactor=0.0, roughnessFactor=0.9)
        half.visual = visual.TextureVisuals(material=material)
        scene.add_geometry(half)
    return bytes(scene.export(file_type="glb"))

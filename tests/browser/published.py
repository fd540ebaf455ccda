"""A folder as `vitrine publish` leaves it, with pictures whose angle can be read, and a <model-viewer> in small."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import trimesh
from PIL import Image

from assets.manifest import NAME, File, Manifest, Release

FRAMES = 36
SIZE = 180  # of a picture, pixels
VERSION = "00112233445566aa"

# What is used of <model-viewer>: it asks for its file, says that it is loaded, and remembers what it is told.
SMALL_VIEWER = """
customElements.define("model-viewer", class extends HTMLElement {
  static observedAttributes = ["src"];
  availableVariants = ["oak", "ash"];
  availableAnimations = [];
  paused = true;
  currentTime = 0;
  turntableRotation = 0;
  async attributeChangedCallback(name, before, src) {
    const response = await fetch(src);
    window.fetched = [...(window.fetched ?? []), response.url];
    if (!response.ok || window.refuse) this.tell("error", { type: "loadfailure", sourceError: new Error("no WebGL") });
    else this.tell("load", { url: src });
  }
  tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
  getCameraOrbit() { return { theta: 1, phi: 2, radius: 3 }; }
  getCameraTarget() { return { x: 1, y: 2, z: 3 }; }
  getFieldOfView() { return 25; }
  getDimensions() { return { x: 4, y: 5, z: 6 }; }
  jumpCameraToGoal() {}
  resetTurntableRotation() {}
  play() { this.paused = false; this.tell("play"); }
  pause() { this.paused = true; this.tell("pause"); }
});
"""


def frame(theta: float) -> bytes:
    """WebP with a bright bar whose left edge is at theta / 360 of the width, as the fake backend draws."""
    image = Image.new("RGB", (SIZE, SIZE), (20, 20, 20))
    left = round((theta % 360) / 360 * SIZE)
    image.paste((250, 250, 250), (left, 0, min(SIZE, left + 6), SIZE))
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=True)
    return out.getvalue()


def publish(folder: Path, *models: str, secret: tuple[str, ...] = (), bare: tuple[str, ...] = ()) -> Path:
    """A folder with these models: the file for hosts, one for devices, a USDZ and a turn. bare: without a turn."""
    manifest = Manifest()
    scene: Any = trimesh.Scene(trimesh.creation.box((1.0, 1.0, 1.0)))
    client = bytes(scene.export(file_type="glb"))
    for model in models:
        is_secret = model in secret
        base = f"{'private' if is_secret else 'models'}/{model}/{VERSION}"

        def put(name: str, data: bytes, base: str = base) -> File:
            path = folder / base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return File(f"{base}/{name}", hashlib.sha256(data).hexdigest(), len(data))

        angles = () if model in bare else range(30, 390, 360 // FRAMES)
        release = Release(
            version=VERSION,
            title=model.title(),
            model=put("model.glb", b"good"),
            secret=is_secret,
            triangles=12,
            published="2026-01-31T12:00:00+00:00",
            client=None if is_secret else put("client.glb", client),
            usdz=None if is_secret else put("model.usdz", b"usdz"),
            spin=tuple(put(f"spin/{index:02}.webp", frame(theta)) for index, theta in enumerate(angles)),
        )
        manifest = manifest.with_release(model, release)
    (folder / NAME).write_bytes(manifest.dump())
    return folder

"""The shop's list of demo products and the folder they are built into; knows no shape and no texture.

A folder holds one `<id>.glb` per product, `catalogue.json`, and a stamp that names the source the files were made from.
Files appear whole or not at all, so that two processes may build into one folder at the same time.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

Progress = Callable[[int, int, str], None]

_STAMP = "catalogue.json"
_MAKERS = ("numpy", "scipy", "pillow", "mapbox_earcut")  # packages whose version may change a product's bytes


@dataclass(frozen=True, slots=True)
class Product:
    """One product: its id, which is its file's stem and its module's name, and its title for people."""

    id: str
    title: str


PRODUCTS = (
    Product("armchair", "Lounge armchair, oak frame"),
    Product("watch", "Automatic wristwatch, 40 mm"),
    Product("headphones", "Over-ear headphones"),
    Product("speaker", "Portable loudspeaker, bent wood"),
    Product("vase", "Kiln vase, crackle glaze"),
    Product("lamp", "Globe table lamp, brass and fluted glass"),
)


def products() -> tuple[str, ...]:
    """The ids of all demo products, in the order a gallery shows them."""
    return tuple(product.id for product in PRODUCTS)


def titles() -> dict[str, str]:
    """Each product's id and its title for people."""
    return {product.id: product.title for product in PRODUCTS}


def build(product: str) -> bytes:
    """The product of that id as a GLB; the same bytes every time on one machine. KeyError when there is none."""
    title = titles()[product]
    module: Any = importlib.import_module(f"demo.{product}")
    with np.errstate(under="ignore"):  # the far tails of bell curves may vanish
        glb: bytes = module.build(title)
    return glb


def version() -> str:
    """A hash of this package's source and of the packages it builds with: equal versions make equal files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for name in _MAKERS:
        digest.update(f"{name}=={metadata.version(name)}".encode())
    return digest.hexdigest()[:16]


def ensure(folder: Path, progress: Progress | None = None) -> Path:
    """Builds into `folder` whatever is missing or stale and returns the folder.

    `progress(done, total, title)` is called before each product that must be built and once at the end.
    Raises OSError when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    current = version()
    fresh = _stamped(folder) == current
    missing = [product for product in PRODUCTS if not (fresh and (folder / f"{product.id}.glb").is_file())]
    for done, product in enumerate(missing):
        if progress:
            progress(done, len(missing), product.title)
        _write(folder / f"{product.id}.glb", build(product.id))
    if missing or not fresh:
        listing = [{"id": product.id, "title": product.title} for product in PRODUCTS]
        _write(folder / _STAMP, json.dumps({"version": current, "products": listing}, indent=1).encode())
    if progress:
        progress(len(missing), len(missing), "")
    return folder


def _stamped(folder: Path) -> str:
    """The version that the folder's files were made from; empty when there is no readable stamp."""
    try:
        stamp = json.loads((folder / _STAMP).read_text())
        return str(stamp["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _write(path: Path, data: bytes) -> None:
    """Puts a whole file in place of whatever is there."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

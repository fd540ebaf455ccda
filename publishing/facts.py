"""What publishing says about files: sizes, counts, likeness, findings. Plain frozen data, no file is read here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

#: (stage, done, total): e.g. ("textures", 3, 8). Called from the thread that works, at most a few hundred times.
Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What validators found, one line each. errors stop publishing; warnings and infos are told.

    validators: who has looked ("vitrine", "gltf-validator 2.0.0-dev.3.10").
    """

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    validators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """One model file. bytes: with its side files. triangles: drawn, copies counted. pixels: of all its pictures.

    variants, animations: names. extensions: those that the file says it uses.
    """

    bytes: int
    triangles: int
    vertices: int
    draws: int
    pixels: int
    variants: tuple[str, ...] = ()
    animations: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewDifference:
    """One view of both files. db: PSNR over the pixels that either covers, 99 for equal pictures."""

    name: str
    db: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How alike two files look. db: of the least alike view."""

    db: float
    views: tuple[ViewDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """How far optimising may go.

    model_db, client_db, preview_db: likeness to the source below which steps are taken back, in dB.
    model_pixels, client_pixels: longest side of a picture. preview_bytes: what a preview should not exceed.
    preview: whether one is made at all. compare: whether results are drawn beside the source; needs EGL, and is off
    only where nothing can be drawn: then only steps that cannot be seen by their nature are taken.
    ktx2: whether pictures for hosts may become KTX 2. seconds: after which no further step is begun.
    """

    model_db: float = 40.0
    client_db: float = 35.0
    preview_db: float = 20.0
    model_pixels: int = 4096
    client_pixels: int = 2048
    preview_pixels: int = 256
    preview_bytes: int = 1_000_000
    preview: bool = True
    client: bool = True
    compare: bool = True
    ktx2: bool = True
    seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Output:
    """One optimised file. db: likeness to the source, None when it was not drawn. steps: what was done, in order.

    fallbacks: what was taken back, and why.
    """

    path: Path
    facts: Facts
    db: float | None
    steps: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Optimised:
    """What `optimise` made. model: for hosts. client: for `<model-viewer>`. preview: small, None when it would not be.

    before: the source. after: the model for hosts. outputs: "model", "client", "preview" → details.
    warnings: one line each, fallbacks included.
    """

    model: Path
    client: Path | None
    preview: Path | None
    before: Facts
    after: Facts
    warnings: tuple[str, ...] = ()
    outputs: dict[str, Output] = field(default_factory=dict)

"""What a store of models is, and the way from an address to one. Refuses addresses it cannot serve, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from assets.errors import StoreError


@dataclass(frozen=True, slots=True)
class Asset:
    """One model. id: safe in a URL path; version: changes with the content; bytes: of the main file."""

    id: str
    title: str
    version: str
    bytes: int
    variants: tuple[str, ...] = ()


class Store(Protocol):
    """A place with models."""

    def list(self) -> Sequence[Asset]:
        """All models, by id. Blocking."""
        ...

    def stat(self, model: str) -> Asset:
        """One model. Raises NotFoundError."""
        ...

    def fetch(self, model: str) -> Path:
        """A local file with the model's content, siblings beside it. Blocking. Raises NotFoundError."""
        ...


def open_store(url: str) -> Store:
    """The store at a folder's path or file: address. Raises StoreError for anything else."""
    from assets.local import LocalStore

    parts = urlsplit(url)
    if parts.scheme in ("s3", "http", "https"):
        raise StoreError(f"{url}: {parts.scheme}:// stores are not in this version; give a folder of model files")
    if parts.scheme == "file":
        return LocalStore(Path(parts.path))
    return LocalStore(Path(url))

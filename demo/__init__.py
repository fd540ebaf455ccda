"""Products for a demonstration shop, made by code alone; imports no other part of Vitrine and ships no picture.

`products()` lists them, `ensure(folder)` builds them once and keeps them until this package's source changes.
"""

from __future__ import annotations

from demo.catalogue import ensure, products, titles

__all__ = ["ensure", "products", "titles"]

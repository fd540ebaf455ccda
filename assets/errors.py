"""What a store can complain about. One tree, handled once by whoever asked.

StoreError
├── NotFoundError       no such model, or it has just been removed
└── (StoreError itself)     the store is at fault: no such folder, a kind of address that this version cannot read
"""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot be used; the message is one line that names it and says what to do."""


class NotFoundError(StoreError):
    """The store is fine and has no model of that id."""

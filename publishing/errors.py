"""What publishing can complain about. Errors of the model itself are `renderer.errors.SceneError` and pass through.

PublishError
├── InvalidError        the validator found errors: the model must not be published (command: exit 2)
└── WorseError          an optimised file does not look like its source, whatever was tried (ours: exit 1)
"""

from __future__ import annotations


class PublishError(Exception):
    """Base of everything this package raises on purpose; the message is one line."""


class InvalidError(PublishError):
    """The model breaks glTF's rules, or our reader refuses it."""


class WorseError(PublishError):
    """An optimised file looks worse than is allowed. Optimising falls back before it says so."""

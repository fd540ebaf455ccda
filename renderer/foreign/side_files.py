"""What a model file names beside itself: texts and pictures, charged and checked before they are decoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.errors import SceneError
from renderer.foreign.shape import REPEAT, Draft
from renderer.gltf.buffers import Resolver
from renderer.gltf.images import decode, open_charged
from renderer.gltf.item import clean
from renderer.scene import Sampler


class SideFiles:
    """Reads side files; what cannot be read is noted in the draft's warnings and counts as missing."""

    def __init__(self, resolver: Resolver, draft: Draft) -> None:
        self._resolver, self._draft = resolver, draft
        self._pictures: dict[str, NDArray[np.uint8] | None] = {}
        self._textures: dict[tuple[str, Sampler], int] = {}

    def read(self, name: str) -> bytes | None:
        """The bytes of a file. A name with folders of its maker's machine is looked for beside the model, too."""
        plain = name.strip().replace("\\", "/")
        last = plain.rpartition("/")[2]
        fault: SceneError | None = None
        for candidate in dict.fromkeys((plain, last)):
            try:
                return self._read(candidate)
            except SceneError as error:
                fault = fault or error
        self._draft.warnings.append(str(fault))
        return None

    def picture(self, name: str) -> NDArray[np.uint8] | None:
        """A picture, uint8 [height, width, 4], decoded once."""
        if name not in self._pictures:
            self._pictures[name] = self._decoded(name)
        return self._pictures[name]

    def texture(self, name: str, sampler: Sampler = REPEAT) -> int | None:
        """The texture of a picture as it is."""
        pixels = self.picture(name)
        if pixels is None:
            return None
        if (name, sampler) not in self._textures:
            self._textures[name, sampler] = self._draft.texture(name, pixels, sampler)
        return self._textures[name, sampler]

    def _decoded(self, name: str) -> NDArray[np.uint8] | None:
        data = self.read(name)
        if data is None:
            return None
        try:
            return decode(open_charged(data, clean(name), self._draft.budget), "", clean(name)).pixels
        except SceneError as error:
            self._draft.warnings.append(str(error))
            return None

    def _read(self, name: str) -> bytes:
        budget = self._draft.budget
        left = budget.limits.text_bytes - budget.used("file_bytes")
        data = self._resolver.read(name, max(left, 0))
        budget.take("file_bytes", len(data), name)
        return data

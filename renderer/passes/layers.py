"""See-through surfaces in their true order, pixel by pixel: the depths of the nearest few, peeled one after the other.

Colours are not drawn here: `radiance.py` lights the layers from the farthest to the nearest, each against its depth.

Depth peeling (Everitt 2001, "Interactive Order-Independent Transparency") instead of weighted blending, which is wrong
wherever two strong colours meet, and of per-pixel lists, whose memory has no bound. It is exact for the few layers that
products have, also where surfaces cut through one another, and with several samples a pixel. A layer that nobody has
costs one draw: the device itself skips what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from renderer.camera import Rectangle
from renderer.drawlist import Group
from renderer.gl import draw
from renderer.gl.resources import Buffer
from renderer.passes.depth import DepthPass
from renderer.passes.targets import Layer, Targets
from renderer.upload import GpuScene

#: Layers in their true order, of a refined picture and of a moving one. What lies farther is sorted by its centre.
REFINED_LAYERS, MOVING_LAYERS = 8, 3
_OPAQUE_UNIT, _LAYER_UNIT = 6, 7  # surface_layer.glsl


class LayersPass:
    """Finds the layers of a frame."""

    def __init__(self, depth: DepthPass) -> None:
        """depth: borrowed."""
        self._depth = depth

    def peel(
        self,
        gpu: GpuScene,
        commands: Buffer,
        groups: Sequence[Group],
        targets: Targets,
        size: tuple[int, int],
        part: Rectangle,
        *,
        refined: bool,
    ) -> list[Layer]:
        """The layers of see-through groups in front of what is drawn, nearest first.

        part: all that may hold anything. refined: one of many pictures that are averaged. Leaves the farthest layer
        bound for surfaces that lie behind it.
        """
        layers = targets.layers(REFINED_LAYERS if refined else MOVING_LAYERS)
        draw.bind_textures({_OPAQUE_UNIT: targets.depth})
        for i, layer in enumerate(layers):
            draw.target(layer.peeling, *size)
            with draw.only(part):
                draw.clear_depth(layer.peeling)
            if i:
                draw.bind_textures({_LAYER_UNIT: layers[i - 1].depth})
            with layers[i - 1].found.when_any() if i else nullcontext(), layer.found.watching():
                self._depth.draw(gpu, commands, groups, samples=targets.msaa, layer=2 if i else 1, refined=refined)
        draw.bind_textures({_LAYER_UNIT: layers[-1].depth})
        return layers

"""Debug channels: one input of the materials as a picture, as the extensions declare them. No OpenGL, no light.

The list is the registry's: an extension that declares a channel (`renderer.extensions.declaration.Channel`) is in the
command, in stills and in the viewer without another line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from renderer.errors import ViewError
from renderer.extensions.declaration import Channel, ChannelKind
from renderer.material import MaterialKey, declarations, slots

#: How a kind is written: GLSL around the channel's expression, before it is clamped to [0, 1].
_ENCODINGS: Mapping[ChannelKind, str] = {
    "color": "{glsl}",
    "scalar": "vec3(float({glsl}) / {white:.8g})",
    "direction": "({glsl}) * 0.5 + 0.5",
    "length": "vec3(({glsl}) / length(u_boxSize))",
    "share": "{glsl}",
}
_SAMPLE = re.compile(r"\bsample_(\w+)\(\)")


@lru_cache(maxsize=1)
def channels() -> Mapping[str, Channel]:
    """Every declared channel by name, the core's first."""
    return {name: channel for d in declarations() for name, channel in d.channels.items()}


@lru_cache(maxsize=1)
def owners() -> Mapping[str, str]:
    """Channel → name of the extension that declares it; "" for glTF's own."""
    return {name: d.name for d in declarations() for name in d.channels}


def find(name: str) -> Channel:
    """The channel of that name. Raises ViewError that lists the allowed names."""
    if name not in channels():
        raise ViewError(f"no channel {name!r}; allowed: {', '.join(channels())}")
    return channels()[name]


def is_color(name: str) -> bool:
    """Whether the channel's values are linear colours, to be encoded as sRGB; others are written as they are."""
    return find(name).kind == "color"


def channel_glsl(name: str, key: MaterialKey) -> str:
    """`channel.glsl` for materials of `key`: `vec3 channel(Surface s)`, the picture's value in [0, 1]."""
    channel, (feature,) = find(name), [d.feature for d in declarations() if name in d.channels]
    present = feature == "CORE" or feature in key.features
    glsl = channel.glsl if present else channel.absent
    if glsl is None:
        return "vec3 channel(Surface s) { return vec3(0.0); }\n"
    given = {use.slot for use in key.uses}
    missing = sorted(slot for slot in set(_SAMPLE.findall(glsl)) - given if slot in slots())
    white = "".join(f"vec4 sample_{slot}() {{ return vec4(1.0); }}\n" for slot in missing)
    value = _ENCODINGS[channel.kind].format(glsl=glsl, white=float(channel.white))
    return f"{white}vec3 channel(Surface s) {{ return clamp({value}, 0.0, 1.0); }}\n"

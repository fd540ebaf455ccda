"""What a viewer may change: one frozen value, absolute and idempotent, so that the newest simply wins.

No GL, no scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ToneMapping: TypeAlias = Literal["neutral", "aces", "agx", "none"]
#: Smallest internal resolution while moving, as a share of each axis.
MIN_SCALE = 0.25
TONE_MAPPINGS: tuple[ToneMapping, ...] = ("neutral", "aces", "agx", "none")


@dataclass(frozen=True, slots=True)
class Orbit:
    """Camera position around the target, as `<model-viewer>`'s camera-orbit.

    theta: degrees about +Y from +Z towards +X. phi: degrees from +Y (0 is above, 90 level). radius: metres, None =
    frame the model.
    """

    theta: float = 30.0
    phi: float = 75.0
    radius: float | None = None


@dataclass(frozen=True, slots=True)
class AnimationState:
    """Which animation is shown and when. index: into `Scene.animations`.

    time: seconds, wrapped at the animation's duration.
    """

    index: int
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """Everything a frame depends on besides the scene.

    target: metres, or None for the centre of the model's bounds. fov: vertical, degrees, (0, 180).
    width, height: pixels; multiples of 8 when the picture is to be I420. variant: a name of the scene, None = the
    file's default.
    environment: a name known to the engine ("neutral" is built in). exposure: linear factor, 1 = as it is.
    background: "transparent", "environment", or an sRGB colour as (r, g, b) in 0..1.
    shadows: whether the model's own lights (KHR_lights_punctual) cast shadows.
    ground: whether a soft shadow lies on an invisible floor under the model.
    channel: one input of the materials instead of the lit picture, by its name in `renderer.channels`. Light, exposure
    and tone mapping then change nothing, and the environment is no background (it is transparent).
    """

    orbit: Orbit = Orbit()
    target: tuple[float, float, float] | None = None
    fov: float = 30.0
    width: int = 1280
    height: int = 720
    variant: str | None = None
    animation: AnimationState | None = None
    environment: str = "neutral"
    exposure: float = 1.0
    tone_mapping: ToneMapping = "neutral"
    background: Literal["transparent", "environment"] | tuple[float, float, float] = (1.0, 1.0, 1.0)
    shadows: bool = False
    ground: bool = False
    channel: str | None = None

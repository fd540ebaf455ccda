"""Golden images: on the rasteriser that drew them to one level of 255, on any other to a dB limit.

`make goldens` draws them anew (`--update-goldens`). A failure leaves expected, actual and difference in out/goldens/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from renderer.channels import channels
from renderer.engine import Engine
from renderer.extensions import MATERIAL_EXTENSIONS
from renderer.gl.context import ContextInfo
from renderer.scene import Scene
from renderer.view import TONE_MAPPINGS, Orbit, View
from tests.conftest import ROOT
from tests.golden import stages
from tests.golden.stages import VIEW

pytestmark = pytest.mark.gl

PICTURES = Path(__file__).parent / "pictures"
FAILED = ROOT / "out" / "goldens"
PIN = "Rasteriser"  # the PNG's own note of who drew it
TOLERANCE = 1  # of 255, on the pinned rasteriser
OUTLIERS = 0.002  # of a traced picture's values: a path that turns elsewhere in the last bit of a float
ELSEWHERE = 35.0  # dB of PSNR on other drivers
TRACED_ELSEWHERE = 28.0  # noise of 16 paths a pixel falls otherwise there
TRACED = 16
MAX_BYTES, MAX_SIDE, MAX_PICTURES = 1_500_000, 256, 40

Draw = Callable[[Engine], NDArray[np.uint8]]


def picture(make: Callable[[], Scene], view: View = VIEW, samples: int = 1, i420: bool = False) -> Draw:
    """One frame of a scene."""

    def draw(engine: Engine) -> NDArray[np.uint8]:
        model = engine.load(make())
        try:
            return engine.render(model, view, format="i420" if i420 else "rgba8", samples=samples).pixels
        finally:
            engine.release(model)

    return draw


def mosaic(make: Callable[[], Scene], views: list[View], columns: int) -> Draw:
    """Several views of one scene, row by row."""

    def draw(engine: Engine) -> NDArray[np.uint8]:
        model = engine.load(make())
        try:
            tiles = [engine.render(model, view).pixels for view in views]
        finally:
            engine.release(model)
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
        return np.concatenate([np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)])

    return draw


WIDE = replace(VIEW, orbit=Orbit(10.0, 75.0, 6.5))
NEAR = replace(VIEW, orbit=Orbit(20.0, 70.0, 4.2))
LAMPS = replace(NEAR, environment="neutral", exposure=0.5)
TILE = replace(VIEW, width=36, height=36, orbit=Orbit(0.0, 90.0, 4.2))
GOLDENS: dict[str, Draw] = {
    "metal-rough": picture(stages.metal_rough, WIDE),
    "textured": picture(stages.textured),
    "lights": picture(stages.lamps, LAMPS),
    "lights-shadows": picture(stages.lamps, replace(LAMPS, shadows=True)),
    "layers": picture(stages.layers, NEAR),
    "layers-transparent": picture(stages.layers, replace(NEAR, background="transparent")),
    "skin-morph": picture(stages.skinned),
    "shapes": picture(stages.shapes),
    "sky": picture(
        stages.metal_rough, replace(WIDE, orbit=Orbit(190.0, 85.0, 6.5), background="environment", fov=60.0)
    ),
    "ground": picture(stages.metal_rough, replace(WIDE, ground=True)),
    "studio": picture(stages.metal_rough, replace(WIDE, environment="neutral", tone_mapping="neutral")),
    "i420": picture(stages.textured, replace(VIEW, tone_mapping="neutral"), i420=True),
    "tone-mappings": mosaic(
        stages.metal_rough,
        [replace(WIDE, width=96, height=96, exposure=2.0, tone_mapping=name) for name in TONE_MAPPINGS],
        2,
    ),
    "channels": mosaic(stages.everything, [replace(TILE, channel=name) for name in channels()], 7),
    "traced-floor": picture(lambda: stages.extended("KHR_materials_clearcoat"), NEAR, samples=TRACED),
    "traced-glass": picture(lambda: stages.extended("KHR_materials_volume"), NEAR, samples=TRACED),
    "traced-lights": picture(stages.lamps, replace(LAMPS, shadows=True), samples=TRACED),
    **{
        name.replace("_", "-").lower(): picture(lambda name=name: stages.extended(name), NEAR)  # type: ignore[misc]
        for name in stages.EXTENDED
    },
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An Engine without multisampling, so that edges are the rasterisation rules' and nobody's taste."""
    with Engine(msaa=1, occlusion=False) as opened:
        opened.add_environment(stages.SKY, stages.sky())
        yield opened


def rasteriser(info: ContextInfo) -> str:
    """What decides every last bit: the renderer's name, which has its compiler's version and width, and Mesa's."""
    mesa = re.search(r"Mesa \d+\.\d+", info.version)
    return f"{info.renderer}, {mesa.group() if mesa else info.version}"


def fault(expected: NDArray[np.uint8], actual: NDArray[np.uint8], *, pinned: bool, traced: bool) -> str | None:
    """Why a picture does not pass, or None."""
    if expected.shape != actual.shape:
        return f"shape {actual.shape}, expected {expected.shape}"
    difference = np.abs(expected.astype(int) - actual.astype(int))
    if pinned:
        beyond = (difference > TOLERANCE).mean()
        if beyond <= (OUTLIERS if traced else 0.0):
            return None
        return f"{beyond:.2%} of the values differ by more than {TOLERANCE}, at most {difference.max()}"
    psnr = 10 * np.log10(255.0**2 / max(float((difference**2).mean()), 1e-9))
    limit = TRACED_ELSEWHERE if traced else ELSEWHERE
    return None if psnr >= limit else f"PSNR {psnr:.1f} dB, at least {limit:.0f} is expected"


def save(path: Path, pixels: NDArray[np.uint8], note: str = "") -> None:
    """Write a PNG with a note of who drew it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    info = PngInfo()
    info.add_text(PIN, note)
    Image.fromarray(pixels).save(path, optimize=True, pnginfo=info)


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name: str, engine: Engine, pytestconfig: pytest.Config) -> None:
    actual = GOLDENS[name](engine)
    if actual.ndim == 3 and actual[..., 3].min() == 255:
        actual = np.ascontiguousarray(actual[..., :3])
    path, drawn_by = PICTURES / f"{name}.png", rasteriser(engine.info)
    if pytestconfig.getoption("update_goldens"):
        save(path, actual, drawn_by)
        return
    with Image.open(path) as image:
        expected, pinned = np.asarray(image), image.info.get(PIN) == drawn_by
    reason = fault(expected, actual, pinned=pinned, traced=name.startswith("traced"))
    if reason:
        save(FAILED / f"{name}-expected.png", expected)
        save(FAILED / f"{name}-actual.png", actual)
        if expected.shape == actual.shape:
            difference = np.abs(expected.astype(int) - actual.astype(int))[..., :3] * 8
            save(FAILED / f"{name}-difference.png", np.minimum(difference, 255).astype(np.uint8))
        pytest.fail(f"{name}: {reason}; see {FAILED.relative_to(ROOT)}/{name}-*.png", pytrace=False)


def test_every_material_extension_has_one() -> None:
    assert set(stages.EXTENDED) == set(MATERIAL_EXTENSIONS)


def test_pictures_are_those_that_are_drawn_and_small() -> None:
    paths = sorted(PICTURES.glob("*"))
    assert [path.name for path in paths] == sorted(f"{name}.png" for name in GOLDENS)
    assert len(paths) <= MAX_PICTURES
    assert sum(path.stat().st_size for path in paths) < MAX_BYTES
    for path in paths:
        with Image.open(path) as image:
            assert max(image.size) <= MAX_SIDE
            assert image.info[PIN]


def test_what_passes_where() -> None:
    grey = np.full((64, 64, 3), 100, np.uint8)
    near, spot, shifted = grey + np.uint8(1), grey.copy(), np.full((64, 64, 3), 110, np.uint8)
    spot[5, 5] = 103
    assert fault(grey, near, pinned=True, traced=False) is None
    assert "more than 1" in (fault(grey, spot, pinned=True, traced=False) or "")
    assert fault(grey, spot, pinned=True, traced=True) is None
    assert fault(grey, spot, pinned=False, traced=False) is None
    assert "dB" in (fault(grey, shifted, pinned=False, traced=False) or "")
    assert "shape" in (fault(grey, grey[:32], pinned=False, traced=False) or "")

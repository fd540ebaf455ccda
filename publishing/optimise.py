"""One model file in, GLBs for hosts, for `<model-viewer>` and for a first look out. Uploads and pictures nothing."""

from __future__ import annotations

from pathlib import Path

from publishing.facts import Optimised, Options, Progress

__all__ = ["Optimised", "Options", "optimise"]


def optimise(
    source: Path, folder: Path, options: Options = Options(), progress: Progress | None = None  # noqa: B008
) -> Optimised:
    """Writes `<stem>.glb`, `<stem>.client.glb` and `<stem>.preview.glb` into `folder`.

    source: any format that `renderer.load` reads. progress: called with (stage, done, total).
    Raises SceneError for a model that cannot be read, OSError when the folder cannot be written.
    """
    raise NotImplementedError(f"{source} {folder} {options} {progress}")

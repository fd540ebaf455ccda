"""Processes die under a real viewer: its picture goes on, whichever it was."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from tests.browser.conftest import Show, shows
from tests.streaming.serving import Served, make_models, serving

pytestmark = pytest.mark.browser

CHAIR = '<vitrine-viewer id="v" src="chair" camera-orbit="60deg 75deg auto"></vitrine-viewer>'
SESSIONS = "[...new Set(opened)].length"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(make_models(tmp_path_factory.mktemp("served") / "models"), "--network", "1", spares="1") as served:
        yield served


@pytest.fixture(scope="module")
def server(tree: Served) -> str:
    """In the place of the server that other tests share."""
    return f"{tree.url}/"


@pytest.mark.parametrize(("role", "sessions"), [("gateway", 1), ("render", 1), ("network-0", 2)])
def test_the_picture_goes_on(show: Show, tree: Served, role: str, sessions: int) -> None:
    page = show(CHAIR, expected="status of (503|404)|ERR_CONNECTION|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE")
    shows(page, 60)
    process = tree.children()[role]
    process.kill()
    psutil.wait_procs([process], timeout=10)
    page.evaluate("() => { v.cameraOrbit = '250deg 75deg auto'; v.jumpCameraToGoal(); }")
    shows(page, 250)
    assert page.evaluate(SESSIONS) == sessions

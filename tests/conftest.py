"""What every test gets: strict numpy, seeded randomness, and one way to find or miss Chromium, EGL and the shared data.

A missing tool skips the tests that need it, with the reason. It fails them instead when it was promised: `CI=true`, or
`VITRINE_EXPECT` with any of `chromium`, `firefox`, `egl`, `netns`, `nginx`, `player`, `shared`, separated by commas.
"""

from __future__ import annotations

import functools
import os
import random
import shutil
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from benchmarks import namespaces

ROOT = Path(__file__).resolve().parents[1]
PROMISED_IN_CI = frozenset({"chromium", "firefox", "egl", "netns", "nginx", "player"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-goldens`: tests/golden writes its pictures instead of comparing with them."""
    parser.addoption("--update-goldens", action="store_true", help="write the golden images instead of comparing")


def promised(what: str) -> bool:
    """Whether this run may not do without `what`."""
    expected = {word.strip() for word in os.environ.get("VITRINE_EXPECT", "").split(",")}
    return what in expected or (os.environ.get("CI") == "true" and what in PROMISED_IN_CI)


def missing(what: str, reason: str) -> NoReturn:
    """Skip this test, or fail it when `what` was promised."""
    if promised(what):
        pytest.fail(f"{what} was promised to this run: {reason}", pytrace=False)
    pytest.skip(reason)


@functools.cache
def find_chromium() -> str | None:
    """Path of the browser: the first of the usual names on PATH."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


@functools.cache
def has_webrtcbin() -> bool:
    """Whether GStreamer's WebRTC element, its ICE and their Python binding are installed (files; nothing is loaded)."""
    wanted = ("gstreamer-1.0/libgstwebrtc.so", "gstreamer-1.0/libgstnice.so", "girepository-1.0/GstWebRTC-1.0.typelib")
    found = all(any(Path("/usr/lib").glob(f"*/{name}")) for name in wanted)
    return found and Path("/usr/lib/python3/dist-packages/gi").is_dir()


@functools.cache
def lacking_for_networks() -> str | None:
    """What keeps this machine from emulating networks in namespaces, or None."""
    absent = [name for name in ("ip", "nft", "sysctl", "turnserver") if shutil.which(name) is None]
    return f"no {', no '.join(absent)} on PATH: run `make browser` as root" if absent else namespaces.missing()


@pytest.fixture(autouse=True)
def strict_numbers() -> Iterator[None]:
    """A NaN or an overflow is a bug where it happens, and every run draws the same random numbers.

    Underflow stays silent: a Gaussian's tail is zero, and that is right.
    """
    random.seed(0)
    np.random.seed(0)
    with np.errstate(all="raise", under="ignore"):
        yield


@pytest.fixture(autouse=True)
def requirements_of_marks(request: pytest.FixtureRequest) -> None:
    """Turns the marks that name a tool into a skip or a failure before the test."""
    marks = {mark.name for mark in request.node.iter_markers()}
    if "gl" in marks and find_library("EGL") is None:
        missing("egl", "libEGL.so.1 is not installed: run `make setup`")
    if "browser" in marks and find_chromium() is None:
        missing("chromium", "Chromium is not installed: run `make browser`")
    if "player" in marks and not has_webrtcbin():
        missing("player", "GStreamer's webrtcbin is not installed: run `make browser`")
    if "netns" in marks and (lack := lacking_for_networks()) is not None:
        missing("netns", lack)
    if "root" in marks and os.geteuid() != 0:
        missing("root", "needs to be root")
    if "shared" in marks and not (ROOT.parent / "shared" / "testdata").is_dir():
        missing("shared", "../shared/testdata is not beside this checkout")


@pytest.fixture(scope="session")
def shared_testdata() -> Path:
    """../shared/testdata: never part of the repository."""
    folder = ROOT.parent / "shared" / "testdata"
    if not folder.is_dir():
        missing("shared", "../shared/testdata is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium for Playwright's `executable_path`."""
    path = find_chromium()
    if path is None:
        missing("chromium", "Chromium is not installed: run `make browser`")
    return path


@pytest.fixture(scope="session")
def firefox_path() -> str:
    """Path of Debian's Firefox, or another one that speaks WebDriver BiDi."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        missing("firefox", "Firefox is not installed: run `make browser`")
    return path


@pytest.fixture(scope="session")
def nginx_path() -> str:
    """Path of Debian's nginx: the CDN of the tests."""
    path = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        missing("nginx", "nginx is not installed: run `make browser`")
    return path

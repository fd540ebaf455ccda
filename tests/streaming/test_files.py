"""What devices are told and handed: over HTTP, from a library in memory, with and without tokens."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from assets.manifest import File
from assets.store import Asset
from streaming.config import Config
from streaming.errors import SignallingError
from streaming.files import Files, spin_of
from streaming.gate import Gate
from streaming.tokens import make_key, sign

V1, V2 = "0123456789abcdef", "fedcba9876543210"
GLB = bytes(range(256)) * 4
NAMES = {"model": "model.glb", "preview": "preview.glb", "client": "client.glb", "usdz": "ar.usdz"}
PICTURES = {"poster": "poster.webp", "thumbnail/0": "thumbnail-0.png", "spin/0": "spin-0.webp", "spin/1": "spin-1.webp"}
Client = TestClient[web.Request, web.Application]


def asset(version: str = V1, *, names: dict[str, str] | None = None, **changes: Any) -> Asset:
    """A model whose parts are files of the same content."""
    digest = hashlib.sha256(GLB).hexdigest()
    named = {**NAMES, **PICTURES} if names is None else names
    files = {part: File(f"models/shoe/{version}/{name}", digest, len(GLB)) for part, name in named.items()}
    made = Asset("shoe", "Shoe", version, len(GLB), triangles=500, parts=frozenset(files), files=files)
    return replace(made, **changes)


class Shelf:
    """A library of one model; the last release is what is shown."""

    def __init__(self, folder: Path, *releases: Asset) -> None:
        self.releases = releases
        self.fetched: list[tuple[str, str]] = []
        self._path = folder / "content"
        self._path.write_bytes(GLB)

    async def find(self, model: str, version: str | None = None) -> Asset:
        for release in reversed(self.releases):
            if model == release.id and version in (None, release.version):
                return release
        raise SignallingError(404, "not-found", "no such model")

    async def file(self, asset: Asset, part: str) -> Path:
        self.fetched.append((asset.version, part))
        return self._path


@asynccontextmanager
async def served(
    shelf: Shelf, config: Config | None = None, room: Callable[[], bool] = lambda: True
) -> AsyncIterator[Client]:
    config = config or Config()
    gate = Gate(config)
    files = Files(config, shelf, gate, room)

    @web.middleware
    async def errors(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except SignallingError as error:
            response = web.json_response({"error": {"code": error.code, "message": str(error)}}, status=error.status)
        return response

    async def headers(request: web.Request, response: web.StreamResponse) -> None:
        gate.add_cors(request, response)

    app = web.Application(middlewares=[errors])
    app.on_response_prepare.append(headers)
    app.add_routes(files.routes())
    async with TestClient(TestServer(app)) as client:
        yield client


# -- the way ----------------------------------------------------------------------------------------------------------


async def test_the_answer_has_the_way_and_everything_there_is(tmp_path: Path) -> None:
    async with served(Shelf(tmp_path, asset())) as client:
        response = await client.get("/delivery/shoe?device=phone&webgl=1")
        told = await response.json()
    assert (response.status, told["mode"], told["code"]) == (200, "client", "light")
    assert told["reason"]
    base = f"/files/shoe/{V1}"
    assert told["client"] == {"url": f"{base}/client.glb", "bytes": len(GLB), "viewer": None}
    assert told["spin"] == {"frames": [f"{base}/spin/0.webp", f"{base}/spin/1.webp"]}
    assert told["poster"] == f"{base}/poster.webp"
    assert told["ar"] == {"glb": f"{base}/client.glb", "usdz": f"{base}/usdz.usdz"}
    assert (told["model"], told["version"]) == ("shoe", V1)


async def test_every_address_that_is_told_answers(tmp_path: Path) -> None:
    async with served(Shelf(tmp_path, asset())) as client:
        told = await (await client.get("/delivery/shoe")).json()
        addresses = [told["client"]["url"], told["poster"], *told["spin"]["frames"], *told["ar"].values()]
        for address in addresses:
            assert (await client.get(address)).status == 200, address


async def test_a_file_in_a_folder_is_streamed_and_handed_to_nobody(tmp_path: Path) -> None:
    plain = Asset("shoe", "Shoe", V1, 10)
    async with served(Shelf(tmp_path, plain)) as client:
        told = await (await client.get("/delivery/shoe?device=desktop&webgl=1&downlink=10")).json()
        assert (told["mode"], told["code"]) == ("stream", "no-file")
        assert (told["client"], told["spin"], told["ar"]) == (None, None, {"glb": None, "usdz": None})
        assert told["poster"].startswith("/render/shoe.webp")
        assert (await client.get(f"/files/shoe/{V1}/model.glb")).status == 404


async def test_a_busy_host_shows_a_turn(tmp_path: Path) -> None:
    heavy = asset(triangles=9_000_000)
    free = True
    async with served(Shelf(tmp_path, heavy), room=lambda: free) as client:
        assert (await (await client.get("/delivery/shoe")).json())["mode"] == "stream"
        free = False
        assert (await (await client.get("/delivery/shoe")).json())["mode"] == "spin"


async def test_hints_may_stand_in_headers_and_caches_are_told_so(tmp_path: Path) -> None:
    async with served(Shelf(tmp_path, asset(triangles=9_000_000))) as client:
        response = await client.get("/delivery/shoe", headers={"Save-Data": "on"})
        assert (await response.json())["mode"] == "spin"
    assert {"Save-Data", "Device-Memory", "Sec-CH-UA-Mobile", "User-Agent"} <= set(response.headers["Vary"].split(", "))
    assert response.headers["Cache-Control"] == "private, max-age=10"
    assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_pages_of_named_origins_keep_what_the_answer_depends_on(tmp_path: Path) -> None:
    config = Config(allow_origin=("https://shop.example",))
    async with served(Shelf(tmp_path, asset()), config) as client:
        response = await client.get("/delivery/shoe", headers={"Origin": "https://shop.example"})
        file = await client.get(f"/files/shoe/{V1}/client.glb", headers={"Origin": "https://other.example"})
    assert {"Origin", "Save-Data"} <= set(response.headers["Vary"].split(", "))
    assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "Access-Control-Allow-Origin" not in file.headers


async def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    async with served(Shelf(tmp_path, asset())) as client:
        assert (await client.get("/delivery/boot")).status == 404
        assert (await client.get(f"/files/boot/{V1}/client.glb")).status == 404
        assert (await client.get(f"/files/shoe/{V2}/client.glb")).status == 404


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("client", "model/gltf-binary"),
        ("client.glb", "model/gltf-binary"),
        ("usdz.usdz", "model/vnd.usdz+zip"),
        ("poster.webp", "image/webp"),
        ("thumbnail/0.png", "image/png"),
        ("spin/1", "image/webp"),
    ],
)
async def test_files_have_types_digests_and_stay_for_ever(tmp_path: Path, part: str, kind: str) -> None:
    async with served(Shelf(tmp_path, asset())) as client:
        address = f"/files/shoe/{V1}/{part}"
        response = await client.get(address)
        assert (response.status, response.headers["Content-Type"]) == (200, kind)
        assert await response.read() == GLB
        assert response.headers["ETag"] == f'"{hashlib.sha256(GLB).hexdigest()}"'
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        again = await client.get(address, headers={"If-None-Match": f'"x", W/{response.headers["ETag"]}'})
        assert (again.status, await again.read()) == (304, b"")
        assert again.headers["ETag"] == response.headers["ETag"]
        assert (await client.head(address)).headers["Content-Length"] == str(len(GLB))


@pytest.mark.parametrize(
    ("wanted", "status", "content"),
    [
        ("bytes=0-9", 206, GLB[:10]),
        ("bytes=1000-", 206, GLB[1000:]),
        ("bytes=-24", 206, GLB[-24:]),
        ("bytes=1000-9999", 206, GLB[1000:]),
        ("bytes=1024-", 416, None),
        ("bytes=9-1", 416, None),
    ],
)
async def test_ranges(tmp_path: Path, wanted: str, status: int, content: bytes | None) -> None:
    async with served(Shelf(tmp_path, asset())) as client:
        response = await client.get(f"/files/shoe/{V1}/client.glb", headers={"Range": wanted})
        assert response.status == status
        if content is not None:
            assert await response.read() == content
            assert response.headers["ETag"] == f'"{hashlib.sha256(GLB).hexdigest()}"'


@pytest.mark.parametrize(
    "part",
    [
        *(
            "model",
            "model.glb",
            "preview",
            "preview.glb",
            "client.usdz",
            "client.webp",
            "usdz.glb",
            "spin/2",
            "spin/00",
        ),
        *("spin/-1", "spin/1e3", "spin", "thumbnail/1", "thumbnail/0.webp", "CLIENT", "client/", "client.glb.glb"),
        *("..%2f..%2fvitrine.json", "%2e%2e/model.glb", "spin/..%2fmodel", "client%00.glb", "poster.webp%20"),
    ],
)
async def test_nothing_else_is_handed_out(tmp_path: Path, part: str) -> None:
    from yarl import URL

    shelf = Shelf(tmp_path, asset())
    async with served(shelf) as client:
        address = client.make_url("/").join(URL(f"/files/shoe/{V1}/{part}", encoded=True))
        assert (await client.session.get(address)).status == 404
    assert shelf.fetched == []


async def test_an_older_release_stays_for_pages_that_began_with_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, asset(V1), asset(V2))
    async with served(shelf) as client:
        assert (await (await client.get("/delivery/shoe")).json())["version"] == V2
        assert (await client.get(f"/files/shoe/{V1}/spin/1.webp")).status == 200
    assert shelf.fetched == [(V1, "spin/1")]


# -- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "releases",
    [
        [asset(V1, secret=True)],  # even if somebody published the files with it
        [asset(V1), asset(V1, secret=True)],
        [asset(V1, secret=True), asset(V2)],  # what was secret stays so
        [asset(V1), asset(V2, secret=True)],  # what is secret now was never for devices
    ],
)
async def test_a_secret_models_geometry_has_no_address(tmp_path: Path, releases: list[Asset]) -> None:
    shelf = Shelf(tmp_path, *releases)
    async with served(shelf) as client:
        refused = await client.get(f"/files/shoe/{V1}/nonsense")
        for part in ("client", "client.glb", "usdz", "usdz.usdz", "model", "model.glb", "preview", "preview.glb"):
            for method in ("GET", "HEAD"):
                for headers in ({}, {"Range": "bytes=0-3"}, {"If-None-Match": "*"}):
                    response = await client.request(method, f"/files/shoe/{V1}/{part}", headers=headers)
                    assert response.status == 404, part
            assert await (await client.get(f"/files/shoe/{V1}/{part}")).text() == await refused.text()
        assert (await client.get(f"/files/shoe/{V1}/poster.webp")).status == 200
        told = await (await client.get("/delivery/shoe?device=desktop&webgl=1&downlink=10&viewer=page")).json()
        if releases[-1].secret:
            assert (told["client"], told["ar"]) == (None, None)
            assert (told["mode"], told["code"]) == ("stream", "secret")
            assert ".glb" not in str(told)
            assert ".usdz" not in str(told)
    assert {part for _, part in shelf.fetched} == {"poster"}


# -- tokens -----------------------------------------------------------------------------------------------------------


async def test_tokens_as_for_stills(tmp_path: Path) -> None:
    make_key(tmp_path / "private.json", tmp_path / "keys.json")
    config = Config(auth=str(tmp_path / "keys.json"))

    def token(models: list[str], actions: list[str]) -> str:
        given = {"models": models, "origins": ["*"], "actions": actions, "begins": time.time(), "seconds": 60}
        return sign(tmp_path / "private.json", **given)  # type: ignore[arg-type]

    async with served(Shelf(tmp_path, asset()), config) as client:
        address = f"/files/shoe/{V1}/client.glb"
        assert (await client.get(address)).status == 401
        assert (await client.get("/delivery/shoe")).status == 401
        allowed = token(["shoe"], ["render"])
        response = await client.get(f"{address}?token={allowed}")
        assert (response.status, response.headers["Cache-Control"]) == (200, "private, max-age=31536000, immutable")
        assert (await client.get(address, headers={"Authorization": f"Bearer {allowed}"})).status == 200
        assert (await client.get(f"/delivery/shoe?token={allowed}")).status == 200
        assert (await client.get(f"{address}?token={token(['boot'], ['render'])}")).status == 403
        assert (await client.get(f"{address}?token={token(['shoe'], ['stream'])}")).status == 403


def test_a_turn_with_gaps_is_none() -> None:
    names = {"spin/0": "0.webp", "spin/2": "2.webp"}
    assert spin_of(asset(names=names)) == []
    assert spin_of(asset(names={f"spin/{index}": "x.webp" for index in range(12)}))[-1] == "spin/11"

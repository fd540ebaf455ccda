"""What devices are handed of a release, and which way they are told to take. Serves no model meant for hosts.

`GET /delivery/{model}` is the rule of `delivery` for one device. `GET /files/{model}/{version}/{part}` hands out
what `vitrine publish` made for devices: a GLB, a USDZ, pictures. Of a secret model only the pictures are there; the
answer is the same as for a part that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import quote

from aiohttp import ETag, web

from assets.store import Asset
from streaming.config import Config
from streaming.delivery import HINT_HEADERS, Release, choose, read_hints
from streaming.errors import SignallingError
from streaming.gate import Gate

GEOMETRY = {"client": ".glb", "usdz": ".usdz"}
PICTURES = re.compile(r"poster|(?:thumbnail|spin)/(?:0|[1-9][0-9]{0,2})")
CONTENT_TYPES = {
    ".glb": "model/gltf-binary",
    ".usdz": "model/vnd.usdz+zip",
    ".webp": "image/webp",
    ".png": "image/png",
    ".jpg": "image/jpeg",
}
PICTURE = ".webp"  # what `vitrine publish` makes, where a key does not say
CHOICE_SECONDS = 10  # a choice depends on how busy the host is
FOREVER = "max-age=31536000, immutable"
VARY = ", ".join((*HINT_HEADERS, "Authorization"))


class Library(Protocol):
    """Where releases come from."""

    async def find(self, model: str, version: str | None = None) -> Asset:
        """What is shown now, or an older release. Raises SignallingError."""
        ...

    async def file(self, asset: Asset, part: str) -> Path:
        """A local file of it. Raises SignallingError."""
        ...


class Files:
    """Handlers of `/delivery` and `/files`. room: whether another viewer would be let in now."""

    def __init__(self, config: Config, library: Library, gate: Gate, room: Callable[[], bool]) -> None:
        self._config, self._library, self._gate, self._room = config, library, gate, room

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        model = "{model:[A-Za-z0-9._-]+}"
        part = "{version:[0-9A-Za-z]+}/{part:[a-z]+(?:/[0-9]+)?(?:[.][a-z]+)?}"
        return [web.get(f"/delivery/{model}", self.delivery), web.get(f"/files/{model}/{part}", self.file)]

    async def delivery(self, request: web.Request) -> web.Response:
        """200 with the way for this device. Hints stand in the query, else in headers; all of them may be missing."""
        self._gate.still(request)
        model = request.match_info["model"]
        self._gate.allow(request, None, model)
        asset = await self._library.find(model)
        hints = read_hints(request.query, request.headers)
        choice = choose(release_of(asset), hints, room=self._room(), config=self._config)
        body = {
            "model": asset.id,
            "version": asset.version,
            "mode": choice.mode,
            "code": choice.code,
            "reason": choice.reason,
            **self._offered(asset),
        }
        cache = f"private, max-age={CHOICE_SECONDS}"
        return web.json_response(body, headers={"Cache-Control": cache, "Vary": VARY})

    def _offered(self, asset: Asset) -> dict[str, object]:
        """Everything there is, whichever way is chosen: a viewer may have to go another one."""
        client, usdz = url_of(asset, "client"), url_of(asset, "usdz")
        frames = [url_of(asset, part) for part in spin_of(asset)]
        viewer = self._config.model_viewer or None
        return {
            "client": {"url": client, "bytes": asset.files["client"].bytes, "viewer": viewer} if client else None,
            "spin": {"frames": frames} if frames else None,
            "poster": url_of(asset, "poster") or f"/render/{asset.id}.webp?size=640x480&samples=8&v={asset.version}",
            "ar": None if asset.secret else {"glb": client, "usdz": usdz},
        }

    async def file(self, request: web.Request) -> web.StreamResponse:
        """200, 206 or 304. The address names the content for ever: it may be kept for as long."""
        told = request.match_info
        self._gate.allow(request, "render", told["model"])
        asset = await self._library.find(told["model"], told["version"])
        # A model that is secret now is secret altogether, whatever its older releases were.
        secret = asset.secret or (await self._library.find(told["model"])).secret
        part, suffix = _part(told["part"])
        if not _is_handed_out(asset, part, secret) or suffix not in ("", suffix_of(asset, part)):
            raise SignallingError(404, "not-found", "there is no such file")
        digest = asset.files[part].sha256
        whose = "private" if self._gate.needs_token else "public"
        headers = {
            "Cache-Control": f"{whose}, {FOREVER}",
            "Content-Type": CONTENT_TYPES[suffix_of(asset, part)],
            "ETag": f'"{digest}"',
        }
        known = request.if_none_match
        if known and any(etag.value in (digest, "*") for etag in known):
            return web.Response(status=304, headers={key: headers[key] for key in ("Cache-Control", "ETag")})
        return _Part(await self._library.file(asset, part), digest, headers)


class _Part(web.FileResponse):
    """A file named by its content. FileResponse would name it by its time on this disk, which differs between hosts."""

    def __init__(self, path: Path, digest: str, headers: dict[str, str]) -> None:
        super().__init__(path, headers=headers)
        self._digest = digest

    @property
    def etag(self) -> ETag | None:
        """The digest, whatever is set."""
        return ETag(self._digest)

    @etag.setter
    def etag(self, value: ETag | str | None) -> None:
        del value


def release_of(asset: Asset) -> Release:
    """What the rule has to know of a release."""
    files, frames = asset.files, spin_of(asset)
    return Release(
        client=files["client"].bytes if _is_handed_out(asset, "client", asset.secret) else None,
        triangles=asset.triangles,
        spin=sum(files[part].bytes for part in frames) if frames else None,
        secret=asset.secret,
    )


def spin_of(asset: Asset) -> list[str]:
    """The parts that are one turn, in order; none when the turn has gaps."""
    count = sum(part.startswith("spin/") for part in asset.files)
    frames = [f"spin/{index}" for index in range(count)]
    return frames if all(part in asset.files for part in frames) else []


def url_of(asset: Asset, part: str) -> str | None:
    """Path of a part on this server, None where it is not handed out."""
    if not _is_handed_out(asset, part, asset.secret):
        return None
    return f"/files/{quote(asset.id)}/{quote(asset.version)}/{part}{suffix_of(asset, part)}"


def suffix_of(asset: Asset, part: str) -> str:
    """What a part's address may end with, as phones look at it."""
    suffix = PurePosixPath(asset.files[part].key).suffix.lower()
    return GEOMETRY.get(part) or (suffix if suffix in CONTENT_TYPES else PICTURE)


def _part(text: str) -> tuple[str, str]:
    """The part that an address names, and the suffix behind it."""
    part, dot, suffix = text.partition(".")
    return part, dot + suffix


def _is_handed_out(asset: Asset, part: str, secret: bool) -> bool:
    allowed = not secret if part in GEOMETRY else PICTURES.fullmatch(part) is not None
    return allowed and part in asset.files

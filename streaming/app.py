"""The gateway's HTTP surface: signalling, pages, stills, health, metrics. Touches no media and starts no process."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from assets.store import Asset, Store
from streaming import metrics
from streaming.config import Config, is_loopback
from streaming.errors import AccessError, FullError, ProcessLost, RateError, SignallingError, StartError
from streaming.events import Events
from streaming.files import Files, url_of
from streaming.gate import CORS_METHODS, Gate, challenge
from streaming.ipc import Answer, Params
from streaming.limits import network_of
from streaming.lobby import Lobby, Meter, Process
from streaming.peers import Peers
from streaming.sdp import MAX_OFFER
from streaming.sessions import Entry, Sessions, new_name
from streaming.shelf import Shelf
from streaming.stills import CONTENT_TYPES, StillRequest, Stills, parse_still
from streaming.viewspec import view_to_json
from streaming.waiting import new_ticket
from streaming.whep import RETRY_SECONDS, Whep

if TYPE_CHECKING:
    from streaming.hosts.company import Company

VIEWER = Path(__file__).parent / "viewer"
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob: mediastream:; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors *"
)

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]
logger = logging.getLogger(__name__)


class Gateway:
    """The HTTP surface over a store and the other processes. folder: of their sockets."""

    def __init__(self, config: Config, store: Store, folder: Path) -> None:
        """Raises ConfigError."""
        self.config = config
        self.metrics = metrics.GatewayMetrics()
        self.events = Events()
        self.company = _company(config)
        self.sessions = Sessions(self.events, new_name if self.company is None else self.company.new_name)
        self.peers = Peers(config, folder, self.sessions, self)
        self.shelf = Shelf(config, store, self.sessions, self.peers.render, self.metrics.store)
        self.library = self.shelf.library
        self.gate = Gate(config)
        meter = Meter(self.peers.render, self._running)
        make_ticket = new_ticket if self.company is None else self.company.new_ticket
        self.lobby = Lobby(config, self.sessions, meter, self.metrics, make_ticket=make_ticket)
        self.whep = Whep(config, self.sessions, self.peers, self.gate, self.lobby, self.shelf)
        if self.company is not None:
            self.company.open(self.whep, self.sessions, self.gate, self.lobby, self.metrics.registry, self.send_away)
        self.files = Files(config, self.library, self.gate, lambda: self.lobby.told()["free"] > 0)
        self._restarts: dict[str, int] = {}
        self._warming: asyncio.Task[None] | None = None
        self.stills = Stills(self._render_still, config.still_concurrency, config.still_queue, config.still_cache_bytes)

    def application(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application(middlewares=[self._middleware], client_max_size=MAX_OFFER + 1)
        app.on_response_prepare.append(self._add_headers)
        model = "{model:[A-Za-z0-9._-]+}"
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/sessions", self.whep.overview),
                web.get("/models", self._models),
                web.get("/channels", self._channels),
                web.get(f"/render/{model}.{{extension:png|jpg|webp}}", self._still),
                *self._session_routes(model),
                web.get("/", self._gallery),
                web.get(f"/view/{model}", self._view_page),
                web.get("/viewer/{path:.+}", self._viewer_file),
                *self.files.routes(),
            ]
        )
        return app

    def _session_routes(self, model: str) -> list[web.RouteDef]:
        """Those that another host of the fleet may have to answer."""
        whep, company = self.whep, self.company
        post: Respond = whep.post
        patch: Respond = whep.patch
        delete: Respond = whep.delete
        events: Respond = whep.events
        progress: Respond = self._model_events
        if company is not None:
            front = company.front
            post, patch, delete = front.post, front.owned(patch), front.owned(delete)
            events, progress = front.followed(events), front.progressing(progress)
        return [
            web.options(f"/whep/{model}", whep.options),
            web.post(f"/whep/{model}", post),
            web.patch(f"/whep/{model}/{{session}}", patch),
            web.delete(f"/whep/{model}/{{session}}", delete),
            web.get(f"/whep/{model}/{{session}}/events", events),
            web.get(f"/models/{model}/events", progress),
        ]

    def _running(self) -> list[Process]:
        return [peer for peer in self.peers.networks if peer.ready.is_set()]

    def render_replaced(self) -> None:
        """See `peers.Gateway`. A new render process has loaded nothing but what its sessions show."""

        async def warm() -> None:
            try:
                await self.shelf.warm()
            except StartError as error:
                logger.warning("%s", error)

        self._warming = asyncio.ensure_future(warm())

    def adopted(self, entry: Entry) -> None:
        """See `peers.Gateway`."""
        self.shelf.adopted(entry)

    async def locate(self, model: str, version: str) -> Params:
        """See `peers.Gateway`."""
        return (await self.shelf.preparing.locate(model, version)).told()

    def restarted(self, counts: Mapping[str, int]) -> None:
        """How often each role had to be filled again since the server began; its parent counts."""
        for role, count in counts.items():
            self.metrics.restarts.labels(role).inc(count - self._restarts.get(role, 0))
            self._restarts[role] = count

    async def send_away(self, seconds: float) -> None:
        """Refuse new viewers, and tell those that are there how long they may stay."""
        self.whep.draining = True
        deadline = round(seconds * 1000)
        self.events.go_away(deadline)
        asked = [peer.request("goaway", patience=0.1, deadline_ms=deadline) for peer in self.peers.networks]
        await asyncio.gather(*asked, return_exceptions=True)  # a process that is gone has no viewers

    # -- every answer -------------------------------------------------------------------------------------------------

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Respond) -> web.StreamResponse:
        try:
            if request.method == "OPTIONS" and request.match_info.http_exception is not None:
                response: web.StreamResponse = web.Response(status=204, headers={"Allow": CORS_METHODS})
            else:
                if self.company is not None:
                    self.company.read(request)
                response = await handler(request)
        except SignallingError as error:
            queue = {"queue": error.queue} if isinstance(error, FullError) and error.queue else {}
            response = _error(error.status, error.code, str(error), **queue)
            self._explain(error, response)
        except ProcessLost as error:
            response = _error(503, "restarting", str(error))
        except web.HTTPException as error:
            response = _error(error.status, "http", error.reason)
            response.headers.update({k: v for k, v in error.headers.items() if k == "Allow"})
        if response.status >= 500:
            logger.warning("%s %s: %d", request.method, request.path, response.status)
        self.metrics.requests.labels(str(response.status)).inc()
        return response

    def _explain(self, error: SignallingError, response: web.Response) -> None:
        """What a refusal says in its headers, and that it is counted."""
        if isinstance(error, AccessError):
            self.metrics.denied.labels(error.code).inc()
            response.headers["Cache-Control"] = "no-store"
            if error.code.startswith("token-"):
                response.headers["WWW-Authenticate"] = challenge(error)
        elif isinstance(error, RateError):
            self.metrics.denied.labels(error.code).inc()
            response.headers["Retry-After"] = str(math.ceil(error.seconds))
        elif isinstance(error, FullError):
            response.headers["Retry-After"] = str(error.seconds)

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "strict-origin-when-cross-origin"  # an address may hold a token
        self.gate.add_cors(request, response)
        if response.status == 503:
            headers.setdefault("Retry-After", str(RETRY_SECONDS))

    # -- health -------------------------------------------------------------------------------------------------------

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "up"}, headers={"Cache-Control": "no-store"})

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self.peers.is_ready and not self.whep.draining
        body = {"ready": ready, "max_sessions": self.config.max_sessions, **self.lobby.told()}
        return web.json_response(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})

    async def _metrics(self, _: web.Request) -> web.Response:
        self.lobby.show()
        if self.company is not None:
            self.company.membership.show()
        parts = [({"process": "gateway"}, metrics.snapshot(self.metrics.registry))]
        for peer in self.peers:
            try:
                parts.append(({"process": peer.role}, (await peer.request("stats", patience=0.1)).result))
            except ProcessLost:
                continue  # a process that is being restarted has no numbers yet
        return web.Response(body=metrics.expose(parts), headers={"Content-Type": "text/plain; version=0.0.4"})

    # -- models and stills --------------------------------------------------------------------------------------------

    async def _models(self, request: web.Request) -> web.Response:
        """Those that the token names; it may be for stills or for streams."""
        grant = self.gate.present(request)
        models = await self.library.list()
        body = {"models": [_listed(asset) for asset in models if grant.shows(asset.id)]}
        return web.json_response(body, headers={"Cache-Control": "no-cache"})

    async def _model_events(self, request: web.Request) -> web.StreamResponse:
        """How far a model is that is being fetched or read."""
        model = request.match_info["model"]
        self.gate.allow(request, "stream", model)
        asset = await self.library.find(model)
        return await self.shelf.following.stream(request, asset, url_of(asset, "poster"))

    async def _channels(self, _: web.Request) -> web.Response:
        from renderer.channels import channels, owners

        offered = channels().items() if self.config.channels else ()
        listed = [{"name": name, "extension": owners()[name], "kind": channel.kind} for name, channel in offered]
        return web.json_response({"channels": listed}, headers={"Cache-Control": "no-cache"})

    async def _still(self, request: web.Request) -> web.Response:
        self.gate.still(request)
        model, extension = request.match_info["model"], request.match_info["extension"]
        grant = self.gate.allow(request, "render", model)
        asset = await self.library.find(model)
        query = {key: value for key, value in request.query.items() if key not in ("v", "token")}
        config = self.config
        view, samples = parse_still(
            query,
            max_pixels=grant.bounded(config.still_pixels),
            samples=config.refine_samples,
            ground=config.ground,
        )
        still = StillRequest(asset.id, asset.version, extension, view, samples)
        etag = f'"{still.key}"'
        fixed = request.query.get("v") == asset.version
        whose = "private" if self.gate.needs_token else "public"
        cache = f"{whose}, max-age=31536000, immutable" if fixed else f"{whose}, no-cache"
        headers = {"ETag": etag, "Cache-Control": cache}
        if etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        if still.key not in self.stills:  # before its turn, so that nobody's still waits for a model on its way
            shown = await self.shelf.preparing.whole(asset)
            still = replace(still, path=str(shown.path), secret=asset.secret)
        address = self.gate.client(request)
        data, source = await self.stills.get(still, "" if is_loopback(address) else network_of(address))
        self.metrics.stills.labels(source).inc()
        return web.Response(body=data, content_type=CONTENT_TYPES[extension], headers=headers)

    async def _render_still(self, still: StillRequest) -> Answer:
        return await self.peers.render.prepare(
            "still",
            model=still.model,
            version=still.version,
            path=still.path,
            secret=still.secret,
            view=view_to_json(still.view),
            samples=still.samples,
        )

    # -- pages --------------------------------------------------------------------------------------------------------

    async def _gallery(self, _: web.Request) -> web.StreamResponse:
        return _file("index.html")

    async def _view_page(self, request: web.Request) -> web.StreamResponse:
        if not self.gate.needs_token:  # else the page is the same for every name: which exist is nobody's business
            await self.library.find(request.match_info["model"])
        return _file("view.html")

    async def _viewer_file(self, request: web.Request) -> web.StreamResponse:
        return _file(request.match_info["path"])


def _company(config: Config) -> Company | None:
    """What only a fleet needs is imported by its hosts only."""
    if not config.fleet_table:
        return None
    from streaming.hosts.company import Company

    return Company(config)


def _listed(asset: Asset) -> dict[str, object]:
    return {
        "id": asset.id,
        "title": asset.title,
        "bytes": asset.bytes,
        "variants": list(asset.variants),
        "poster": url_of(asset, "poster") or f"/render/{asset.id}.webp?size=640x480&samples=8&v={asset.version}",
    }


def _error(status: int, code: str, message: str, **more: object) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}, **more}, status=status)


def _file(path: str) -> web.FileResponse:
    """A file of the viewer; never one outside its folder."""
    file = (VIEWER / path).resolve()
    if not file.is_relative_to(VIEWER.resolve()) or not file.is_file():
        raise SignallingError(404, "not-found", "no such page")
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": CONTENT_SECURITY_POLICY}
    if file.suffix in (".js", ".mjs"):
        headers["Content-Type"] = "text/javascript; charset=utf-8"
    return web.FileResponse(file, headers=headers)

"""Owns the HTTP in front of the fake Auto Scaling group: its query API, and each instance's metadata (IMDSv2).

The group's semantics are `fleet.fakes.autoscaling`'s. Everything is answered by one thread with an event loop; the
group is only touched under its lock.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TypeVar
from xml.sax.saxutils import escape

from aiohttp import web

from benchmarks.fleet.places import CLOUD_PORT, METADATA, SERVICES, Site
from benchmarks.town import House
from fleet.fakes.autoscaling import ApiError, Group, Plan
from fleet.lifecycle import Result

TICK_SECONDS = 0.1
TOKEN = "a-token-of-this-run"
_TOKEN_HEADER = "X-aws-ec2-metadata-token"
_SPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"

T = TypeVar("T")


class Cloud:
    """Use as a context manager. services: where the API answers."""

    def __init__(self, plan: Plan, name: str, services: House) -> None:
        self._group, self._name, self._services = Group(plan, time.monotonic), name, services
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cloud", daemon=True)
        self._runners: list[web.AppRunner] = []
        self.calls: list[tuple[float, str, str]] = []  # (monotonic seconds, action, instance)

    def __enter__(self) -> Cloud:
        self._thread.start()
        api = web.Application()
        api.router.add_post("/", self._api)
        self._serve(self._services, SERVICES, CLOUD_PORT, api)
        self._ticking = asyncio.run_coroutine_threadsafe(self._tick(), self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ticking.cancel()
        for runner in self._runners:
            self._done(runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def group(self, work: Callable[[Group], T]) -> T:
        """Ask or change the group, as the cloud or its owner would."""
        with self._lock:
            return work(self._group)

    def attach(self, instance: str, site: Site) -> None:
        """Answer the metadata requests of an instance in its own network."""
        app = web.Application()
        app.router.add_put("/latest/api/token", _token)

        async def metadata(request: web.Request) -> web.Response:
            return self._metadata(request, instance, site)

        app.router.add_get("/latest/meta-data/{path:.+}", metadata)
        self._serve(site.house, METADATA, 80, app)

    # -- answers ------------------------------------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        action, instance = form.get("Action", ""), form.get("InstanceId", form.get("InstanceIds.member.1", ""))
        self.calls.append((time.monotonic(), action, instance))
        try:
            self.group(lambda group: _act(group, action, form))
        except ApiError as error:
            told = f"<Type>Sender</Type><Code>{escape(error.code)}</Code><Message>{escape(str(error))}</Message>"
            text = f'<ErrorResponse xmlns="{_SPACE}"><Error>{told}</Error><RequestId>1</RequestId></ErrorResponse>'
            return web.Response(status=400, text=text, content_type="text/xml")
        inside = f"<{action}Result/><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
        text = f'<{action}Response xmlns="{_SPACE}">{inside}</{action}Response>'
        return web.Response(text=text, content_type="text/xml")

    def _metadata(self, request: web.Request, instance: str, site: Site) -> web.Response:
        if request.headers.get(_TOKEN_HEADER) != TOKEN:
            raise web.HTTPUnauthorized  # version 2 only
        found = self.group(lambda group: _told(group, instance, site, self._name).get(request.match_info["path"]))
        if not found:
            raise web.HTTPNotFound
        return web.Response(text=found)

    async def _tick(self) -> None:
        while True:
            self.group(Group.tick)
            await asyncio.sleep(TICK_SECONDS)

    def _serve(self, house: House, address: str, port: int, app: web.Application) -> None:
        with house.space.entered():
            listening = socket.create_server((address, port))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._runners.append(runner)

        async def start() -> None:
            await runner.setup()
            await web.SockSite(runner, listening).start()

        self._done(start())

    def _done(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]


def _act(group: Group, action: str, form: dict[str, str]) -> None:
    """One action of the API. Raises ApiError."""
    instance, hook = form.get("InstanceId", ""), form.get("LifecycleHookName", "")
    match action:
        case "SetInstanceProtection":
            ids = [value for key, value in form.items() if key.startswith("InstanceIds.member.")]
            group.set_instance_protection(ids, form["ProtectedFromScaleIn"] == "true")
        case "RecordLifecycleActionHeartbeat":
            group.record_lifecycle_action_heartbeat(hook, instance)
        case "CompleteLifecycleAction":
            group.complete_lifecycle_action(hook, instance, Result(form["LifecycleActionResult"]))
        case _:
            raise ApiError("InvalidAction", f"{action} is not known here")


def _told(group: Group, instance: str, site: Site, name: str) -> dict[str, str]:
    """What an instance's metadata say now, by path; "" for what does not exist yet."""
    member = group.members[instance]
    ends = member.interruption
    return {
        "instance-id": instance,
        "instance-type": "g5.xlarge",
        "instance-life-cycle": "spot" if group.plan.spot else "on-demand",
        "placement/availability-zone": f"eu-central-1{member.zone}",
        "placement/region": "eu-central-1",
        "local-ipv4": site.address,
        "public-ipv4": site.public,
        "tags/instance/fleet-group": name,
        "autoscaling/target-lifecycle-state": str(_target(group, instance)),
        "spot/instance-action": "" if ends is None else json.dumps({"action": "terminate", "time": _wall(group, ends)}),
        "events/recommendations/rebalance": json.dumps({"noticeTime": _wall(group, group.clock())})
        if member.advised
        else "",
    }


def _target(group: Group, instance: str) -> str:
    try:
        return str(group.target(instance))
    except ApiError:
        return "Terminated"


def _wall(group: Group, moment: float) -> str:
    """A moment of the group's clock as the metadata spell it."""
    return datetime.fromtimestamp(time.time() + moment - group.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _token(_: web.Request) -> web.Response:
    return web.Response(text=TOKEN, headers={"X-aws-ec2-metadata-token-ttl-seconds": "21600"})

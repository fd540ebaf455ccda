"""Owns the measurement: hosts fill up, three of them go in three ways, and every shopper's picture is watched.

A picture stood still between two answers to the camera, which is turned four times a second.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import namespaces
from benchmarks.companion import Companion
from benchmarks.errors import BenchError
from benchmarks.fleet import hosts, table
from benchmarks.fleet.cloud import Cloud
from benchmarks.fleet.hosts import elsewhere
from benchmarks.fleet.machines import Machines
from benchmarks.fleet.places import BALANCER_URL, Region
from benchmarks.progress import Progress
from benchmarks.report import envelope
from benchmarks.town import town
from fleet.fakes.autoscaling import Group, Hook, Plan, State
from fleet.lifecycle import Result
from fleet.names import tag_of
from fleet.ranking import BOUND

GROUP = "vitrine-bench-render-spot"
HOOK = Hook("terminate", timeout=60.0, default=Result.CONTINUE)
PROMISES = {"spot": 2.0, "scale-in": 2.0, "kill": 5.0}  # seconds that a picture may stand
CROWDS = 2  # processes of shoppers
DRAIN_SECONDS = 20.0  # that a host has after SIGTERM
SPARE_HOSTS = 5  # places for those that are launched later
START_SECONDS, MOVE_SECONDS = 90.0, 30.0


@dataclass(frozen=True, slots=True)
class Course:
    """hosts: at the beginning; viewers; settle: seconds at the end in which no slot may be lost.

    calm: seconds before and after each event; checks: between two of the balancer, 5 is the least of AWS's.
    """

    hosts: int
    viewers: int
    settle: float
    calm: float = 3.0
    checks: float = 5.0

    @property
    def slots(self) -> int:
        """Of each host: so many that all but one are as full as placement makes them."""
        return math.ceil(self.viewers / (self.hosts - 1) / BOUND)


def measure(course: Course, progress: Progress) -> dict[str, Any]:
    """Run it. Raises UsageError where networks cannot be made, and BenchError."""
    namespaces.demand()
    progress.begin("networks", 5)
    with _fleet(course) as run:
        run.fill()
        progress.step(f"{course.viewers} viewers joined")
        packing = run.packing()
        events = []
        for kind, strike in (("spot", run.interrupt), ("scale-in", run.terminate), ("kill", run.kill)):
            run.ready()
            events.append(run.event(kind, strike))
            progress.step(f"{kind}: stood {events[-1]['slowest']:.2f} s")
        leaks = run.settle(course.settle)
        progress.step("settled")
    checks = _checks(course, packing, events, leaks)
    result = envelope("fleet", {**asdict(course), "slots": course.slots})
    warnings = [f"broken promise: {name}" for name, kept in checks.items() if not kept]
    told = {"packing": packing, "events": events, "leaks": leaks, "checks": checks}
    return result | told | {"passed": all(checks.values()), "warnings": warnings}


def show(result: dict[str, Any]) -> Table:
    """A line for each event."""
    plan = result["plan"]
    view = Table(title=f"{plan['viewers']} viewers on {plan['hosts']} hosts of {plan['slots']} slots, one host goes")
    headings = ("event", "viewers on it", "median still s", "longest still s", "promised", "moved within s", "refused")
    for heading in headings:
        view.add_column(heading, justify="left" if heading == "event" else "right")
    for event in result["events"]:
        stood = sorted(event["stood"])
        cells = (f"{stood[len(stood) // 2]:.2f}", f"{event['slowest']:.2f}", f"≤ {event['promised']:g}")
        view.add_row(event["kind"], str(event["viewers"]), *cells, f"{event['moved']:.1f}", str(event["refused"]))
    packed = ", ".join(f"{count}" for count in result["packing"].values())
    leaked = sum(abs(count) for count in result["leaks"]["differences"].values())
    view.caption = f"placed {packed} · slots leaked after {result['leaks']['seconds']:.0f} s: {leaked}"
    return view


def _checks(
    course: Course, packing: dict[str, int], events: list[dict[str, Any]], leaks: dict[str, Any]
) -> dict[str, bool]:
    checks = {"placement packs": sum(count > 0 for count in packing.values()) == course.hosts - 1}
    for event in events:
        checks[f"{event['kind']}: pictures live again"] = event["slowest"] <= event["promised"]
        checks[f"{event['kind']}: nobody refused"] = event["refused"] == 0
        checks[f"{event['kind']}: busy hosts protected"] = event["protected"]
    checks["scale-in: the hook was completed"] = events[1]["completed"]
    checks["no slot leaked"] = not any(leaks["differences"].values())
    return checks


@contextmanager
def _fleet(course: Course) -> Iterator[_Run]:
    with ExitStack() as stack:
        street = stack.enter_context(town())
        region = Region(street, course.hosts + SPARE_HOSTS)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vitrine-fleet-")))
        hosts.write_model(folder / "models")
        fleet = hosts.Fleet(folder, table.NAME, GROUP, course.slots, DRAIN_SECONDS)
        fleet.key.write_text("north-south-east-west-and-around")
        stack.enter_context(table.emulator(region.services))
        plan = Plan(most=20, boot=0.0, spot=True, protected=True, rebalance=True, terminating=HOOK)
        cloud = stack.enter_context(Cloud(plan, GROUP, region.services))
        arguments = ["benchmarks.fleet.balancer", "0.0.0.0", "80", f"{course.checks:g}"]
        command = region.balancer.space.command(elsewhere(_module(*arguments)))
        balancer = stack.enter_context(Companion("balancer", command))
        machines = stack.enter_context(Machines(cloud, region, fleet, balancer))
        shopping = region.visitors.space.command(elsewhere(_module("benchmarks.fleet.crowd")))
        crowds = [stack.enter_context(Companion("shoppers", shopping)) for _ in range(CROWDS)]
        reader = stack.enter_context(table.reader(region.services))
        yield _Run(course, cloud, machines, crowds, reader)


def _module(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


class _Run:
    """A running fleet with its shoppers."""

    def __init__(
        self, course: Course, cloud: Cloud, machines: Machines, crowds: list[Companion], reader: Companion
    ) -> None:
        self._course, self._cloud, self._machines = course, cloud, machines
        self._crowds, self._reader = crowds, reader
        self._tags: dict[str, str] = {}  # host by what its sessions' names carry

    # -- before -------------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Start the hosts and let everybody in."""
        self._cloud.group(lambda group: group.set_desired_capacity(self._course.hosts))
        self.ready()
        share = math.ceil(self._course.viewers / len(self._crowds))
        counts = [share] * (len(self._crowds) - 1) + [self._course.viewers - share * (len(self._crowds) - 1)]
        path = f"/whep/{hosts.MODEL}"
        self._ask([{"do": "join", "count": count, "url": BALANCER_URL, "path": path} for count in counts])

    def ready(self) -> None:
        """As many hosts as there shall be are healthy, and everybody has been looking calmly."""
        wanted = self._course.hosts
        self._machines.until(lambda: len(self._machines.healthy()) >= wanted, START_SECONDS, "hosts are not ready")
        self._calm(self._course.calm)

    def packing(self) -> dict[str, int]:
        """Sessions on each host."""
        on = Counter(self._host(shopper) for shopper in self._shoppers())
        return {name: on[name] for name in self._machines.hosts}

    # -- events -------------------------------------------------------------------------------------------------------

    def event(self, kind: str, strike: Callable[[str], None]) -> dict[str, Any]:
        """Strike the host with the most viewers; what its viewers saw."""
        on = self.packing()
        victim = max(on, key=lambda name: (on[name], name))
        protected = self._protected(on)
        struck = time.monotonic()
        strike(victim)
        self._machines.until(lambda: self._moved(victim), MOVE_SECONDS, f"{kind}: viewers do not leave {victim}")
        moved = time.monotonic()
        self._calm(self._course.calm)
        shoppers = self._shoppers()
        self._machines.until(lambda: self._over(kind, victim), MOVE_SECONDS, f"{kind}: {victim} does not end")
        stood = [_longest([*shopper["fresh"], shopper["now"]], struck) for shopper in shoppers]
        slowest = shoppers[stood.index(max(stood))]
        answers = [answer for shopper in shoppers for answer in shopper["answers"] if answer[0] > struck]
        return {
            "kind": kind,
            "viewers": on[victim],
            "stood": stood,
            "slowest": max(stood),
            "story": _story(slowest, struck),
            "promised": PROMISES[kind],
            "moved": moved - struck,
            "refused": sum(status == 503 for _, status, _ in answers),
            "answers": dict(Counter(f"{status} {code}".strip() for _, status, code in answers)),
            "protected": protected,
            "completed": any(call[1:] == ("CompleteLifecycleAction", victim) for call in self._cloud.calls),
        }

    def interrupt(self, victim: str) -> None:
        """A Spot notice."""
        self._cloud.group(lambda group: group.interrupt(victim))

    def terminate(self, victim: str) -> None:
        """The group ends it: Terminating:Wait, and another is launched."""
        self._cloud.group(lambda group: group.terminate_instance(victim, decrement=False))

    def kill(self, victim: str) -> None:
        """kill -9."""
        self._machines.kill(victim)

    def _over(self, kind: str, victim: str) -> bool:
        """Whether the group has let it go; of a killed one it hears nothing here."""
        return kind == "kill" or self._cloud.group(lambda group: group.members[victim].state is State.TERMINATED)

    def _moved(self, victim: str) -> bool:
        return all(self._host(shopper) != victim for shopper in self._shoppers())

    def _protected(self, on: dict[str, int]) -> bool:
        """Whether scale-in could take no host that has viewers."""

        def look(group: Group) -> bool:
            return all(group.members[name].protected for name, count in on.items() if count)

        return self._cloud.group(look)

    # -- after --------------------------------------------------------------------------------------------------------

    def settle(self, seconds: float) -> dict[str, Any]:
        """Compare the table with what is, until everything was quiet for so long."""
        self._calm(seconds)
        told = self._reader.ask({})
        on = self.packing()
        alive = [name for name in self._machines.hosts if name not in self._machines.dead]
        known = {name: record for name, record in told.items() if name in alive}
        missing = [name for name in alive if name not in known]
        if missing:
            raise BenchError(f"the table does not know {', '.join(missing)}")
        slots = self._course.slots  # what came without a claim, the table being slow, takes a slot's room
        taken = {name: len(known[name]["claims"]) + slots - known[name]["room"] for name in alive}
        differences = {name: taken[name] - on[name] for name in alive}
        return {"seconds": seconds, "differences": differences, "records": told}

    # -- inside -------------------------------------------------------------------------------------------------------

    def _host(self, shopper: dict[str, Any]) -> str:
        """Whose picture somebody sees."""
        tag = str(shopper["hosts"][-1][1]).rpartition(".")[2]
        if tag not in self._tags:
            self._tags = {tag_of(name): name for name in self._machines.hosts}
        return self._tags.get(tag, tag)

    def _shoppers(self) -> list[dict[str, Any]]:
        told = self._ask([{"do": "report"}] * len(self._crowds))
        return [shopper | {"now": crowd["now"]} for crowd in told for shopper in crowd["shoppers"]]

    def _ask(self, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(len(self._crowds)) as pool:
            return list(pool.map(lambda pair: pair[0].ask(pair[1]), zip(self._crowds, questions, strict=True)))

    def _calm(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        self._machines.until(lambda: time.monotonic() >= ends, seconds + 10, "time passes")


def _story(shopper: dict[str, Any], since: float) -> list[str]:
    """What somebody's offers were answered after a moment, and which sessions were shown, with seconds since then."""
    told = [(at, f"{status} {code}".strip()) for at, status, code in shopper["answers"]]
    told += [(at, f"shown {name.rpartition('.')[2]}") for at, name in shopper["hosts"]]
    return [f"{at - since:.2f} {what}" for at, what in sorted(told) if at > since]


def _longest(fresh: list[float], since: float) -> float:
    """The longest time between living pictures, from the last one before `since` on. The last moment is now."""
    before = [at for at in fresh if at <= since][-1:]
    moments = [*before, *(at for at in fresh if at > since)]
    return max((later - earlier for earlier, later in zip(moments, moments[1:], strict=False)), default=math.inf)

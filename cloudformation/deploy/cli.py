"""`vitrine cloud`: arguments, questions, output, exit codes. `run`, `removal`, `drifting` and `cost` do the work.

Exit codes: 0 done; 1 AWS or a stack failed; 2 wrongly asked, or nobody agreed; 3 `drift` found differences.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudformation.deploy.estate import Environment
    from cloudformation.deploy.parameters import Choices
    from cloudformation.deploy.port import Cloud
    from cloudformation.deploy.run import Deployment, Talk
    from cloudformation.deploy.template import Template

EXIT_DRIFTED = 3
UNITS = ("global", "recovery", "root", "edge")
MINUTES = 120  # that one stack may take
_ACTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "plan",
        "show what a deployment would change",
        "Check parameters, make change sets, show them, remove them again.",
    ),
    (
        "deploy",
        "deploy or update an environment",
        "Every stack in its order; each change set is shown and confirmed first.",
    ),
    (
        "drift",
        "compare stacks with their templates",
        "Ask CloudFormation what was changed by hand. Exit code 3: something was.",
    ),
    (
        "destroy",
        "delete an environment",
        "Show what goes and what is kept, ask for the name, delete from the last stack on.",
    ),
    (
        "cost",
        "what an environment costs; offline",
        "Monthly cost by stack, per viewer-hour and per 1 000 sessions, from prices.yaml.",
    ),
)


def add_commands(subparsers: Any) -> None:
    """Mounts this package's command."""
    cloud = subparsers.add_parser("cloud", help="plan, deploy, check, price or destroy the stacks on AWS")
    actions = cloud.add_subparsers(title="actions", metavar="ACTION", required=True)
    runs: dict[str, Callable[[argparse.Namespace], int]] = {
        "plan": _plan,
        "deploy": _deploy,
        "drift": _drift,
        "destroy": _destroy,
        "cost": _cost,
    }
    for name, short, long in _ACTIONS:
        parser = actions.add_parser(name, help=short, description=long)
        _add_where(parser, online=name != "cost")
        if name in _OWN:
            _OWN[name](parser)
        parser.set_defaults(run=runs[name])


def _add_where(parser: argparse.ArgumentParser, *, online: bool) -> None:
    add = parser.add_argument_group("environment").add_argument
    add("--environment", choices=("dev", "staging", "prod"), required=True, help="which of the three")
    add("--parameters", type=Path, metavar="FILE", help="YAML with project, regions and parameters by stack")
    add("--region", metavar="NAME", help="the home region (default: the file's)")
    add("--templates", type=Path, metavar="DIR", help="other templates than those installed")
    if online:
        add = parser.add_argument_group("account").add_argument
        add("--profile", metavar="NAME", help="of the AWS configuration")
        add("--endpoint-url", metavar="URL", help="an emulator instead of AWS")


def _add_deploying(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("deploying").add_argument
    add("--only", choices=UNITS, metavar="STACK", help=f"one of {', '.join(UNITS)} (default: all, in their order)")
    add("--ami-bundle", type=Path, metavar="FILE", help="the image's sources, made by ami/bundle.sh")
    add("--ignore-quotas", action="store_true", help="go on although quotas are too small")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    _add_deploying(parser)
    parser.add_argument(
        "--offline", action="store_true", help="check templates and parameters and show the order; ask AWS nothing"
    )


def _add_deploy(parser: argparse.ArgumentParser) -> None:
    _add_deploying(parser)
    add = parser.add_argument
    add("--yes", action="store_true", help="ask nothing, for pipelines; not enough where data may be lost")
    add("--accept-loss", action="store_true", help="with --yes: also replace or remove what has state")
    add("--timeout", type=float, default=MINUTES, metavar="MINUTES", help=f"for each stack (default: {MINUTES})")


def _add_destroy(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--confirm", metavar="NAME", help="what would be typed, PROJECT-ENVIRONMENT, for pipelines")
    add("--lift-protection", action="store_true", help="also stacks that are protected against deletion")
    add("--empty-buckets", action="store_true", help="empty the buckets that go; none with customers' data")
    add("--empty-customer-data", action="store_true", help="empty those with customers' data, too")
    add("--timeout", type=float, default=MINUTES, metavar="MINUTES", help=f"for each stack (default: {MINUTES})")


def _add_cost(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("assumptions").add_argument
    add("--prices", type=Path, metavar="FILE", help="another price file than the installed one")
    add("--traffic", metavar="LEVEL|NUMBER", help="low, medium, sale, or sessions a month (default: all three)")
    add("--slots", type=float, metavar="N", help="viewers on one GPU host (default: the templates')")
    add("--megabits", type=float, metavar="N", help="Mb/s while a viewer moves (default: measured)")
    add("--utilisation", type=float, metavar="SHARE", help="of the slots that are paid for, 0 to 1")
    add("--spot-share", type=float, metavar="SHARE", help="of the hosts beyond the base that are Spot, 0 to 1")
    parser.add_argument("--json", metavar="FILE", help="write everything as JSON; - for stdout, and no table")


_OWN: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "plan": _add_plan,
    "deploy": _add_deploy,
    "destroy": _add_destroy,
    "cost": _add_cost,
}


def _read(arguments: argparse.Namespace, region: str | None = None) -> tuple[Environment, dict[str, Template], Choices]:
    """The environment, the templates and the choices. region: where nothing else says one."""
    from cloudformation.deploy import estate, parameters

    library = estate.load(arguments.templates or estate.FOLDER)
    choices = parameters.read(arguments.parameters, estate.UNITS)
    chosen = arguments.region or choices.home or region
    return estate.environment(arguments.environment, choices, chosen), library, choices


def _clouds(arguments: argparse.Namespace) -> Callable[[str], Cloud]:
    """A cloud for each region, each made once."""
    from cloudformation.deploy.aws import Aws

    made: dict[str, Cloud] = {}

    def cloud(region: str) -> Cloud:
        if region not in made:
            made[region] = Aws(region, profile=arguments.profile, endpoint=arguments.endpoint_url)
        return made[region]

    return cloud


def _deployment(arguments: argparse.Namespace, talk: Talk) -> Deployment:
    """Everything that can be wrong without AWS is wrong here."""
    from cloudformation.deploy.bundle import bundle
    from cloudformation.deploy.run import Deployment
    from cloudformation.deploy.watch import Patience

    environment, library, choices = _read(arguments)
    minutes = getattr(arguments, "timeout", MINUTES)
    if not 1 <= minutes <= 1440:
        raise _bad(f"--timeout {minutes:g}: 1 to 1440 minutes")
    image = bundle(arguments.ami_bundle)
    patience = Patience(seconds=60 * minutes)
    deployment = Deployment(environment, library, choices, _clouds(arguments), talk, image, patience, arguments.only)
    deployment.check()
    return deployment


def _plan(arguments: argparse.Namespace) -> int:
    from cloudformation.deploy.run import Talk

    deployment = _deployment(arguments, Talk(_say, lambda *_: False))
    if arguments.offline:
        for number, step in enumerate(deployment.steps(), 1):
            again = " (again)" if step.again else ""
            name, region = deployment.environment.stack(step.unit), deployment.environment.region(step.unit)
            _say(f"{number}. {name}{again}, {region}: {step.reason}")
        _say(f"{len(deployment.library)} templates; parameters are within their bounds")
        return 0
    for line in deployment.preflight():
        _warn(line)
    changed = deployment.plan()
    _say(f"{changed} stacks would change; nothing was deployed")
    return 0


def _deploy(arguments: argparse.Namespace) -> int:
    from cloudformation.deploy import quotas
    from cloudformation.deploy.errors import CloudError
    from cloudformation.deploy.run import Talk

    if arguments.accept_loss and not arguments.yes:
        raise _bad("--accept-loss is for pipelines, with --yes; here you are asked")
    deployment = _deployment(arguments, Talk(_say, _asker(arguments)))
    short = deployment.preflight()
    for line in short:
        _warn(line)
    real = [line for line in short if not quotas.unreadable([line])]
    if real and arguments.environment == "prod" and not arguments.ignore_quotas:
        raise CloudError(f"{len(real)} quotas are too small for prod; ask AWS for more, or give --ignore-quotas")
    changed = deployment.deploy()
    _say(f"{changed} stacks changed")
    return 0


def _asker(arguments: argparse.Namespace) -> Callable[[str, bool], bool]:
    """Who answers: --yes, or a person. Raises RefusedError when there is neither."""
    from cloudformation.deploy.errors import RefusedError

    def by_flags(question: str, loses: bool) -> bool:
        if loses and not arguments.accept_loss:
            raise RefusedError(
                f"{question} --yes is not enough where data may be lost; read the lines above, then add --accept-loss"
            )
        return True

    def by_person(question: str, loses: bool) -> bool:
        wanted = "lose data" if loses else "yes"
        return _typed(f"{question} Type {wanted!r}: ").strip().lower() == wanted

    if arguments.yes:
        return by_flags
    if not sys.stdin.isatty():
        raise RefusedError("nobody can be asked here (stdin is no terminal); give --yes")
    return by_person


def _drift(arguments: argparse.Namespace) -> int:
    from cloudformation.deploy.drifting import Inspection

    environment, _, _ = _read(arguments)
    return EXIT_DRIFTED if Inspection(environment, _clouds(arguments), _say).run() else 0


def _destroy(arguments: argparse.Namespace) -> int:
    from cloudformation.deploy.errors import RefusedError
    from cloudformation.deploy.removal import Allowed, Removal
    from cloudformation.deploy.watch import Patience

    environment, _, _ = _read(arguments)
    if arguments.confirm is None and not sys.stdin.isatty():
        raise RefusedError("nobody can be asked here (stdin is no terminal); give --confirm PROJECT-ENVIRONMENT")
    typed = _typed if arguments.confirm is None else lambda _: str(arguments.confirm)
    allowed = Allowed(
        empty=arguments.empty_buckets or arguments.empty_customer_data,
        customers=arguments.empty_customer_data,
        unprotect=arguments.lift_protection,
    )
    patience = Patience(seconds=60 * arguments.timeout)
    deleted = Removal(environment, _clouds(arguments), _say, typed, allowed, patience).run()
    _say(f"{deleted} stacks deleted")
    return 0


def _cost(arguments: argparse.Namespace) -> int:
    from cloudformation.deploy import reporting

    environment, library, choices = _read(arguments, reporting.REGION)
    asked = reporting.Asked(
        traffic=arguments.traffic,
        slots=arguments.slots,
        megabits=arguments.megabits,
        utilisation=arguments.utilisation,
        spot_share=arguments.spot_share,
    )
    report = reporting.report(environment, library, choices, reporting.prices(arguments.prices), asked)
    for line in report.warnings:
        _warn(line)
    if arguments.json == "-":
        print(report.as_json())
        return 0
    if arguments.json:
        Path(arguments.json).write_text(report.as_json() + "\n", encoding="utf-8")
    for line in reporting.told(report):
        _say(line)
    return 0


def _typed(question: str) -> str:
    """What a person answers; the end of the input is an empty answer."""
    try:
        return input(question)
    except EOFError:
        return ""


def _say(line: str) -> None:
    print(line, flush=True)


def _warn(line: str) -> None:
    print(f"vitrine: {line}", file=sys.stderr, flush=True)


def _bad(line: str) -> Exception:
    from cloudformation.deploy.errors import DeployError

    return DeployError(line)

"""What the stacks' parameters get, and which entries of limits.yaml's `values`, `instead` and `ssm` nobody needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cloudformation.deploy.template import Parameter
from cloudformation.emulation import deploy
from cloudformation.emulation.deploy import Stack
from cloudformation.emulation.servers import Emulator, EmulatorError
from cloudformation.emulation.source import Limits, Source

_STORED = "AWS::SSM::Parameter::Value"


class Given:
    """Outputs of the stacks so far, and what stands for the operator."""

    def __init__(self, limits: Limits, sources: Mapping[str, Source]) -> None:
        self._limits = limits
        self._sources = sources
        self._now: dict[str, str] = {}
        self._early: set[str] = set()  # of `values`: were there before the first that took them
        self._refused: set[str] = set()  # of `instead`: a stack's own was no value of a parameter that takes it
        self._wrong: list[str] = []

    def begin(self, emulator: Emulator, environment: str) -> None:
        """An environment in an emulator that has nothing yet. Puts there what Systems Manager has to have."""
        everything = self._limits.everything if environment == "prod" else {}
        self._now = {"Environment": environment, **everything}
        for name, value in self._limits.ssm.items():
            if _resolves(emulator, name):
                self._wrong.append(f"limits.yaml: ssm: {name} is there by itself, or not asked for")
            emulator.client("ssm").put_parameter(Name=name, Value=value, Type="String")

    def values(self, name: str, **more: str) -> dict[str, str]:
        """For a template's parameters. Raises EmulatorError for one that nobody gives."""
        return deploy.values_for(
            self._sources[name].template, {**self._now, **self._limits.values, **self._limits.instead, **more}, {}
        )

    def take(self, stack: Stack) -> None:
        """A stack is there, with outputs."""
        for name, value in stack.outputs.items():
            self._now.setdefault(name, value)
            if name in self._limits.values and name not in stack.values:
                self._early.add(name)
            if name in self._limits.instead and not all(_fits(one, value) for one in self._takers(name)):
                self._refused.add(name)

    def problems(self) -> Iterator[str]:
        """Entries that nothing needs."""
        yield from self._wrong
        for name, value in self._limits.values.items():
            takers = self._takers(name)
            if not takers or all(one.default == value for one in takers):
                yield f"limits.yaml: values: {name} is taken by no template, or by default"
            if name in self._early:
                yield f"limits.yaml: values: {name} is given by a stack"
        for name in sorted(self._limits.instead.keys() - self._refused):
            yield f"limits.yaml: instead: what the stack gives as {name} will do by now"
        stored = {self._limits.values.get(one.name) for one in self._parameters() if one.type.startswith(_STORED)}
        for name in sorted(self._limits.ssm.keys() - stored):
            yield f"limits.yaml: ssm: {name} is asked for by no parameter"

    def _parameters(self) -> Iterator[Parameter]:
        for source in self._sources.values():
            yield from source.template.parameters.values()

    def _takers(self, name: str) -> list[Parameter]:
        return [one for one in self._parameters() if one.name == name]


def _fits(parameter: Parameter, value: str) -> bool:
    return parameter.pattern is None or re.search(parameter.pattern, value) is not None


def _resolves(emulator: Emulator, name: str) -> bool:
    """Whether a stack whose parameter is stored under this name can be made."""
    document = {
        "Parameters": {"Stored": {"Type": f"{_STORED}<String>", "Default": name}},
        "Resources": {"Probe": {"Type": "AWS::Logs::LogGroup"}},
    }
    try:
        deploy.create(emulator, "probe", document, {})
    except EmulatorError:
        return False
    deploy.delete(emulator, "probe")
    return True

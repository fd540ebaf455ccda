"""A slice of the fuzzer, and the fuzzer itself: that it sees what it is there to see. `make fuzz` runs all of it."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from renderer.errors import LimitError
from tests.fuzz import runner
from tests.fuzz.mutations import MUTATIONS
from tests.fuzz.outcome import ALLOWED, LIMITS, outcome
from tests.fuzz.runner import Corpus, run
from tests.fuzz.seeds import seeds
from tests.unit.glb import triangle


@pytest.mark.parametrize("name", sorted(seeds()))
def test_every_seed_is_whole(name: str) -> None:
    assert outcome(seeds()[name].data()) == "scene"


def test_a_slice_of_hostile_files_does_no_harm(tmp_path: Path) -> None:
    tally = run(0, 1000, Corpus(), tmp_path)
    assert tally.failures == []
    assert {"scene", "FormatError", "LimitError", "UnsupportedError"} == set(tally.outcomes) == ALLOWED


def test_a_number_names_a_file() -> None:
    assert Corpus().file(7) == Corpus().file(7)
    assert len({Corpus().file(index)[1] for index in range(50)}) >= 48


def test_every_mutation_changes_its_model_and_leaves_the_seed_alone() -> None:
    for name, seed in seeds().items():
        before = seed.data()
        for _, mutation in MUTATIONS:
            made = {bytes(mutation(random.Random(number), seed, [triangle(), seed])) for number in range(12)}
            assert len(made) > 2, (name, mutation.__name__)
        assert seed.data() == before


def test_limits_can_be_told() -> None:
    assert outcome(seeds()["draco"].data(), replace(LIMITS, vertices=10)) == LimitError.__name__


# ---------------------------------------------------------------------------------- readers with one fault each


def fault(data: bytes) -> bool:
    """The third file of a run; the others are read without fault."""
    return data == Corpus().file(2)[1]


def crashing(data: bytes) -> str:
    if fault(data):
        os.kill(os.getpid(), signal.SIGSEGV)
    return "scene"


def hanging(data: bytes) -> str:
    if fault(data):
        time.sleep(600)
    return "scene"


def spinning(data: bytes) -> str:
    while fault(data):
        pass
    return "scene"


def wasting(data: bytes) -> str:
    if fault(data):
        bytearray(b"x") * (runner.MEMORY + (128 << 20))
    return "scene"


def greedy(data: bytes) -> str:
    if fault(data):
        bytearray(2 * runner.ADDRESS_SPACE)
    return "scene"


def raising(data: bytes) -> str:
    return "scene" if not fault(data) else str({}["nothing"])


@pytest.mark.parametrize(
    ("target", "what"),
    [
        (crashing, "ends the process with code -11"),
        (hanging, r"does not end in 2\.4 s"),
        (spinning, r"takes more than 0\.2 s"),
        (wasting, r"takes \d+ MiB"),
        (greedy, "MemoryError"),
        (raising, r"KeyError: 'nothing' \(test_fuzz.py:"),
    ],
)
def test_the_fuzzer_sees(target: Callable[[bytes], str], what: str, tmp_path: Path) -> None:
    tally = run(0, 5, Corpus(), tmp_path, target, seconds=0.2 if target in (hanging, spinning) else runner.SECONDS)
    assert dict(tally.outcomes) == {"scene": 4}
    (failure,) = tally.failures
    assert failure.index == 2
    assert re.match(what, failure.what), failure.what
    assert failure.path.read_bytes() == Corpus().file(2)[1]

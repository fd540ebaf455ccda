"""Every template in emulators: made, read back, asked for again, changed, deleted. Exit status 0: as limits.yaml says.

python -m cloudformation.emulation            dev and prod, nested, and moto's part, against limits.yaml
python -m cloudformation.emulation --show     the same, and prints the lists as they would have to be
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from cloudformation.deploy.errors import DeployError
from cloudformation.emulation.nested import Whole
from cloudformation.emulation.rounds import Round
from cloudformation.emulation.second import Second
from cloudformation.emulation.servers import EmulatorError, ministack, moto
from cloudformation.emulation.source import load_limits, load_templates

ENVIRONMENTS = ("dev", "prod")  # with everything on in the last


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything was as limits.yaml says. 1: something was not. 2: an emulator or a stack failed."""
    parser = argparse.ArgumentParser(
        prog="emulate", description="deploys the CloudFormation templates into an emulator"
    )
    parser.add_argument("--show", action="store_true", help="print the lists of limits.yaml as they would have to be")
    options = parser.parse_args(arguments)
    try:
        limits, sources = load_limits(), load_templates()
        done, second = Round(limits, sources), Second(limits, sources)
        whole = Whole(done)
        for environment in ENVIRONMENTS:
            with ministack() as emulator:
                _tell(done.run(emulator, environment))
        with ministack() as emulator:
            _tell(whole.run(emulator, ENVIRONMENTS[-1]))
        for environment in ENVIRONMENTS:
            with moto() as emulator:
                _tell(second.run(emulator, environment))
    except (EmulatorError, DeployError) as error:
        print(f"emulate: {error}", file=sys.stderr)
        return 2
    problems = [*done.problems(), *whole.problems(), *second.problems()]
    for problem in problems:
        print(problem)
    if options.show:
        print(done.lists())
    return 1 if problems else 0


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Every template in ministack: made, read back, asked for again, changed, deleted. Exit status 0: as limits.yaml says.

python -m cloudformation.emulation            dev and prod, against limits.yaml
python -m cloudformation.emulation --show     the same, and prints the lists as they would have to be
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cloudformation.deploy.errors import DeployError
from cloudformation.emulation import rounds
from cloudformation.emulation.servers import EmulatorError, ministack


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything was as limits.yaml says. 1: something was not. 2: an emulator or a stack failed."""
    parser = argparse.ArgumentParser(
        prog="emulate", description="deploys the CloudFormation templates into an emulator"
    )
    parser.add_argument("--show", action="store_true", help="print the lists of limits.yaml as they would have to be")
    options = parser.parse_args(arguments)
    try:
        limits = rounds.load_limits()
        done = rounds.Round(limits, rounds.load_templates())
        for environment in ("dev", "prod"):
            with ministack() as emulator:
                print("\n".join(done.run(emulator, environment)))
    except (EmulatorError, DeployError) as error:
        print(f"emulate: {error}", file=sys.stderr)
        return 2
    problems = done.problems()
    for problem in problems:
        print(problem)
    if options.show:
        print(done.lists())
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

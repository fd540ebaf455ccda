"""`python -m tests.infra.image`: makes the image, boots it as an instance would, and says point by point what holds.

Needs root, systemd-nspawn, mmdebstrap, iproute2, nftables and Debian's packages; some minutes and 4 GB of disk: `make
image`, no part of `make test`. With --gpu the driver's half is installed, too, and validated as far as files can.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from tests.infra.image import network, outside, rootfs
from tests.infra.image.machine import Machine, PointError, booted, until

MODEL = "armchair"
DRAIN_SECONDS = 4
GROUP = "vitrine-dev-render-base"
_URL = f"http://{network.PRIVATE}:8080"
_METADATA = {
    "ami-id": "ami-00000000000000000",
    "instance-id": "i-00000000000000001",
    "instance-type": "g5.xlarge",
    "hostname": "ip-10-77-0-5.ec2.internal",
    "local-hostname": "ip-10-77-0-5.ec2.internal",
    "local-ipv4": network.PRIVATE,
    "public-ipv4": network.PUBLIC,
    "placement/region": "eu-central-1",
    "placement/availability-zone": "eu-central-1a",
    "instance-life-cycle": "on-demand",
    "tags/instance/fleet-group": GROUP,
    "autoscaling/target-lifecycle-state": "InService",
    "iam/security-credentials/vitrine": json.dumps(
        {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": "test",
            "SecretAccessKey": "test",
            "Token": "test",
            "LastUpdated": "2026-01-01T00:00:00Z",
            "Expiration": "2099-01-01T00:00:00Z",
        }
    ),
}
#: As the launch template's, but with a folder of models for a store, and without tokens.
_USER_DATA = f"""#!/bin/bash
set -euo pipefail
cat >/etc/vitrine/.new <<'END'
REQUIRE_GPU=0
VITRINE_SELFTEST=--allow-software
VITRINE_MODELS=/srv/models
VITRINE_OPEN=1
VITRINE_DRAIN_SECONDS={DRAIN_SECONDS}
VITRINE_FLEET_GROUP={GROUP}
AWS_ENDPOINT_URL_AUTO_SCALING=http://{outside.SERVICES[0]}:{outside.SERVICES[1]}
END
chgrp vitrine /etc/vitrine/.new
chmod 0640 /etc/vitrine/.new
mv /etc/vitrine/.new /etc/vitrine/vitrine.env
"""


class Proof:
    """Points that hold, counted and said as they come."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.count = 0

    @contextmanager
    def point(self, name: str) -> Iterator[list[str]]:
        """What the block proves. It may add what it saw."""
        begun, seen = time.monotonic(), list[str]()
        yield seen
        self.count += 1
        detail = f": {'; '.join(seen)}" if seen else ""
        say(f"ok   {name}{detail} ({time.monotonic() - begun:.1f} s)")

    def tell(self, **changes: str) -> None:
        """What the metadata service says from now on."""
        (self.state / "metadata.json").write_text(json.dumps({**_METADATA, **changes}))

    def answered(self) -> str:
        """The last answer that the launch hook got."""
        file = self.state / "calls.jsonl"
        calls = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        ended = [call for call in calls if call["Action"] == "CompleteLifecycleAction"]
        wanted = {"AutoScalingGroupName": GROUP, "LifecycleHookName": "launch", "InstanceId": _METADATA["instance-id"]}
        demand(ended and wanted.items() <= ended[-1].items(), f"the launch hook was not answered: {calls}")
        return str(ended[-1]["LifecycleActionResult"])


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def demand(holds: object, what: str) -> None:
    if not holds:
        raise PointError(what)


def make(proof: Proof, folder: Path, archive: Path | None) -> Path:
    """The image without a GPU: built and valid."""
    with proof.point("a bare Debian 12 by mmdebstrap"):
        base = rootfs.debian(folder / "base")
    with proof.point("the bundle") as seen:
        archive = archive or rootfs.bundle(folder / "ami.tar.gz")
        seen.append(f"{archive.stat().st_size >> 20} MiB")
    with proof.point("every step of the recipe, SOFTWARE=1"):
        image = rootfs.build(base, archive, folder / "software", SOFTWARE="1", AGENTS="none")
    with proof.point("validate.sh --software accepts it, and without that refuses it") as seen:
        code, text = rootfs.validate(image, "--software")
        demand(code == 0, text)
        code, refused = rootfs.validate(image)
        failed = [line.split()[1].rstrip(":") for line in refused.splitlines() if line.startswith("FAIL")]
        demand(code == 1 and {"egl-vendor", "nvenc-library", "gpu-required"} <= set(failed), refused)
        seen.append(
            f"{sum(line.startswith('ok ') for line in text.splitlines())} checks; refused for {len(set(failed))}"
        )
    return image


def make_gpu(proof: Proof, folder: Path, archive: Path, *, kernel: bool) -> None:
    """The driver's half: whatever files can tell must be right, and what needs the device is named."""
    with proof.point(f"NVIDIA's user-space half{' and the kernel module' if kernel else ''} from Debian's non-free"):
        given = {"AGENTS": "none", "DRIVER_KERNEL": "1" if kernel else "0"}
        image = rootfs.build(folder / "base", archive, folder / "gpu", **given)
    with proof.point("validate.sh accepts it") as seen:
        code, text = rootfs.validate(image, *([] if kernel else ["--skip", "gpu-modules"]))
        demand(code == 0, text)
        seen += [line.strip("! ") for line in text.splitlines() if "left out" in line]
    with proof.point("without its EGL vendor file it is refused"):
        for file in (image / "usr/share/glvnd/egl_vendor.d").glob("*nvidia*"):
            file.unlink()
        code, text = rootfs.validate(image, "--only", "egl-vendor")
        demand(code == 1 and "FAIL egl-vendor" in text, text)


def first_boot(proof: Proof, machine: Machine) -> None:
    """From user data to a served viewer, and to the end of it."""
    with proof.point("user data, through cloud-init, configures the host; the self-test passes in its sandbox") as seen:
        until(lambda: machine.show("vitrine-selftest", "ActiveState") == "active", 90, "the self-test has not passed")
        report = json.loads(next(line for line in machine.journal("vitrine-selftest").splitlines() if "{" in line))
        demand(report["selftest"] == "passed" and report["software"], str(report))
        seen.append(f"{len(report['checks'])} checks, {report['renderer']}, {report['encoders']['video/H264']}")
    with proof.point("the launch hook is answered with CONTINUE"):
        demand(proof.answered() == "CONTINUE", proof.answered())
    with proof.point("the host knows its public address from IMDSv2"):
        demand(f"VITRINE_PUBLIC_ADDRESS={network.PUBLIC}" in identity(machine), identity(machine))
    ready(proof, machine)
    with proof.point("its processes have no rights") as seen:
        seen.append(rights(machine))
    with proof.point("a still of a demo model") as seen:
        seen.append(f"{still()} bytes")
    with proof.point("credentials of the host: root and vitrine may ask for them, others are refused"):
        for user, may in (("root", True), ("vitrine", True), ("nobody", False), ("_chrony", False)):
            demand(asks_metadata(machine, user) == may, f"{user}: expected {may}")
    with proof.point("logs are files, JSON, for root and adm only"):
        line = machine.run("tail", "-n", "1", "/var/log/vitrine/server.log").stdout
        demand(json.loads(line)["message"], line)
        mode = machine.run("stat", "-c", "%U:%G %a", "/var/log/vitrine/server.log").stdout.strip()
        demand(mode == "root:adm 640", mode)
    drain(proof, machine)
    refusal(proof, machine)
    with proof.point("power off") as seen:
        seen.append(f"{machine.poweroff(30):.1f} s")


def identity(machine: Machine) -> str:
    return machine.run("cat", "/run/vitrine-identity/identity.env").stdout


def ready(proof: Proof, machine: Machine) -> None:
    with proof.point("vitrine.service is up and /readyz answers 200") as seen:
        until(lambda: fetch("/readyz")[0] == 200, 60, "/readyz")
        seen.append(json.loads(fetch("/readyz")[1]).get("state", "") or "200")
        demand(machine.show("vitrine", "ActiveState") == "active", "vitrine.service is not active")


def fetch(path: str) -> tuple[int, bytes]:
    """Status and body, asked from outside; 0 when nobody answers."""
    command = ["curl", "--silent", "--noproxy", "*", "--max-time", "30", "--write-out", "\n%{http_code}", _URL + path]
    done = subprocess.run(network.outside(*command), capture_output=True, check=False)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status or 0), body


def still() -> int:
    status, body = fetch(f"/render/{MODEL}.jpg?size=320x240")
    demand(status == 200 and body[:2] == b"\xff\xd8", f"HTTP {status}: {body[:200]!r}")
    return len(body)


def rights(machine: Machine) -> str:
    """What the kernel says of each process of the service."""
    main = machine.show("vitrine", "MainPID")
    pids = machine.run("pgrep", "-u", "vitrine").stdout.split()
    demand(main in pids and len(pids) >= 4, f"{pids} are the user's processes")
    for pid in pids:
        status = machine.run("cat", f"/proc/{pid}/status").stdout
        if status:  # one that reads models may have ended
            facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            demand(facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2", f"{facts['Name']}: {status}")
            demand(int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0, f"{facts['Name']}: {status}")
    return f"{len(pids)} processes: no capability, seccomp, no new privileges"


def asks_metadata(machine: Machine, user: str) -> bool:
    url = "http://169.254.169.254/latest/api/token"
    ask = ["curl", "-sf", "--max-time", "3", "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", url]
    done = machine.run("setpriv", f"--reuid={user}", "--clear-groups", *ask)
    return done.returncode == 0 and done.stdout == outside.TOKEN


@contextmanager
def viewer() -> Iterator[subprocess.Popen[str]]:
    """A WebRTC viewer outside, which has had its first packet when the block begins."""
    path = f"/whep/{MODEL}"
    command = [sys.executable, "-m", "benchmarks.viewers", _URL, path, "1", "640", "360"]
    process = subprocess.Popen(
        network.outside(*command), cwd=rootfs.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if line.strip() != "joined 1":
            process.kill()
            raise PointError(f"the viewer did not join: {process.communicate()[1][-500:]}")
        yield process
    finally:
        process.kill()
        process.wait()


def drain(proof: Proof, machine: Machine) -> None:
    with ExitStack() as stack:
        with proof.point("POST /whep: a viewer behind 1:1 NAT has pictures, from the public address"):
            stack.enter_context(viewer())
            until(lambda: json.loads(fetch("/readyz")[1])["sessions"] == 1, 10, "the session")
        with proof.point(f"systemctl stop drains it: {DRAIN_SECONDS} s for the viewer who stays, then the end") as seen:
            begun = time.monotonic()
            done = machine.run("systemctl", "stop", "vitrine", seconds=DRAIN_SECONDS + 30)
            seconds = time.monotonic() - begun
            demand(done.returncode == 0, done.stderr)
            demand(machine.show("vitrine", "Result") == "success", machine.journal("vitrine"))
            demand(machine.show("vitrine", "ExecMainStatus") == "0", machine.journal("vitrine"))
            demand(DRAIN_SECONDS - 1 <= seconds <= DRAIN_SECONDS + 4, f"took {seconds:.1f} s")
            demand(not machine.run("pgrep", "-u", "vitrine").stdout, "processes are left")
            seen.append(f"{seconds:.1f} s, exit code 0")


def refusal(proof: Proof, machine: Machine) -> None:
    """The same image, told to require a GPU: it must not serve."""
    with proof.point("REQUIRE_GPU=1: the self-test fails with a line that says why, and nothing is served") as seen:
        machine.run("sed", "-i", "s/^REQUIRE_GPU=.*/REQUIRE_GPU=1/", "/etc/vitrine/vitrine.env")
        machine.run("systemctl", "stop", "vitrine.path", "vitrine", "vitrine-selftest")
        done = machine.run("systemctl", "start", "vitrine", seconds=120)
        demand(done.returncode != 0, "vitrine.service started")
        demand(machine.show("vitrine-selftest", "Result") == "exit-code", "the self-test did not fail")
        lines = [
            line
            for line in machine.journal("vitrine-selftest").splitlines()
            if line.startswith("vitrine: selftest: device")
        ]
        demand(lines and fetch("/healthz")[0] == 0, machine.journal("vitrine-selftest"))
        seen.append(lines[-1][:100])
        demand(proof.answered() == "ABANDON", proof.answered())
        seen.append("the launch hook is answered with ABANDON")
        machine.run("sed", "-i", "s/^REQUIRE_GPU=.*/REQUIRE_GPU=0/", "/etc/vitrine/vitrine.env")


def second_boot(proof: Proof, machine: Machine) -> None:
    """As from a warm pool: no user data, another public address, and it serves."""
    ready(proof, machine)
    with proof.point("started again, it has its new public address and serves a viewer there"):
        demand(f"VITRINE_PUBLIC_ADDRESS={network.PUBLIC_AGAIN}" in identity(machine), identity(machine))
        with viewer():
            pass
    with proof.point("no unit has failed"):
        failed = machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout
        ours = [line for line in failed.splitlines() if not line.startswith(("systemd-modules-load", "systemd-sysctl"))]
        demand(not ours, failed)
    with proof.point("power off, with the service up") as seen:
        seen.append(f"{machine.poweroff(30):.1f} s")


def boots(proof: Proof, image: Path, models: Path) -> None:
    """Both boots, in a network that is translated as EC2's."""
    shutil.copytree(models, image / "srv/models", dirs_exist_ok=True)
    (proof.state / "user-data").write_text(_USER_DATA)
    console = proof.state / "console.log"
    with network.networks(), _cloud(proof.state):
        for boot, address in ((first_boot, network.PUBLIC), (second_boot, network.PUBLIC_AGAIN)):
            proof.tell(**{"public-ipv4": address})
            with booted(image, console) as machine:
                _try(boot, proof, machine)


def _try(boot: Callable[[Proof, Machine], None], proof: Proof, machine: Machine) -> None:
    try:
        boot(proof, machine)
    except PointError:
        if machine.process.poll() is None:
            say(machine.journal())
        raise


@contextmanager
def _cloud(state: Path) -> Iterator[None]:
    command = network.outside(sys.executable, "-m", "tests.infra.image.outside", str(state))
    process: subprocess.Popen[Any] = subprocess.Popen(command, cwd=rootfs.ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def demo(folder: Path) -> Path:
    """The demo products, made once."""
    from demo import ensure

    ensure(folder)
    return folder


def main(arguments: argparse.Namespace, errors: IO[str]) -> int:
    """All points, in order; the first that does not hold ends it."""
    folder: Path = arguments.folder.resolve()
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    proof = Proof(state)
    try:
        rootfs.ensure_tools()
        image = folder / "software"
        if not arguments.boot:
            make(proof, folder, arguments.bundle)
        boots(proof, image, demo(rootfs.ROOT / ".cache/demo"))
        if arguments.gpu:
            make_gpu(proof, folder, arguments.bundle or folder / "ami.tar.gz", kernel=arguments.module)
    except (PointError, rootfs.BuildError) as error:
        errors.write(f"FAIL {error}\n")
        return 1
    finally:
        if not arguments.keep:
            for name in ("software", "gpu", "state"):
                shutil.rmtree(folder / name, ignore_errors=True)
    say(f"{proof.count} points hold")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.infra.image", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/image"), help="for root file systems")
    parser.add_argument("--bundle", type=Path, help="an archive that is there already")
    parser.add_argument("--boot", action="store_true", help="only boot what --keep has left")
    parser.add_argument("--gpu", action="store_true", help="also the driver's user-space half (300 MB more)")
    parser.add_argument("--module", action="store_true", help="with its kernel module, compiled (ten minutes more)")
    parser.add_argument("--keep", action="store_true", help="leave the root file systems")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(parse(), sys.stderr))

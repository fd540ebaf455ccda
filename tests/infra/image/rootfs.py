"""Makes the root file system of an image: Debian 12 by mmdebstrap, then the bundle's steps inside of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUNDLE = "/opt/vitrine-image"
#: What an EC2 image of Debian has, as far as the recipe builds on it.
_BASE = "systemd,systemd-sysv,dbus,ca-certificates,openssh-server"
_POLICY = "#!/bin/sh\nexit 101\n"  # packages start no services while an image is made of a folder


class BuildError(Exception):
    """A step of the recipe failed; the message has its last lines."""


#: Commands that all of it needs, and Debian's packages that have them.
_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "systemd-analyze": "systemd",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "curl": "curl",
}


def ensure_tools() -> None:
    """Install what is missing; BuildError that names it where that cannot be done."""
    lacking = sorted({package for name, package in _TOOLS.items() if shutil.which(name) is None})
    if os.geteuid() != 0:
        raise BuildError("root is needed, to make a root file system and to boot it")
    if lacking and shutil.which("apt-get") is None:
        raise BuildError(f"missing here: {', '.join(lacking)} (names of Debian's packages)")
    if lacking:
        _call(["apt-get", "update", "-q"])
        _call(["apt-get", "install", "-yq", "--no-install-recommends", *lacking], DEBIAN_FRONTEND="noninteractive")


def debian(folder: Path) -> Path:
    """A bare Debian 12 in `folder`, made once."""
    if not folder.exists():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        _call(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_BASE}", "bookworm", str(part)])
        part.rename(folder)
    return folder


def bundle(output: Path) -> Path:
    """The recipe's bundle of the last commit."""
    _call([str(ROOT / "ami/bundle.sh"), str(output)])
    return output


def build(base: Path, archive: Path, folder: Path, **parameters: str) -> Path:
    """A copy of `base` in `folder`, in which `install.sh` has run with the parameters."""
    shutil.rmtree(folder, ignore_errors=True)
    _call(["cp", "-a", "--reflink=auto", str(base), str(folder)])
    inside = folder / BUNDLE.lstrip("/")
    inside.mkdir(parents=True)
    _call(["tar", "-xzf", str(archive), "-C", str(inside)])
    policy = folder / "usr/sbin/policy-rc.d"
    policy.write_text(_POLICY)
    policy.chmod(0o755)
    given = [f"--setenv={name}={value}" for name, value in parameters.items()]
    nspawn = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", "--resolv-conf=replace-host"]
    _call([*nspawn, "-D", str(folder), *given, f"{BUNDLE}/ami/install.sh"])
    policy.unlink()
    names = folder / "etc/resolv.conf"
    names.unlink(missing_ok=True)
    names.write_text("")  # nobody answers where it boots, and asking this machine's servers would only take time
    return folder


def validate(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and lines of `validate.sh` about the image."""
    script = folder / BUNDLE.lstrip("/") / "ami/validate.sh"
    done = subprocess.run(
        [str(script), "--root", str(folder), *arguments],
        env={**os.environ, "AGENTS": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _call(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        ["nice", "-n", "10", *command],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"{command[0]} ended with {done.returncode}:\n" + "\n".join(done.stdout.splitlines()[-25:]))

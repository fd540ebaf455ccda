"""What has to lie in S3 before CloudFormation can be asked. Owns the keys, which say the content; reads no template.

The templates' folder is named by a digest of them all: an unchanged set is uploaded once, and a change set can always
be traced to the very bytes it was made of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudformation.deploy.errors import ParameterError
from cloudformation.deploy.port import Cloud
from cloudformation.deploy.template import Template

_BLOCK = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class Bundle:
    """The image's sources as one archive. sha256: of the file, in hexadecimal."""

    path: Path
    sha256: str

    @property
    def key(self) -> str:
        """Where it goes in the bucket."""
        return f"ami/{self.sha256}.tar.gz"


def digest(library: Mapping[str, Template]) -> str:
    """16 hexadecimal digits of SHA-256 over names and texts."""
    total = hashlib.sha256()
    for name in sorted(library):
        data = library[name].text.encode("utf-8")
        total.update(f"{name} {len(data)}\n".encode() + data)
    return total.hexdigest()[:16]


def bundle(path: Path | None) -> Bundle | None:
    """The archive that `ami/bundle.sh` wrote; a checksum file beside it must agree. Raises ParameterError."""
    if path is None:
        return None
    if not path.is_file():
        raise ParameterError(f"--ami-bundle {path}: no such file; ami/bundle.sh makes one")
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total.update(block)
    told = path.with_name(f"{path.name}.sha256")
    if told.is_file() and told.read_text("utf-8").split()[:1] != [total.hexdigest()]:
        raise ParameterError(f"--ami-bundle {path}: its bytes are not those of {told.name}; run ami/bundle.sh again")
    return Bundle(path, total.hexdigest())


def bucket_name(project: str, account: str, region: str) -> str:
    """The template bucket of an account in a region."""
    return f"{project}-templates-{account}-{region}"


@dataclass(frozen=True)
class Uploaded:
    """Where things lie in one region. base: TemplateBase, no slash at its end; uploads: objects that were new."""

    bucket: str
    base: str
    made: bool
    uploads: int


def upload(
    cloud: Cloud, project: str, environment: str, library: Mapping[str, Template], image: Bundle | None
) -> Uploaded:
    """Brings everything to the template bucket of the cloud's region."""
    bucket = bucket_name(project, cloud.account(), cloud.region)
    made = cloud.ensure_bucket(bucket)
    prefix = f"{project}/{environment}/{digest(library)}"
    fresh = [cloud.put(bucket, f"{prefix}/{name}.yaml", one.text.encode("utf-8")) for name, one in library.items()]
    if image is not None:
        fresh.append(cloud.put(bucket, image.key, image.path))
    return Uploaded(bucket, cloud.template_url(bucket, prefix), made, sum(fresh))

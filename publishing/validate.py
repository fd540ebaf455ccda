"""Whether a file keeps glTF's rules: our own reader always, Khronos' gltf-validator where node has it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from publishing.facts import Report
from renderer.errors import SceneError
from renderer.gltf.buffers import read_file
from renderer.limits import DEFAULT_LIMITS, Limits
from renderer.load import GLTF_SUFFIXES, load_scene

__all__ = ["Report", "validate"]

_SECONDS = 120.0
_MOST_LINES = 100
#: Findings that say nothing about the file: extensions that the validator does not know, tangents that are derived.
_IGNORED = ("UNSUPPORTED_EXTENSION", "MESH_PRIMITIVE_GENERATED_TANGENT_SPACE")
#: Side files are read only from the model's own folder, as our reader does.
_SCRIPT = """
const validator = require('gltf-validator'), fs = require('fs'), path = require('path');
const [file, ignored] = [process.argv[1], JSON.parse(process.argv[2])];
const folder = fs.realpathSync(path.dirname(file));
const read = uri => new Promise((give, refuse) => {
  const wanted = fs.realpathSync(path.resolve(folder, decodeURIComponent(uri)));
  if (!wanted.startsWith(folder + path.sep)) return refuse('outside the folder');
  give(new Uint8Array(fs.readFileSync(wanted)));
});
const options = { ignoredIssues: ignored, maxIssues: 200, externalResourceFunction: read };
validator.validateBytes(new Uint8Array(fs.readFileSync(file)), options)
  .then(report => console.log(JSON.stringify({ version: validator.version(), messages: report.issues.messages })))
  .catch(error => console.log(JSON.stringify({ version: validator.version(), failure: String(error) })));
"""
#: Errors to the letter that readers cope with and that optimising mends: bounds of positions that are missing or
#: rounded, directions of another length, a coat whose normal map alone gives the tangents.
_BEARABLE = frozenset(
    {
        "ACCESSOR_MAX_MISMATCH",
        "ACCESSOR_MIN_MISMATCH",
        "ACCESSOR_VECTOR3_NON_UNIT",
        "MESH_PRIMITIVE_NO_TANGENT_SPACE",
        "MESH_PRIMITIVE_POSITION_ACCESSOR_WITHOUT_BOUNDS",
    }
)
#: Severities of the validator, by number.
_ERROR, _WARNING = 0, 1


def validate(path: Path, limits: Limits = DEFAULT_LIMITS) -> Report:
    """Everything that is wrong with a model file; raises a SceneError only when there is no file."""
    read_file(path, limits.file_bytes, path.name)
    errors: list[str] = []
    warnings: list[str] = []
    infos: list[str] = []
    validators = ["vitrine"]
    try:
        warnings += load_scene(path, limits).warnings
    except SceneError as error:
        errors.append(str(error))
    if path.suffix.lower() in GLTF_SUFFIXES:
        answer = _ask(path)
        if answer is not None:
            validators.append(f"gltf-validator {answer.get('version', '')}".strip())
            _sort(answer, errors, warnings, infos)
    return Report(tuple(errors), tuple(warnings), tuple(infos), tuple(validators))


def _ask(path: Path) -> dict[str, Any] | None:
    """What Khronos' validator says, None where it is not installed or does not answer."""
    node = shutil.which("node")
    if node is None:
        return None
    command = [node, "--max-old-space-size=2048", "-e", _SCRIPT, str(path.resolve()), json.dumps(_IGNORED)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)
        found = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return found if isinstance(found, dict) else None


def _sort(answer: dict[str, Any], errors: list[str], warnings: list[str], infos: list[str]) -> None:
    """The validator's findings as lines, each kind of finding at most a hundred times."""
    if "failure" in answer:
        errors.append(f"gltf-validator: {str(answer['failure'])[:200]}")
    for message in answer.get("messages", []):
        severity = _WARNING if message.get("code") in _BEARABLE else message.get("severity", _ERROR)
        lines = errors if severity == _ERROR else warnings if severity == _WARNING else infos
        if len(lines) < _MOST_LINES:
            place = f"{message['pointer']}: " if message.get("pointer") else ""
            lines.append(f"{place}{message.get('message', '')} ({message.get('code', '')})")

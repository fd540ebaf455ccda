"""What the documents claim about extensions, formats, options and settings, against the code."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import vitrine
from assets import local
from renderer.extensions import FILE_EXTENSIONS, MATERIAL_EXTENSIONS
from renderer.extensions.declaration import Hook
from renderer.gltf.container import open_container
from renderer.limits import DEFAULT_LIMITS
from renderer.load import SUFFIXES
from streaming.config import Config

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT.parent / "shared/testdata/fidelity"
REGISTRY = {**MATERIAL_EXTENSIONS, **FILE_EXTENSIONS}
DOCUMENTS = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")] + sorted(
    ROOT.glob("docs/*.md")
)


def rows() -> dict[str, list[str]]:
    """Extension → the other cells of its row in docs/extensions.md."""
    text = (ROOT / "docs/extensions.md").read_text("utf-8")
    found = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| (KHR|EXT)_", line)]
    return {cells[0]: [cell.strip("| ") for cell in cells[1:]] for cells in found}


def paths(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_extensions_is_the_registry() -> None:
    assert list(rows()) == list(REGISTRY)


@pytest.mark.parametrize("name", list(REGISTRY))
def test_an_extension_has_its_files_and_a_test_that_names_it(name: str) -> None:
    _, drawn, tests, *_ = rows()[name]
    for path in paths(drawn):
        assert (ROOT / path).is_file() or (ROOT / "renderer/extensions" / path).is_file(), path
    assert paths(tests)
    texts = [(ROOT / "tests" / path).read_text("utf-8") for path in paths(tests)]
    assert any(name in text for text in texts), f"none of {paths(tests)} names {name}"


def test_every_hook_of_a_shader_is_explained() -> None:
    text = (ROOT / "docs/extensions.md").read_text("utf-8")
    assert set(re.findall(r"^   \| (\w+) \| `", text, re.MULTILINE)) == set(get_args(Hook))


@pytest.mark.shared
def test_the_scenarios_of_the_table_use_what_they_stand_for() -> None:
    if not SUITE.is_dir():
        pytest.skip("needs ../shared/testdata/fidelity")
    listed = json.loads((SUITE / "config.json").read_text("utf-8"))["scenarios"]
    models = {scenario["name"]: scenario["model"] for scenario in listed}
    for name, cells in rows().items():
        for scenario in cells[3].split() if len(cells) > 3 else []:
            data = (SUITE / models[scenario]).read_bytes()
            assert name in open_container(data, DEFAULT_LIMITS).root.strings("extensionsUsed"), (name, scenario)


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from parsers(child)


def options() -> set[str]:
    """Every long option of every command."""
    every = parsers(vitrine.build_parser())
    return {option for parser in every for action in parser._actions for option in action.option_strings}


def test_documents_name_only_options_that_exist() -> None:
    known = options()
    wrong = []
    for page in DOCUMENTS:
        text = page.read_text("utf-8")
        told = re.findall(r"`(--(?!vitrine-)[a-z][a-z-]+)", text)  # those are the viewer's custom properties
        for line in re.findall(r"^\s*(?:vitrine|\.venv/bin/vitrine) .*$", text, re.MULTILINE):
            told += re.findall(r"(?<=\s)(--[a-z][a-z-]+)", line)
        wrong += [f"{page.name}: {option}" for option in told if option not in known]
    assert wrong == []


def test_documents_name_only_settings_that_exist() -> None:
    fields = {f"VITRINE_{name.upper()}" for name in Config.__dataclass_fields__}
    every = r"VITRINE_(?!EXPECT)[A-Z_]+"  # what tests expect is no setting
    told = {(page.name, word) for page in DOCUMENTS for word in re.findall(every, page.read_text("utf-8"))}
    assert {(page, word) for page, word in told if word not in fields} == set()


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        f"{parser.prog} {action.option_strings or action.dest}"
        for parser in parsers(vitrine.build_parser())
        for action in parser._actions
        if " bench" not in parser.prog and not action.help and not isinstance(action, argparse._SubParsersAction)
    ]
    assert silent == []


def test_a_folder_offers_every_format_that_is_read() -> None:
    assert sorted(local.SUFFIXES) == sorted(SUFFIXES)


def test_the_documented_formats_are_those_that_are_read() -> None:
    text = (ROOT / "docs/formats.md").read_text("utf-8").split("## Materials")[0]
    told = re.findall(r"^\| (`\.[^|]+) \|", text, re.MULTILINE)
    assert sorted(suffix for cell in told for suffix in paths(cell)) == sorted(SUFFIXES)

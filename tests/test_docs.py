"""What the documentation says is there."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import geoseg

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def commands(text: str) -> list[str]:
    """What follows `geoseg` in fenced and indented blocks."""
    fenced = "\n".join(re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    indented = "\n".join(re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE))
    return re.findall(r"^(?:\$ )?geoseg ([a-z].*)$", f"{fenced}\n{indented}", re.MULTILINE)


def test_pages_made_from_the_code_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "docs/make.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_has_options_that_exist(page, geoseg_command):
    for line in commands(page.read_text("utf-8")):
        name, *words = line.split("#")[0].split()
        command = geoseg_command.get_command(click.Context(geoseg_command), name)
        assert command is not None, line
        known = {spelling for parameter in command.params for spelling in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("-")} <= known, line


def test_make_targets_that_pages_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for page in PAGES for word in re.findall(r"^make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)}
    assert {"demo", "test"} <= named <= targets


def test_ci_runs_what_the_readme_says():
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "make test"
    assert "make test" in (ROOT / "README.md").read_text()


def test_every_public_name_can_be_reached():
    for name in geoseg.__all__:
        assert getattr(geoseg, name) is not None

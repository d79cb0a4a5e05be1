"""docs/commands.md names every command with every option, and no other."""

import re
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"
SHARED = {"-v", "--verbose", "-q", "--quiet", "-h", "--help", "--version"}


def sections():
    """Text by command name, as far as the page has headings for commands."""
    _, *parts = re.split(r"^## geoseg ([\w-]+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[::2], (part.partition("\n## ")[0] for part in parts[1::2]), strict=True))


def options_in(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", text))


def test_the_page_has_a_section_for_each_command_in_the_order_of_the_help(geoseg_command):
    assert list(sections()) == geoseg_command.list_commands(None)


@pytest.mark.parametrize("name", list(sections()))
def test_a_section_names_exactly_the_options_of_its_command(geoseg_command, name):
    command = geoseg_command.get_command(None, name)
    real = {flag for parameter in command.params for flag in parameter.opts if flag.startswith("-")} - SHARED
    assert options_in(sections()[name]) - SHARED == real


@pytest.mark.parametrize("name", list(sections()))
def test_a_section_has_an_example_whose_options_are_known(geoseg_command, name):
    calls = re.findall(rf"^    geoseg {name}(.*)$", sections()[name], flags=re.MULTILINE)
    assert calls
    for call in calls:
        geoseg_command.get_command(None, name).make_context(name, call.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completion_that_is_documented_exists(shell):
    assert f"_GEOSEG_COMPLETE={shell}_source geoseg" in PAGE.read_text("utf-8")
    assert get_completion_class(shell) is not None


def test_recipe_names_are_completed(geoseg_command):
    train = geoseg_command.get_command(None, "train")
    completed = train.params[0].shell_complete(train.make_context("train", ["sample"]), "sa")
    assert [item.value for item in completed if item.type == "plain"] == ["sample"]

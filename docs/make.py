"""Writes the pages that are made from code and tables: what a recipe may say, what modules are for, the zoo's rows.

python docs/make.py            write docs/recipe.md, docs/modules.md and docs/zoo.md
python docs/make.py --check    say whether they are up to date (exit code 1 if not)
"""

import ast
import sys
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from zoo_page import zoo_page

from geoseg.config.recipe import DataSection, Recipe
from geoseg.registry import part_names

ROOT = Path(__file__).parent.parent

PARTS = {
    "head": "geoseg.models.heads",
    "loss": "geoseg.losses",
    "sampler": "geoseg.data.crops.samplers",
    "dataset": "geoseg.data.datasets",
}


def recipe_page() -> str:
    """The reference of recipes: a table per section, and the parts that can be named."""
    lines = [
        "# What a recipe says",
        "",
        "Made by `make docs` from `geoseg/config/recipe.py`. `geoseg info RECIPE` prints a recipe whole;",
        "`--set section.key=value` overrides one key.",
    ]
    for name, field in Recipe.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += ["", f"## `{name}`", "", (section.__doc__ or "").strip(), "", *_table(section)]
    lines += ["", "## Parts that can be named", ""]
    lines += [
        f"* {kind}: {', '.join(f'`{part}`' for part in part_names(kind, package))}" for kind, package in PARTS.items()
    ]
    lines += [
        "",
        "The options of a part are the arguments of its class or function; a wrong one is answered with the nearest.",
    ]
    return "\n".join(lines) + "\n"


def _table(section: type[BaseModel]) -> list[str]:
    rows = [
        f"| `{key}` | {_default(field)} | {_sentence(field.description)} |"
        for key, field in section.model_fields.items()
    ]
    if section is DataSection:
        rows.append("| … | | options of the dataset, see `geoseg/data/datasets/` |")
    return ["| key | default | meaning |", "|---|---|---|", *rows]


def _default(field: Any) -> str:
    value = field.default
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return "required" if field.is_required() else f"`{value}`"


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()).replace("``", "`").replace("|", "\\|")


def module_page() -> str:
    """Every module with the first sentence of its docstring, floor by floor."""
    floors = _floors()
    lines = [
        "# What each module is for",
        "",
        "Made by `make docs` from the modules' first sentences; floors from `pyproject.toml`.",
    ]
    for number, names in sorted(floors.items(), reverse=True):
        lines += ["", f"## Floor {number}: {' and '.join(names)}", "", "| module | holds |", "|---|---|"]
        lines += [f"| `{_module(path)}` | {_first_sentence(path)} |" for name in names for path in _files(name)]
    return "\n".join(lines) + "\n"


def _floors() -> dict[int, list[str]]:
    """Top-level packages by floor, from the layers contract; the command line stands above them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    floors = {number: layer.split(" | ") for number, layer in enumerate(reversed(layers))}
    return floors | {len(layers): ["cli"]}


def _files(name: str) -> list[Path]:
    folder = ROOT / "cli" if name == "cli" else ROOT / "geoseg" / name
    found = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    return [path for path in found if path.name != "__init__.py"]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("geoseg.")


def _first_sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return _sentence(docstring.split("\n\n")[0])


def main(arguments: list[str]) -> int:
    """Writes or checks the pages; the exit code says whether they were up to date."""
    made = {"recipe.md": recipe_page(), "modules.md": module_page(), "zoo.md": zoo_page()}
    pages = {ROOT / "docs" / name: text for name, text in made.items()}
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        sys.stderr.writelines(f"{path.relative_to(ROOT)} is out of date: make docs\n" for path in stale)
        return bool(stale)
    for path, text in pages.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""From a YAML file to a checked recipe, with overrides, and with sentences instead of validation reports."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from geoseg.config.recipe import Recipe
from geoseg.errors import ConfigError, did_you_mean

SHIPPED = "geoseg_configs"
"""The package that the recipes of geoseg are installed as."""


def load_recipe(source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a file, else the shipped recipe of that name, with ``section.key=value`` overrides applied.

    Relative ``data.root`` and ``model.pretrained`` are taken from the working folder, as the shell does.
    :class:`ConfigError` in one sentence if anything does not fit.
    """
    label, text = _read(str(source))
    content = _parsed(label, text)
    for override in overrides:
        _apply(content, override)
    content["name"] = content.get("name") or Path(label).stem
    return recipe_from(content, label)


def recipe_from(content: Mapping[str, Any], label: str = "recipe") -> Recipe:
    """The recipe in a mapping; ``label`` names it in messages."""
    try:
        return Recipe.model_validate(dict(content))
    except ValidationError as error:
        raise _sentence(label, error) from None


def to_yaml(recipe: Recipe) -> str:
    """The whole recipe, defaults included, as YAML that :func:`load_recipe` reads back to an equal recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def recipe_names() -> dict[str, str]:
    """Name and description of every shipped recipe."""
    found = sorted(f.name for f in files(SHIPPED).iterdir() if f.name.endswith(".yaml"))
    return {
        name: str(_parsed(name, (files(SHIPPED) / name).read_text("utf-8")).get("description", "")) for name in found
    }


def _read(source: str) -> tuple[str, str]:
    """(label, text) of a recipe file or a shipped recipe."""
    path = Path(source)
    if path.is_dir():
        raise ConfigError(f"{source} is a folder", "name the YAML file inside it")
    if path.exists():
        try:
            return source, path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{source} cannot be read as text: {error}", "a recipe is a YAML file") from None
    name = source if source.endswith((".yaml", ".yml")) else f"{source}.yaml"
    shipped = files(SHIPPED) / name
    if "/" not in source and shipped.is_file():
        return name, shipped.read_text("utf-8")
    raise ConfigError(
        f"there is no recipe {source}", did_you_mean(Path(name).stem, (Path(known).stem for known in recipe_names()))
    )


def _parsed(label: str, text: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: what looks like a date and is none
        mark = getattr(error, "problem_mark", None)
        where = f"{label}:{mark.line + 1}" if mark else label
        raise ConfigError(
            f"{where}: this is not YAML", str(getattr(error, "problem", "") or "check the indentation")
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(f"{label} holds no sections", "a recipe begins with `data:`; geoseg recipes lists examples")
    return content


def _apply(content: dict[str, Any], override: str) -> None:
    """Sets one dotted key to a value written as YAML."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"{override!r} is no override", "write section.key=value, for instance train.batch=4")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        value = text
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = content.get(section)
        # `head: deeplabv3plus` is short for `head: {name: deeplabv3plus}`: an option may be set on either
        if not isinstance(inner, str | Mapping | None):
            raise ConfigError(f"{override!r} is no override: {section} is {inner!r}", f"set {section} as a whole")
        content[section] = {"name": inner} if isinstance(inner, str) else dict(inner or {})
        content = content[section]
    content[last] = value


def _sentence(label: str, error: ValidationError) -> ConfigError:
    """The first thing wrong, as a sentence; how many more there are, as part of it."""
    problems = error.errors()
    first = problems[0]
    where = ".".join(str(step) for step in first["loc"])
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(str(first["loc"][-1]), _keys_at(first["loc"][:-1]))
        return ConfigError(f"{label}: {where}: unknown key{rest}", hint)
    if first["type"] == "missing":
        return ConfigError(f"{label}: {where} is missing{rest}", f"add {where}: to the recipe, or --set {where}=...")
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if isinstance(first["input"], Mapping | BaseModel):
        return ConfigError(f"{label}: {where}: {message}{rest}", "change one of the two")
    return ConfigError(f"{label}: {where}: {first['input']!r} does not fit{rest}", message)


def _keys_at(location: Sequence[int | str]) -> list[str]:
    """The keys a section of the recipe knows."""
    section: type[BaseModel] = Recipe
    for step in location:
        field = section.model_fields.get(str(step))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []
        section = field.annotation
    return list(section.model_fields)

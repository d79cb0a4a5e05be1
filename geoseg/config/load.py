"""Load recipes from YAML files or by name, apply overrides, and validate them with one-sentence error messages."""

import logging
import reprlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from geoseg._output_files import RECIPE_SUFFIXES, path_exists
from geoseg._text import did_you_mean
from geoseg.config.parse_yaml import MAX_DEPTH, parse_yaml
from geoseg.config.recipe import Recipe
from geoseg.errors import ConfigError
from geoseg.progress import NOTICE

S = TypeVar("S", bound=BaseModel)

logger = logging.getLogger(__name__)

SHIPPED_PACKAGE = "geoseg_configs"
"""The package that contains the recipes included in geoseg."""

MAX_RECIPE_BYTES = 1_000_000
"""Maximum size of a recipe file in bytes."""


def load_recipe(source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Load a recipe from a file, or an included recipe by name.

    Relative paths in the recipe are relative to the working directory.

    Args:
        source: A YAML file, or the name of an included recipe.
        overrides: Assignments ``section.key=value``; later ones take precedence. Values are YAML.

    Raises:
        ConfigError: If the file cannot be read, or a key or a value is invalid.

    Example:
        >>> load_recipe("sample", ["train.batch=4"]).train.batch
        4
    """
    label, text = _read(str(source))
    content = _parse_yaml(label, text)
    for override in overrides:
        _apply(content, override)
    content["name"] = content.get("name") or Path(label).stem
    return parse_recipe(content, label)


def parse_recipe(content: Mapping[str, Any], label: str = "recipe") -> Recipe:
    """Validate the content of a recipe.

    Args:
        content: Mapping from section names to sections.
        label: Name of the recipe in error messages.

    Raises:
        ConfigError: If a key or a value is invalid.
    """
    return parse_section(Recipe, content, label)


def parse_section(section: type[S], content: Mapping[str, Any], label: str) -> S:
    """Validate the content of one section of a recipe, or of a whole recipe.

    Args:
        section: The class of the section.
        content: Mapping from keys to values.
        label: Name of the source in error messages.

    Raises:
        ConfigError: If a key or a value is invalid.
    """
    try:
        return section.model_validate(dict(content))
    except ValidationError as error:
        raise _convert_error(label, error, section) from error


def to_yaml(recipe: Recipe) -> str:
    """Write a recipe, including all defaults, as YAML that :func:`load_recipe` reads back as an identical recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def list_recipes() -> dict[str, str]:
    """List the included recipes as a mapping from file names to descriptions."""
    folder = files(SHIPPED_PACKAGE)
    names = sorted(f.name for f in folder.iterdir() if f.name.endswith(".yaml"))
    return {name: str(_parse_yaml(name, (folder / name).read_text("utf-8")).get("description", "")) for name in names}


def _read(source: str) -> tuple[str, str]:
    """Return (label, text) of a recipe file or an included recipe."""
    path = Path(source)
    is_there = path_exists(path)
    if is_there and path.is_dir() and not is_shipped(source):
        raise ConfigError(f"{source} is a folder", "name the YAML file inside it")
    if is_there and not path.is_dir():
        try:
            with path.open("rb") as file:
                content = file.read(MAX_RECIPE_BYTES + 1)
            if len(content) > MAX_RECIPE_BYTES:
                raise ConfigError(
                    f"{source} has more than {MAX_RECIPE_BYTES:,} bytes",
                    "a recipe usually has fewer than a hundred lines",
                )
            return source, content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{source} cannot be read as text: {error}", "a recipe is a YAML file") from error
    name = _shipped_file(source)
    if is_shipped(source):
        if is_there:
            logger.log(
                NOTICE, "Using the included recipe %s; the folder with the same name is not a recipe.", path.stem
            )
        return name, (files(SHIPPED_PACKAGE) / name).read_text("utf-8")
    names = (Path(known).stem for known in list_recipes())
    raise ConfigError(f"unknown recipe {source}", did_you_mean(Path(name).stem, names))


def is_shipped(source: str) -> bool:
    """Return whether a name is that of an included recipe."""
    return _shipped_file(source) in {file.name for file in files(SHIPPED_PACKAGE).iterdir()}


def _shipped_file(source: str) -> str:
    return source if source.endswith(RECIPE_SUFFIXES) else f"{source}.yaml"


def _parse_yaml(label: str, text: str) -> dict[str, Any]:
    content = parse_yaml(label, text)
    if not isinstance(content, dict):
        raise ConfigError(
            f"{label} contains no sections", "a recipe begins with `data:`; geoseg recipes lists examples"
        )
    return content


def _apply(content: dict[str, Any], override: str) -> None:
    """Set one dotted key to a value written as YAML."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"invalid override {override!r}", "write section.key=value, for instance train.batch=4")
    try:
        value = parse_yaml("value", text)
    except ConfigError as error:
        if not isinstance(error.__cause__, yaml.YAMLError | ValueError):
            raise ConfigError(f"invalid override {override:.60}: {error.message}", error.hint) from error
        value = text  # not valid YAML
    *sections, last = key.strip().split(".")
    if len(sections) > MAX_DEPTH:
        raise ConfigError(f"invalid override {override:.60}", "write section.key=value, for instance train.batch=4")
    for section in sections:
        inner = content.get(section)
        # `head: deeplabv3plus` is short for `head: {name: deeplabv3plus}`; options can be set with either form
        if not isinstance(inner, str | Mapping | None):
            raise ConfigError(
                f"invalid override {override!r}: {section} is {_shorten(inner)}", f"set {section} as a whole"
            )
        content[section] = {"name": inner} if isinstance(inner, str) else dict(inner or {})
        content = content[section]
    content[last] = value


def _convert_error(label: str, error: ValidationError, section: type[BaseModel]) -> ConfigError:
    """Convert a validation error to one sentence about the first problem, followed by the number of other problems."""
    problems = error.errors()
    first = problems[0]
    where = ".".join(str(step) for step in first["loc"])
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(str(first["loc"][-1]), _keys_of_section(section, first["loc"][:-1]))
        return ConfigError(f"{label}: {where}: unknown key{rest}", hint)
    if first["type"] == "missing":
        return ConfigError(
            f"{label}: {where} is missing{rest}", f"add {where}: to the recipe, or use --set {where}=..."
        )
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if isinstance(first["input"], Mapping | BaseModel):
        return ConfigError(f"{label}: {where}: {message}{rest}", "change one of these values")
    return ConfigError(f"{label}: {where}: {_shorten(first['input'])} is not valid{rest}", message)


def _shorten(value: Any) -> str:
    """Return the representation of a value, shortened if it is long or deep."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 200
    return short.repr(value)


def _keys_of_section(section: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    for step in location:
        field = section.model_fields.get(str(step))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []
        section = field.annotation
    return list(section.model_fields)

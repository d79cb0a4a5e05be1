"""Recipes: sections and defaults, components with options, and loading from YAML."""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.config.component_spec import Component as Component
    from geoseg.config.load import list_recipes as list_recipes
    from geoseg.config.load import load_recipe as load_recipe
    from geoseg.config.load import parse_recipe as parse_recipe
    from geoseg.config.load import to_yaml as to_yaml
    from geoseg.config.recipe import Recipe as Recipe

_MODULES = {
    "Component": "geoseg.config.component_spec",
    "Recipe": "geoseg.config.recipe",
    "list_recipes": "geoseg.config.load",
    "load_recipe": "geoseg.config.load",
    "parse_recipe": "geoseg.config.load",
    "to_yaml": "geoseg.config.load",
}

__all__ = [
    "Component",
    "Recipe",
    "list_recipes",
    "load_recipe",
    "parse_recipe",
    "to_yaml",
]

__getattr__, __dir__ = attach(__name__, _MODULES)

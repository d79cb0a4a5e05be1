"""Registries: the name of a part is the name of its file, and a slip is answered with what was meant."""

import subprocess
import sys
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from geoseg import registry as registry_module
from geoseg.data.crops.samplers import samplers
from geoseg.data.datasets import datasets
from geoseg.errors import ConfigError
from geoseg.losses import losses
from geoseg.models.backbones import backbones
from geoseg.models.heads import heads
from geoseg.registry import Registry, component_names

ALL = [backbones, datasets, heads, losses, samplers]
every_registry = pytest.mark.parametrize("registry", ALL, ids=lambda registry: registry.kind)

SPICE = """
from pantry import spices
@spices.register
class Pepper:
    def __init__(self, grams: float, colour: str = "black", *, shape: tuple[int, int] = (1, 1), **more: int) -> None:
        self.grams, self.colour, self.shape = grams, colour, shape
"""


@pytest.fixture
def spices(tmp_path, monkeypatch) -> Registry:
    """A registry over a folder with the parts pepper and broken (which cannot be imported)."""
    folder = tmp_path / "pantry"
    folder.mkdir()
    init = "from geoseg.registry import Registry\nspices = Registry('spice', __name__)\n"
    for name, text in {"__init__": init, "base": "", "pepper": SPICE, "broken": "raise RuntimeError"}.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pantry"]:
        monkeypatch.delitem(sys.modules, name)
    return import_module("pantry").spices


@every_registry
def test_names_are_the_files_in_the_folder(registry) -> None:
    folder = Path(sys.modules[registry.package].__file__).parent
    files = {path.stem for path in folder.glob("[!_]*.py")} - registry_module.NON_COMPONENT_MODULES
    assert files <= set(registry.names())
    assert registry.names() == sorted(registry.names())


@every_registry
def test_every_name_leads_to_a_part_that_stands_in_its_file(registry) -> None:
    parts = {name: registry.get(name) for name in registry.names()}
    assert all(part.__module__ == f"{registry.package}.{name}" for name, part in parts.items())


@every_registry
def test_a_typo_is_answered_with_the_nearest_name(registry) -> None:
    name = registry.names()[0]
    with pytest.raises(ConfigError, match=f"unknown {registry.kind} '{name}x'") as error:
        registry.get(f"{name}x")
    assert error.value.hint == f"did you mean {name}?"


def test_what_parts_share_is_no_part(spices) -> None:
    assert spices.names() == ["broken", "pepper"]


def test_listing_names_imports_no_part(spices) -> None:
    assert spices.names() == component_names("spice", "pantry")
    assert "pantry.pepper" not in sys.modules
    spices.get("pepper")
    assert "pantry.pepper" in sys.modules


def test_listing_heads_imports_no_torch() -> None:
    code = "import sys; from geoseg.registry import component_names; component_names('head', 'geoseg.models.heads')"
    subprocess.run([sys.executable, "-c", f"{code}; sys.exit('torch' in sys.modules)"], check=True)


def test_a_part_is_built_with_what_is_given_and_what_the_recipe_sets(spices) -> None:
    pepper = spices.build("pepper", {"colour": "white"}, grams=2.0)
    assert (pepper.grams, pepper.colour, pepper.shape) == (2.0, "white", (1, 1))


def test_options_are_coerced_to_the_annotations(spices) -> None:
    pepper = spices.build("pepper", {"grams": "1e-3", "shape": [2, 3]})
    assert (pepper.grams, pepper.shape) == (0.001, (2, 3))


def test_a_wrong_option_is_answered_with_the_nearest(spices) -> None:
    with pytest.raises(ConfigError, match="the spice pepper has no option 'color'") as error:
        spices.build("pepper", {"grams": 1, "color": "red"})
    assert error.value.hint == "did you mean colour?"


def test_what_geoseg_gives_cannot_be_set_by_a_recipe(spices) -> None:
    with pytest.raises(ConfigError, match="has no option 'grams'"):
        spices.build("pepper", {"grams": 5}, grams=1.0)


def test_an_option_that_does_not_fit_is_named_with_its_value(spices) -> None:
    with pytest.raises(ConfigError, match="spice pepper: grams: 'much' is not valid") as error:
        spices.build("pepper", {"grams": "much"})
    assert "number" in error.value.hint


def test_options_are_checked_without_building(spices) -> None:
    spices.check("pepper", {"colour": "white"}, given=("grams",))
    for wrong in ({"color": "red"}, {"grams": 1}, {"shape": "round"}):
        with pytest.raises(ConfigError):
            spices.check("pepper", wrong, given=("grams",))


def test_a_missing_option_is_named(spices) -> None:
    with pytest.raises(ConfigError, match="the spice pepper needs the option 'grams'") as error:
        spices.build("pepper", {})
    assert error.value.hint == "add grams: ... next to the name of the spice"


def test_other_distributions_add_parts_by_entry_points(spices, monkeypatch) -> None:
    point = EntryPoint("ordered", "fractions:Fraction", "geoseg.spices")
    monkeypatch.setattr(registry_module, "entry_points", lambda group: [point] if group == point.group else [])
    assert spices.names() == ["broken", "ordered", "pepper"]
    assert spices.build("ordered", {"numerator": 3}) == 3

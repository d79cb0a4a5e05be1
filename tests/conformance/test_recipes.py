"""Every recipe that comes with geoseg. A recipe is tested by being there."""

import csv
import inspect
import re
import runpy
from collections import Counter
from pathlib import Path

import geoseg_configs
import pytest
import yaml

from geoseg.config.load import list_recipes, load_recipe, parse_recipe, to_yaml
from geoseg.data.crops.samplers import samplers
from geoseg.data.datasets import datasets
from geoseg.data.datasets.folder import folder
from geoseg.data.label_encoding import build_encoding
from geoseg.legend import Legend
from geoseg.losses import losses
from geoseg.models.heads import heads

DOCS = Path(__file__).parents[2] / "docs"

every_recipe = pytest.mark.parametrize("name", list_recipes())


def test_every_yaml_file_is_a_shipped_recipe() -> None:
    files = {path.name for path in Path(geoseg_configs.__file__).parent.glob("*.y*ml")}
    assert files == set(list_recipes())


@every_recipe
def test_it_loads_and_says_what_it_is(name) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name.removesuffix(".yaml")
    assert recipe.description


@every_recipe
def test_it_survives_being_written_down(name) -> None:
    recipe = load_recipe(name)
    assert parse_recipe(yaml.safe_load(to_yaml(recipe))) == recipe


@every_recipe
def test_its_parts_exist(name) -> None:
    recipe = load_recipe(name)
    heads.get(recipe.model.head.name)
    samplers.get(recipe.train.sampler.name)
    datasets.get(recipe.data.dataset)
    assert {loss.name for loss in recipe.loss} <= set(losses.names())


@every_recipe
def test_the_options_of_its_dataset_are_known(name) -> None:
    data = load_recipe(name).data
    known = inspect.signature(datasets.get(data.dataset)).parameters
    assert set(data.options) <= set(known) - {"root"}


@every_recipe
def test_its_labels_mean_something_and_never_two_things(name) -> None:
    data = load_recipe(name).data
    if datasets.get(data.dataset) is not folder:
        pytest.skip("its dataset says what labels mean")
    options, kinds = data.options, ["colour", "index", "polygon"]
    legend = Legend.of(options["legend"] if isinstance(options["legend"], dict) else dict.fromkeys(options["legend"]))
    shared = {
        key: options[key] for key in ("values", "ignore", "column", "polygon_class", "background") if key in options
    }
    kind = options.get("encoding_kind", "auto")
    for each in [kind] if kind != "auto" else kinds:
        assert build_encoding(legend, each, **shared).kind == each


@every_recipe
def test_it_has_a_split_to_learn_from_and_one_to_be_judged_on(name) -> None:
    data = load_recipe(name).data
    if datasets.get(data.dataset) is not folder:
        pytest.skip("its dataset has the published splits")
    assert {"train", "val"} <= set(data.options["splits"])


def rows() -> list[dict[str, str]]:
    """Return the rows of docs/openmmlab.csv."""
    return list(csv.DictReader((DOCS / "openmmlab.csv").read_text("utf-8").splitlines()))


def test_every_openmmlab_configuration_has_a_command_that_builds_its_network() -> None:
    page = runpy.run_path(str(DOCS / "openmmlab_page.py"))
    for row in rows():
        name = page["RECIPES"].get(row["dataset"], "potsdam")
        recipe = load_recipe(name, page["overrides"](row))
        depth, stride = re.fullmatch(r"R-(\w+)-D(\d+)(?:-MG124)?", row["backbone"]).groups()
        assert recipe.model.backbone.name == f"resnet{depth}", row
        assert recipe.model.head.name == row["head"]
        assert recipe.model.output_stride == int(stride)
        assert (recipe.model.multi_grid is not None) == row["backbone"].endswith("MG124")
        assert str(recipe.train.iterations) == row["iterations"]
        assert str(recipe.train.batch) == row["batch"]
        assert page["command"](row) in (DOCS / "openmmlab.md").read_text("utf-8")


def test_all_openmmlab_configurations_are_listed() -> None:
    """The two metafiles of mmsegmentation 1.2.2 list 84 configurations, a fork adds three."""
    counts = Counter((row["head"], row["dataset"].startswith("LoveDA To")) for row in rows())
    assert counts == {("deeplabv3", False): 41, ("deeplabv3plus", False): 43, ("deeplabv3plus", True): 3}

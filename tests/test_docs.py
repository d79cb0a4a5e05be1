"""What the documentation says is there."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import click
import geopandas as gpd
import pytest
import yaml
from helpers.rasters import make_raster, noise
from rasterio.transform import from_origin
from shapely.geometry import box

import geoseg
from geoseg.config.load import parse_recipe
from geoseg.data.crops.samplers import samplers
from geoseg.data.datasets import datasets
from geoseg.losses import losses
from geoseg.models.heads import heads

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


def test_every_option_of_every_component_is_in_the_reference_of_recipes():
    given = {"head": {"in_channels", "strides", "classes", "align_corners"}, "loss": {"classes", "ignore_index"}}
    given |= {"dataset": {"root"}, "sampler": {"scenes", "size", "scale", "seed", "classes"}}
    text = (ROOT / "docs/recipe.md").read_text("utf-8")
    titles = {"dataset": "Datasets", "head": "Heads", "loss": "Losses", "sampler": "Samplers"}
    for registry in (datasets, heads, losses, samplers):
        part = re.search(rf"^## {titles[registry.kind]}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
        sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", part, re.MULTILINE | re.DOTALL))
        for name in registry.names():
            options = set(inspect.signature(registry.get(name)).parameters) - given[registry.kind]
            assert options == set(re.findall(r"^\| `(\w+)` \|", sections[name], re.MULTILINE)), name
            assert not re.search(r"\|\s*\|$", sections[name], re.MULTILINE), name


def test_the_example_of_polygon_labels_by_attribute_labels_what_it_says(tmp_path):
    text = (ROOT / "docs/recipe.md").read_text("utf-8").partition("polygon labels by attribute")[2]
    content = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    (tmp_path / "images").mkdir()
    for name, left in (("a", 0), ("b", 10)):
        make_raster(tmp_path / f"images/{name}.tif", noise(3, 4, 6), crs="EPSG:32633",
                    transform=from_origin(400_000 + left, 5_000_000, 1, 1))  # fmt: skip
    columns = [
        box(400_000 + left + col, 4_999_990, 400_001 + left + col, 5_000_000) for left in (0, 10) for col in range(4)
    ]
    frame = gpd.GeoDataFrame({"landuse": ["lake", "pine", "unknown", "meadow"] * 2}, geometry=columns, crs="EPSG:32633")
    frame.to_file(tmp_path / "labels.gpkg")
    data = {**content["data"], "root": str(tmp_path), "prepared": str(tmp_path / "prepared")}
    prepared = geoseg.prepare(parse_recipe({"data": data}))
    assert {scene.name: scene.split for scene in prepared.all_scenes} == {"a": "train", "b": "val"}
    for scene in prepared.all_scenes:
        assert scene.mask.tolist() == [[1, 2, 255, 0, 0, 0]] * 4

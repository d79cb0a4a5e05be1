"""From one city to the other: the same bands, the target's labels out of reach."""

import itertools

import numpy as np
import pytest
from helpers.archives import archive_section, potsdam_archives, vaihingen_archives

from geoseg.data.datasets.isprs_shift import isprs_shift
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import DataError

COUNTS = {"potsdam": {"train": 24, "val": 14}, "vaihingen": {"train": 16, "val": 17}}


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Both cities, each in a folder of its own."""
    root = tmp_path_factory.mktemp("archives") / "isprs"
    potsdam_archives(root / "Potsdam", size=36, kinds=["irrg", "no_boundary", "full"])
    vaihingen_archives(root / "Vaihingen", size=20, kinds=["images", "no_boundary", "full"], zipped=False)
    return root


@pytest.mark.parametrize(
    ("source", "labels", "baseline"),
    list(itertools.product(COUNTS, ["no_boundary", "full"], [None, "source-only", "oracle"])),
)
def test_every_shift_learns_from_one_city_and_is_judged_on_the_other(archives, source, labels, baseline) -> None:
    made = isprs_shift(archives, source, labels, baseline)
    target = {"potsdam": "vaihingen", "vaihingen": "potsdam"}[source]
    learnt = target if baseline == "oracle" else source
    expected = {"train": (learnt, "train"), "val": (learnt, "val"), "test": (target, "val")}
    if baseline is None:
        expected["unlabelled"] = (target, "train")
    assert set(made.splits) == set(expected)
    for split, (city, published) in expected.items():
        scenes = made.scenes(split)
        assert len(scenes) == COUNTS[city][published]
        assert {scene.groups["domain"] for scene in scenes} == {city}
        assert {scene.label is None for scene in scenes} == {split == "unlabelled"}
    assert made.hidden == {"test"}
    assert made.bands == ("nir", "red", "green")
    assert made.about["domain"] == f"{source}-to-{target}"
    assert made.about.get("protocol") == baseline


def test_names_tell_the_city_and_no_two_are_alike(archives) -> None:
    made = isprs_shift(archives)
    names = [scene.name for scenes in made.splits.values() for scene in scenes]
    assert len(set(names)) == len(names) == 24 + 14 + 17 + 16
    assert made.scenes("train")[0].name == "potsdam/2_10"
    assert made.scenes("unlabelled")[0].name == "unlabelled/vaihingen/area1"


def test_a_size_to_learn_at_is_needed_and_both_cities_come_to_it(archives) -> None:
    with pytest.raises(DataError, match=r"the pixel size is 0.05 m in .* and 0.09 m in ") as error:
        prepare(archive_section("isprs_shift", archives), "x")
    assert "--set data.gsd=0.09" in error.value.hint
    prepared = prepare(archive_section("isprs_shift", archives, gsd=0.09), "x")
    assert {scene.image.shape for scene in prepared.all_scenes} == {(20, 20, 3)}
    assert all(scene.gsd == pytest.approx(0.09) for scene in prepared.all_scenes)
    assert {scene.split for scene in prepared.all_scenes} == {"train", "val", "unlabelled"}
    assert np.all(prepared.class_pixels("train") > 0)


def test_a_city_that_is_not_there_is_named(tmp_path) -> None:
    potsdam_archives(tmp_path, size=8, kinds=["irrg", "no_boundary"])
    with pytest.raises(DataError, match="contains no images top/top_mosaic"):
        isprs_shift(tmp_path)

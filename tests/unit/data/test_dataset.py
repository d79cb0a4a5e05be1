"""Datasets: scenes belong to one split, and splits that are asked for exist."""

from dataclasses import replace
from pathlib import Path

import pytest

from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.label_encoding import build_encoding
from geoseg.errors import DataError
from geoseg.legend import Legend

LEGEND = Legend.of({"land": None, "water": None})


def dataset(**splits) -> Dataset:
    scenes = {
        split: tuple(LabelledScene(name, Path(f"{name}.tif"), Path(f"{name}.png")) for name in names)
        for split, names in splits.items()
    }
    return Dataset(LEGEND, build_encoding(LEGEND, "index"), scenes)


def test_a_split_gives_its_scenes() -> None:
    made = dataset(train=["a", "b"], val=["c"])
    assert [scene.name for scene in made.scenes("train")] == ["a", "b"]


def test_a_scene_in_two_splits_is_refused_and_both_are_named() -> None:
    with pytest.raises(DataError, match="the scene b is in two splits, train and val"):
        dataset(train=["a", "b"], val=["b"])


def test_two_scenes_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="two scenes are named a"):
        dataset(train=["a", "a"])


def test_a_split_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(DataError, match="no split 'vall'") as error:
        dataset(train=["a"], val=["b"]).scenes("vall")
    assert error.value.hint == "did you mean val?"


def test_an_empty_split_is_refused_when_it_is_asked_for() -> None:
    with pytest.raises(DataError, match="no scene belongs to the split 'val'"):
        dataset(train=["a"], val=[]).scenes("val")


@pytest.mark.parametrize("split", ["val", "test", "unlabelled"])
def test_no_split_shares_a_scene_with_the_training(split) -> None:
    with pytest.raises(DataError, match=f"the scene b is in two splits, train and {split}") as error:
        dataset(train=["a", "b"], **{split: ["b"]})
    assert error.value.hint


def test_a_scene_may_be_validated_on_and_judged_by() -> None:
    made = dataset(train=["a"], val=["b"], test=["b"])
    assert made.scenes("val") == made.scenes("test")


def test_hidden_splits_are_there_to_be_judged_on_and_are_not_prepared() -> None:
    made = replace(dataset(train=["a"], val=["b"], test=["c"]), hidden=frozenset({"test"}))
    assert [scene.name for scene in made.scenes("test")] == ["c"]
    assert set(made.prepared_splits) == {"train", "val"}

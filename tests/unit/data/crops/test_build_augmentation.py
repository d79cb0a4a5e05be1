"""OpenMMLab's photometric distortion is refused for bands it does not support, before a run has a folder."""

import pytest
from helpers.prepared import data_section, labelled_folder, striped
from helpers.rasters import noise

from geoseg.config.recipe import Recipe
from geoseg.data.crops.build_augmentation import build_augmentation, require_color_bands
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import DataError
from geoseg.training.train import train


def recipe(folder, *, bands=3, dtype="uint8", photometric="openmmlab"):
    image = noise(bands, 40, 48, low=1).astype(dtype)
    data = data_section(labelled_folder(folder, label=striped(40, 48), image=image))
    small = {"backbone": "resnet18", "head": {"name": "fcn", "channels": 8}, "output_stride": 16, "auxiliary_weight": 0}
    section = {"photometric": photometric}
    return Recipe.model_validate({"data": data.model_dump(), "model": small, "augment": section, "train": {"crop": 32}})


@pytest.mark.parametrize(("bands", "dtype"), [(4, "uint8"), (1, "uint8"), (3, "uint16")])
def test_other_bands_are_refused_before_there_is_a_run(tmp_path, bands, dtype) -> None:
    with pytest.raises(DataError, match=f"{bands} {dtype} bands") as caught:
        train(recipe(tmp_path / "data", bands=bands, dtype=dtype), runs=tmp_path / "runs")
    assert caught.value.hint == "use --set augment.photometric=linear"
    assert not (tmp_path / "runs").exists()


def test_linear_changes_take_any_bands(tmp_path) -> None:
    given = recipe(tmp_path / "data", bands=4, dtype="uint16", photometric="linear")
    require_color_bands(given.augment, prepare(given.data, "any"))


def test_three_bands_of_8_bit_are_taken_whatever_they_are_called(tmp_path) -> None:
    given = recipe(tmp_path / "data")
    prepared = prepare(given.data, "three")
    require_color_bands(given.augment, prepared)
    assert build_augmentation(given.augment, prepared).section.photometric == "openmmlab"

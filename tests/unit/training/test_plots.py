"""Tests of plots: fixed crops with errors, and curves of metrics."""

import numpy as np
import pytest
import torch
from helpers.prepared import data_section, labelled_folder, striped
from helpers.rasters import noise
from PIL import Image
from torch import nn

from geoseg.data.preparation.prepare import prepare
from geoseg.models.backbones.base import Scaling
from geoseg.plotting.images import WRONG
from geoseg.training.loggers import METRICS_NAME, CsvLogger
from geoseg.training.module import TrainingModule
from geoseg.training.plots import CROP_COUNT, CropPlot, choose_fixed_crops, draw_curves


class Always(nn.Module):
    """Predicts one class everywhere."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, images):
        return torch.eye(3)[self.index][None, :, None, None].expand(len(images), -1, *images.shape[-2:])


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A validation scene of twenty crops; of four of them nothing is labelled."""
    label = striped(128, 160)
    label[:32, :128] = 255
    image = noise(3, 128, 160, low=1)
    folder = labelled_folder(tmp_path_factory.mktemp("wide"), label=label, image=image)
    return prepare(data_section(folder, ignore=[255]), "wide")


def test_eight_labelled_crops_are_chosen(wide):
    crops = choose_fixed_crops(wide, 32)
    assert len(crops) == CROP_COUNT == 8
    assert all((crop.target != 255).any() for crop in crops)
    assert len({crop.image.numpy().tobytes() for crop in crops}) == CROP_COUNT
    again = choose_fixed_crops(wide, 32)
    assert all(torch.equal(a.image, b.image) for a, b in zip(crops, again, strict=True))


def test_scene_smaller_than_a_crop_is_one_crop(prepared):
    crops = choose_fixed_crops(prepared, 256)
    assert len(crops) == len(prepared.scenes("val")) == 2
    assert {tuple(crop.target.shape) for crop in crops} == {(110, 110)}


def test_plot_marks_wrong_pixels(fabric, wide, tmp_path):
    pictures = CropPlot(wide, 32)
    step = TrainingModule(Always(1), nn.Identity(), Scaling((0.0,) * 3, (1.0,) * 3), auxiliary_weight=0)
    path = tmp_path / "validation.png"
    shown = []
    for network in (Always(1), Always(2)):
        pictures.draw(fabric, step, network, path)
        with Image.open(path) as picture:
            shown.append(np.asarray(picture))
    assert shown[0].shape == shown[1].shape
    assert not np.array_equal(*shown)
    for crop in pictures.crops:
        (_, _), (_, target), (_, mask), (_, errors) = pictures._row(crop, torch.full_like(crop.target, 2))
        assert (mask == np.array(pictures.legend.entries[2].colour)).all()
        assert np.array_equal((target == mask).all(-1), crop.target.numpy() == 2)
        red = errors[..., 0].astype(int) - errors[..., 1] > WRONG[0] // 3
        assert np.array_equal(red, (crop.target.numpy() != 2) & (crop.target.numpy() != 255))


@pytest.mark.parametrize("rows", [0, 1, 60])
def test_curves_of_any_number_of_rows(tmp_path, rows):
    log = CsvLogger(tmp_path, ["loss", "learning_rate", "mean_iou", "mean_f1", "overall_accuracy", "images_per_second"])
    for row in range(rows):
        scores = {"mean_iou": 0.5, "mean_f1": 0.6, "overall_accuracy": 0.7} if row % 10 == 9 else {}
        log.write(50 * row, {"loss": 1 / (row + 1), "learning_rate": 0.01, "images_per_second": 9.0} | scores)
    draw_curves(tmp_path / METRICS_NAME, tmp_path / "curves.png", name="town")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", METRICS_NAME]

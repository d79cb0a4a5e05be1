"""Pictures of a run: the same crops each time, their errors marked, and curves of what was logged."""

import numpy as np
import pytest
import torch
from PIL import Image
from strategies_data import data_section, labelled_folder, striped
from strategies_raster import noise
from torch import nn

from geoseg.data.preparation.prepare import prepare
from geoseg.models.backbones.base import Scaling
from geoseg.plotting.images import WRONG
from geoseg.training.loggers import METRICS, CsvLog
from geoseg.training.module import TrainingStep
from geoseg.training.plots import COUNT, CropPictures, draw_curves, fixed_crops


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


def test_there_are_eight_crops_and_all_are_labelled(wide):
    crops = fixed_crops(wide, 32)
    assert len(crops) == COUNT == 8
    assert all((crop.target != 255).any() for crop in crops)
    assert len({crop.image.numpy().tobytes() for crop in crops}) == COUNT
    again = fixed_crops(wide, 32)
    assert all(torch.equal(a.image, b.image) for a, b in zip(crops, again, strict=True))


def test_a_scene_smaller_than_a_crop_is_one_crop(prepared):
    crops = fixed_crops(prepared, 256)
    assert len(crops) == len(prepared.scenes("val")) == 2
    assert {tuple(crop.target.shape) for crop in crops} == {(110, 110)}


def test_the_picture_marks_the_pixels_that_are_wrong(fabric, wide, tmp_path):
    pictures = CropPictures(wide, 32)
    step = TrainingStep(Always(1), nn.Identity(), Scaling((0.0,) * 3, (1.0,) * 3), auxiliary_weight=0)
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
def test_curves_are_drawn_of_as_many_rows_as_there_are(tmp_path, rows):
    log = CsvLog(tmp_path, ["loss", "learning_rate", "mean_iou", "mean_f1", "overall_accuracy", "images_per_second"])
    for row in range(rows):
        scores = {"mean_iou": 0.5, "mean_f1": 0.6, "overall_accuracy": 0.7} if row % 10 == 9 else {}
        log.write(50 * row, {"loss": 1 / (row + 1), "learning_rate": 0.01, "images_per_second": 9.0} | scores)
    draw_curves(tmp_path / METRICS, tmp_path / "curves.png", name="town")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", METRICS]

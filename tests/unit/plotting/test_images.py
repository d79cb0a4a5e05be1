"""Pictures show pixels where they lie, and leave out what is not valid."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from strategies_raster import UTM, make_raster, noise

from geoseg.errors import OutputError
from geoseg.grid.grid import Grid
from geoseg.legend import Legend
from geoseg.plotting import images as picture
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene

LEGEND = Legend.of({"ground": "#ffffff", "building": "#ff0000", "a class of quite a long name": "#00ff00"})


def raster_of(values: np.ndarray, valid: np.ndarray | None = None) -> Raster:
    shape = values.shape[1:]
    return Raster(values, np.ones(shape, np.bool_) if valid is None else valid, Grid(None, Affine.identity(), *shape))


def test_bytes_are_shown_as_they_are() -> None:
    values = noise(3, 8, 9)
    assert np.array_equal(picture.stretch(raster_of(values)), np.moveaxis(values, 0, -1))


def test_other_values_are_stretched_over_valid_pixels_only() -> None:
    values = np.linspace(1000, 3000, 300, dtype=np.float32).reshape(3, 10, 10)
    values[:, 0], valid = -9999, np.ones((10, 10), np.bool_)
    valid[0] = False
    image = picture.stretch(raster_of(values, valid))
    assert (image[1, 0] == 0).all()
    assert (image[-1, -1] == 255).all()
    assert (image[0] >= 232).all()  # a light checker


def test_one_band_is_grey_and_nothing_at_all_is_a_checker() -> None:
    image = picture.stretch(raster_of(noise(1, 8, 9, dtype=np.uint16)))
    assert (image == image[..., :1]).all()
    nothing = picture.stretch(raster_of(np.zeros((3, 20, 20), np.uint16), np.zeros((20, 20), np.bool_)))
    assert set(np.unique(nothing)) == {232, 255}


def test_bands_to_show_are_found_by_name() -> None:
    assert picture.shown_bands(["blue", "green", "red", "nir"]) == (2, 1, 0)
    assert picture.shown_bands(["nir", "red", "green"]) == (0, 1, 2)
    assert picture.shown_bands(["gray"]) == (0, 0, 0)


def test_shrinking_averages_and_never_enlarges() -> None:
    image = noise(40, 80, 3)
    small = picture.shrink(image, 20)
    assert small.shape == (10, 20, 3)
    means = image.reshape(10, 4, 20, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 1
    assert picture.shrink(image, 100) is image


def test_blending_lies_between_image_and_colours_where_valid() -> None:
    image, colours, valid = noise(6, 7, 3), 255 - noise(6, 7, 3), np.eye(6, 7, dtype=bool)
    assert np.array_equal(picture.blend(image, colours, opacity=0), image)
    assert np.array_equal(picture.blend(image, colours, opacity=1), colours)
    half = picture.blend(image, colours, opacity=0.5, valid=valid)
    assert np.array_equal(half[~valid], image[~valid])
    assert np.abs(half[valid] - (image[valid] / 2 + colours[valid] / 2)).max() <= 0.5


def test_outlines_run_where_their_points_lie() -> None:
    square = np.array([[2.5, 3.5], [2.5, 8.5], [6.5, 8.5], [6.5, 3.5], [2.5, 3.5]])  # pixel centres
    drawn = picture.outlined(np.zeros((10, 12, 3), np.uint8), [square], colour=(9, 8, 7), width=1)
    expected = np.zeros((10, 12), bool)
    expected[2:7, 3:9] = True
    expected[3:6, 4:8] = False
    assert np.array_equal((drawn == (9, 8, 7)).all(axis=-1), expected)


def test_error_maps_mark_wrong_and_missing_pixels_only() -> None:
    predicted = np.array([[0, 1, 255, 1]], np.uint8)
    reference = np.array([[0, 0, 0, 255]], np.uint8)
    right, wrong, missing, unlabelled = picture.error_map(np.full((1, 4), 100, np.uint8), predicted, reference)[0]
    assert right.tolist() == [100, 100, 100]
    assert wrong[0] > 150 > wrong[1]
    assert missing[0] > missing[1] > missing[2]
    assert (unlabelled > 200).all()


def test_a_panel_holds_every_image_and_the_legend() -> None:
    images = [(f"image {n}", np.full((40 + n, 60, 3), 50 + n, np.uint8)) for n in range(5)]
    panel = np.asarray(picture.panel(images, legend=LEGEND, columns=2))
    for n in range(5):
        assert (panel == 50 + n).all(axis=-1).sum() >= (40 + n) * 60
    for entry in LEGEND.entries:
        assert (panel == entry.colour).all(axis=-1).sum() > 100
    assert picture.panel(images).width > 5 * 60


def test_a_png_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise(9, 8, 3)
    picture.write_png(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as written:
        assert np.array_equal(np.asarray(written), image)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError):
        picture.write_png(tmp_path / "b.png", image)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_an_overview_holds_the_whole_scene(tmp_path: Path) -> None:
    with Scene.open(make_raster(tmp_path / "a.tif", noise(3, 90, 300), **UTM)) as scene:
        assert picture.overview(scene, longest=100).grid.shape == (30, 100)
        assert picture.overview(scene).grid == scene.grid

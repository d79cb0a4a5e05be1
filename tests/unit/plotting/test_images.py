"""Composition of images: reduction, overlays, outlines, error maps, panels, PNG files."""

import math
from pathlib import Path

import numpy as np
import pytest
from helpers.rasters import noise
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geoseg.errors import OutputError
from geoseg.legend import Legend
from geoseg.plotting import images as plotting
from geoseg.plotting.images import (
    MIN_COLOUR_DISTANCE,
    NOT_PREDICTED,
    OTHER_MARKS,
    WRONG,
    ErrorColours,
    error_map,
)

LEGEND = Legend.of({"ground": "#ffffff", "building": "#ff0000", "a class of quite a long name": "#00ff00"})


def test_shrinking_averages_and_never_enlarges() -> None:
    image = noise(40, 80, 3)
    small = plotting.downsample(image, 20)
    assert small.shape == (10, 20, 3)
    means = image.reshape(10, 4, 20, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 1
    assert plotting.downsample(image, 100) is image


def test_blending_lies_between_image_and_colours_where_valid() -> None:
    image, colours, valid = noise(6, 7, 3), 255 - noise(6, 7, 3), np.eye(6, 7, dtype=bool)
    assert np.array_equal(plotting.blend(image, colours, opacity=0), image)
    assert np.array_equal(plotting.blend(image, colours, opacity=1), colours)
    half = plotting.blend(image, colours, opacity=0.5, valid=valid)
    assert np.array_equal(half[~valid], image[~valid])
    assert np.abs(half[valid] - (image[valid] / 2 + colours[valid] / 2)).max() <= 0.5


def test_outlines_run_where_their_points_lie() -> None:
    square = np.array([[2.5, 3.5], [2.5, 8.5], [6.5, 8.5], [6.5, 3.5], [2.5, 3.5]])  # pixel centres
    drawn = plotting.draw_lines(np.zeros((10, 12, 3), np.uint8), [square], colour=(9, 8, 7), width=1)
    expected = np.zeros((10, 12), bool)
    expected[2:7, 3:9] = True
    expected[3:6, 4:8] = False
    assert np.array_equal((drawn == (9, 8, 7)).all(axis=-1), expected)


def test_error_maps_mark_wrong_and_missing_pixels_only() -> None:
    predicted = np.array([[0, 1, 255, 1]], np.uint8)
    reference = np.array([[0, 0, 0, 255]], np.uint8)
    right, wrong, missing, unlabelled = plotting.error_map(np.full((1, 4), 100, np.uint8), predicted, reference)[0]
    assert right.tolist() == [100, 100, 100]
    assert wrong[0] > 150 > wrong[1]
    assert missing[0] > missing[1] > missing[2]
    assert (unlabelled > 200).all()


def test_a_panel_holds_every_image_and_the_legend() -> None:
    images = [(f"image {n}", np.full((40 + n, 60, 3), 50 + n, np.uint8)) for n in range(5)]
    panel = np.asarray(plotting.compose_panel(images, legend=LEGEND, columns=2))
    for n in range(5):
        assert (panel == 50 + n).all(axis=-1).sum() >= (40 + n) * 60
    for entry in LEGEND.entries:
        assert (panel == entry.colour).all(axis=-1).sum() > 100
    assert plotting.compose_panel(images).width > 5 * 60


def test_a_png_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise(9, 8, 3)
    plotting.write_png(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as written:
        assert np.array_equal(np.asarray(written), image)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError):
        plotting.write_png(tmp_path / "b.png", image)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=8, unique=True))
def test_errors_never_look_like_a_class_if_another_color_is_free(colours):
    """Of up to eight classes; a legend may fill the color space so that no candidate is free."""
    chosen = ErrorColours.for_legend(Legend.of({str(n): colour for n, colour in enumerate(colours)}))
    candidates = [WRONG, *OTHER_MARKS]
    free = [c for c in candidates if min(math.dist(c, other) for other in colours) >= MIN_COLOUR_DISTANCE]
    assert chosen.wrong == free[0] if free else chosen.wrong in candidates
    assert chosen.wrong != chosen.not_predicted


@pytest.mark.parametrize("red", ["#ff0000", "#d62728", "#c81e1e"])
def test_errors_are_red_unless_a_class_is(red):
    assert ErrorColours.for_legend(Legend.of({"a": "#00ff00"})) == (WRONG, NOT_PREDICTED)
    colours = ErrorColours.for_legend(Legend.of({"a": red}))
    assert colours.wrong == OTHER_MARKS[0]
    image, ones = np.full((2, 2), 128, np.uint8), np.ones((2, 2), np.uint8)
    assert (error_map(image, ones, 0 * ones, colours) == np.rint(128 + 0.75 * (np.array(colours.wrong) - 128))).all()

"""Slide inference as a user asks for it. `python benchmarks/parity` compares it with mmsegmentation's own."""

import geopandas
import numpy as np
import pytest
import rasterio
import torch
from helpers.models import EXACT, Convolutions, Heard, Nowhere, bundle, pixels, threshold_bundle, write_scene
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import geometry_mask
from shapely import Polygon
from torch import nn
from torch.nn import functional as F

from geoseg.errors import BundleError, ConfigError
from geoseg.inference.predict import predict
from geoseg.inference.sliding import slide_inference as sliding
from geoseg.inference.tta import TTA
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.writers.memory import MemoryWriter


def mask_of(path, model, **options):
    sink = MemoryWriter()
    prediction = predict(path, sink, model=model, **EXACT, **({"mode": "slide"} | options))
    return sink.mask, prediction


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("scenes") / "scene.tif"


def slide_inference(network, images, size, stride):
    """mmsegmentation's function of this name: logits (batch, class, row, col)."""
    height, width = images.shape[2:]
    total, count = 0, torch.zeros(height, width)
    for down in range(max(height - size + stride - 1, 0) // stride + 1):
        for across in range(max(width - size + stride - 1, 0) // stride + 1):
            row_stop, col_stop = min(down * stride + size, height), min(across * stride + size, width)
            row, col = max(row_stop - size, 0), max(col_stop - size, 0)
            logits = network(images[:, :, row:row_stop, col:col_stop])
            total = total + F.pad(logits, (col, width - col_stop, row, height - row_stop))
            count[row:row_stop, col:col_stop] += 1
    return total / count


@st.composite
def cases(draw):
    """Scene, tile, stride and batch."""
    size = draw(st.integers(1, 20))
    values = pixels(draw(st.integers(1, 40)), draw(st.integers(1, 40)), seed=draw(st.integers(0, 99)))
    return values, size, draw(st.integers(1, size)), draw(st.integers(1, 5))


def test_masks_are_those_of_mmsegmentations_slide_inference(path):
    model = bundle(Convolutions(3, 3))

    @settings(max_examples=20, deadline=None)
    @given(cases())
    def law(case):
        values, size, stride, batch = case
        write_scene(path, values)
        with torch.inference_mode():
            expected = slide_inference(model.network, torch.from_numpy(values).float()[None] - 4, size, stride)[0]
        mask, _ = mask_of(path, model, tile=size, stride=stride, batch=batch)
        np.testing.assert_array_equal(mask, expected.argmax(0))

    law()


def test_flips_slide_over_the_flipped_image(path):
    """With windows that the image's size is no multiple of, the flipped image is cut elsewhere."""
    model, values = bundle(Convolutions(3, 3)), pixels(23, 31)
    write_scene(path, values)
    images = torch.from_numpy(values).float()[None] - 4
    with torch.inference_mode():
        logits = slide_inference(model.network, images, 10, 7), slide_inference(model.network, images.flip(3), 10, 7)
    expected = (logits[0].softmax(1) + logits[1].flip(3).softmax(1))[0].argmax(0)
    np.testing.assert_array_equal(mask_of(path, model, tile=10, stride=7, tta="flip")[0], expected)


@pytest.mark.parametrize("batch", [1, 3, 50])
@pytest.mark.parametrize("tta", TTA)
def test_masks_do_not_depend_on_the_batch(path, tta, batch):
    write_scene(path, pixels(40, 33))
    model, options = bundle(Convolutions(3, 3)), {"tile": 16, "stride": 9, "tta": tta}
    np.testing.assert_array_equal(mask_of(path, model, batch=batch, **options)[0], mask_of(path, model, **options)[0])


@pytest.mark.parametrize("tta", TTA)
def test_masks_do_not_depend_on_the_height_of_strips(path, tta, monkeypatch):
    write_scene(path, pixels(60, 33))
    model, options = bundle(Convolutions(3, 3)), {"tile": 16, "stride": 9, "tta": tta}
    at_once, _ = mask_of(path, model, **options)
    monkeypatch.setattr(sliding, "STRIP_ROWS", 7)
    np.testing.assert_array_equal(mask_of(path, model, **options)[0], at_once)


def test_without_overlap_windows_are_plain_tiles(path):
    write_scene(path, pixels(32, 48))
    model = bundle(Convolutions(3, 3))
    plain, _ = mask_of(path, model, mode="blended", blend="crop", tile=16, halo=0)
    np.testing.assert_array_equal(mask_of(path, model, tile=16, stride=16)[0], plain)


class Constant(nn.Module):
    def forward(self, images):
        return torch.tensor([0.0, 2.0, 1.0])[:, None, None].expand(len(images), 3, *images.shape[2:])


@pytest.mark.parametrize("tta", TTA)
@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (301, 23), (16, 16)])
def test_a_network_that_always_says_the_same_gets_one_class(path, shape, tta):
    write_scene(path, pixels(*shape))
    mask, _ = mask_of(path, bundle(Constant()), tile=16, stride=11, tta=tta)
    assert mask.shape == shape
    assert (mask == 1).all()


@pytest.mark.parametrize("tta", ["none", "flip", "d4"])
@pytest.mark.parametrize("mode", ["slide", "blended"])
def test_augmentation_changes_nothing_for_a_network_that_turns_with_its_images(path, mode, tta):
    values = pixels(40, 33, bands=1)
    write_scene(path, values)
    np.testing.assert_array_equal(mask_of(path, threshold_bundle(), mode=mode, tta=tta)[0], values[0] > 4)


@pytest.mark.parametrize("mode", ["slide", "blended"])
def test_scales_change_little_for_a_network_that_sees_single_pixels(path, mode):
    values = np.kron(pixels(6, 5, bands=1), np.ones((1, 20, 20), np.uint8))
    write_scene(path, values)
    mask, _ = mask_of(path, threshold_bundle(tile=64), mode=mode, tta="ms+flip")
    assert (mask == (values[0] > 4)).mean() > 0.93, "only pixels along the squares' borders may differ"


@pytest.mark.parametrize("tta", TTA)
def test_nodata_stays_nodata_and_empty_windows_skip_the_network(path, tta):
    values = pixels(64, 64, bands=1, low=1)
    values[:, :40], values[:, 50, 50] = 0, 0
    write_scene(path, values, nodata=0)
    model = threshold_bundle()
    mask, prediction = mask_of(path, model, tile=16, stride=11, batch=3, tta=tta)
    np.testing.assert_array_equal(mask == IGNORE_INDEX, values[0] == 0)
    assert prediction.skipped > 0
    assert sum(shape[0] for shape in model.network.seen) == prediction.tiles - prediction.skipped
    if tta != "ms+flip":
        np.testing.assert_array_equal(mask[values[0] != 0], (values[0] > 4)[values[0] != 0])


@pytest.mark.parametrize("tta", TTA)
def test_a_part_of_the_scene_gets_its_part_of_the_mask(path, tta):
    write_scene(path, pixels(60, 50))
    model, options = bundle(Convolutions(3, 3)), {"tile": 16, "stride": 11, "tta": tta}
    whole, _ = mask_of(path, model, **options)
    with rasterio.open(path) as scene:
        bbox = rasterio.windows.bounds(rasterio.windows.Window(21, 33, 9, 14), scene.transform)
    part, prediction = mask_of(path, model, bbox=bbox, **options)
    np.testing.assert_array_equal(part, whole[33:47, 21:30])
    assert prediction.skipped == 0
    assert prediction.tiles < mask_of(path, model, **options)[1].tiles


@pytest.mark.parametrize("tta", ["none", "ms+flip"])
def test_polygons_limit_the_mask_and_windows_outside_are_not_seen(path, tmp_path, tta):
    write_scene(path, pixels(60, 50))
    model, options = bundle(Convolutions(3, 3)), {"tile": 16, "stride": 11, "tta": tta}
    whole, _ = mask_of(path, model, **options)
    with rasterio.open(path) as scene:
        corners = [scene.xy(row - 0.5, col - 0.5) for col, row in ((2, 3), (44.7, 50), (2, 50))]
        triangle = geopandas.GeoSeries([Polygon(corners)], crs=scene.crs)
        outside = geometry_mask(triangle, scene.shape, scene.transform)[3:50, 2:45]
    triangle.to_file(tmp_path / "triangle.gpkg")
    mask, prediction = mask_of(path, model, aoi=tmp_path / "triangle.gpkg", **options)
    np.testing.assert_array_equal(mask, np.where(outside, IGNORE_INDEX, whole[3:50, 2:45]))
    assert prediction.skipped > 0


@pytest.mark.parametrize("factor", [2, 1 / 2, 3.3, 1 / 1.7])
@pytest.mark.parametrize("tta", ["none", "d4"])
def test_windows_over_a_scene_of_another_gsd_are_resampled(path, factor, tta):
    values = np.kron(pixels(6, 5, bands=1, low=1), np.ones((1, 20, 20), np.uint8))
    values[0, 30, 41] = 0
    write_scene(path, values, nodata=0)
    model = threshold_bundle(gsd=0.3 * factor, tile=32)
    mask, prediction = mask_of(path, model, tta=tta)
    valid = values[0] != 0
    assert "resampled while reading" in prediction.notes[-1]
    np.testing.assert_array_equal(mask == IGNORE_INDEX, ~valid)
    assert (mask == (values[0] > 4))[valid].mean() > 0.93


def test_progress_hears_of_every_window_of_every_variant(path):
    heard = Heard()
    write_scene(path, pixels(40, 33, bands=1))
    _, prediction = mask_of(path, threshold_bundle(), tile=16, stride=11, tta="ms+flip", progress=heard)
    assert heard.announced == [sum(heard.done)] == [prediction.tiles]


def test_the_mask_says_how_it_was_made(path, tmp_path):
    write_scene(path, pixels(20, 20, bands=1))
    options = {"mode": "slide", "tta": "flip", "tile": 12}
    predict(path, tmp_path / "mask.tif", model=threshold_bundle(), **EXACT, **options)
    with rasterio.open(tmp_path / "mask.tif") as mask:
        tags = mask.tags()
    wanted = {"GEOSEG_MODE": "slide", "GEOSEG_TILE": "12", "GEOSEG_STRIDE": "8", "GEOSEG_TTA": "flip"}
    assert {key: tags.get(key) for key in wanted} == wanted
    assert not {"GEOSEG_HALO", "GEOSEG_BLEND"} & set(tags)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"mode": "slid"}, ConfigError, "unknown mode 'slid'"),
        ({"tta": "flop"}, ConfigError, "unknown tta 'flop'"),
        ({"stride": 17}, ConfigError, "windows of 16 pixels with a stride of 17"),
        ({"stride": 0}, ConfigError, "stride of 0"),
        ({"mode": "blended", "stride": 8}, ConfigError, "stride 8 requires mode slide"),
        ({"halo": 2}, ConfigError, "halo cannot be used"),
        ({"blend": "crop"}, ConfigError, "blend crop cannot be used"),
        ({"tta": "ms+flip", "model": threshold_bundle(gsd=0.6)}, BundleError, "several scales"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(tmp_path, options, error, words):
    scene = write_scene(tmp_path / "scene.tif", pixels(20, 20, bands=1))
    with pytest.raises(error, match=words) as caught:
        predict(scene, tmp_path / "mask.tif", **({"model": threshold_bundle(), "mode": "slide"} | options), **EXACT)
    assert caught.value.hint
    assert [file.name for file in tmp_path.iterdir()] == ["scene.tif"]


@pytest.mark.parametrize("tta", ["none", "ms+flip"])
def test_memory_does_not_grow_with_the_height_of_the_scene(tmp_path, tta):
    peaks = {}
    model = bundle(Constant(), bands=("red",), tile=32)
    for height in (300, 1500):
        scene = write_scene(tmp_path / f"{height}.tif", np.zeros((1, height, 40), np.uint8), tiled=True)
        peaks[height] = largest_tensors(lambda scene=scene: predict(scene, Nowhere(), model=model, **options(tta)))
    assert peaks[1500] <= 1.1 * peaks[300]


def options(tta):
    return {"device": "cpu", "mode": "slide", "stride": 21, "tta": tta}


def largest_tensors(run):
    """Pixels of the largest tensor that an operation gave while ``run`` ran."""
    largest = 0

    class Watching(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            nonlocal largest
            result = function(*arguments, **(keywords or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.untyped_storage().nbytes())
            return result

    with Watching():
        run()
    return largest

"""Scenes of every origin through the command line: many, folders, mosaics, virtual rasters, web servers."""

import numpy as np
import pytest
import rasterio
from helpers.range_server import serving
from helpers.sample import SAMPLE

from geoseg.raster.metadata import read_metadata
from geoseg.raster.mosaic import MosaicSource, build_mosaic_vrt

SCENE = SAMPLE / "images" / "collar.tif"


@pytest.fixture
def predicted(geoseg, trained):
    """Runs ``geoseg predict`` with the tiny model."""
    return lambda *arguments: geoseg("predict", *arguments, "--model", trained.path)


@pytest.fixture
def halves(tmp_path):
    """A folder with the two halves of a scene, left and right, and their columns."""
    folder = tmp_path / "halves"
    folder.mkdir()
    with rasterio.open(SCENE) as scene:
        middle = scene.width // 2
        for name, cols in [("left", (0, middle)), ("right", (middle, scene.width))]:
            window = rasterio.windows.Window.from_slices((0, scene.height), cols)
            profile = {"width": cols[1] - cols[0], "transform": scene.window_transform(window), "driver": "GTiff"}
            with rasterio.open(folder / f"{name}.tif", "w", **scene.profile | profile) as half:
                half.write(scene.read(window=window))
                half.colorinterp = scene.colorinterp
    return folder


def pixels(path):
    with rasterio.open(path) as mask:
        return mask.read(1)


def test_a_folder_becomes_a_folder_of_masks_and_what_fails_is_told_at_the_end(predicted, halves, tmp_path):
    (halves / "broken.tif").write_text("no raster")
    result = predicted(halves, "-o", tmp_path / "masks")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [str(tmp_path / "masks" / f"{name}_mask.tif") for name in ("left", "right")]
    *_, error, hint, summary = result.stderr.splitlines()
    assert error.startswith(f"Error: {halves / 'broken.tif'} is not a readable raster")
    assert hint.startswith("Hint: ")
    assert summary == "2 of 3 scenes were predicted"
    again = predicted(halves, "-o", tmp_path / "masks")
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    assert again.stdout == ""


def test_a_pattern_and_one_scene_into_a_folder_work(predicted, halves, tmp_path):
    assert predicted(halves / "l*.tif", "-o", tmp_path / "masks").exit_code == 0
    assert predicted(halves / "right.tif", "-o", tmp_path / "masks").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "masks").glob("*.tif")) == ["left_mask.tif", "right_mask.tif"]


def test_a_mosaic_and_a_virtual_raster_of_halves_are_predicted_as_the_whole(predicted, halves, tmp_path):
    whole, mosaic, virtual = (tmp_path / f"{name}_mask.tif" for name in ("whole", "mosaic", "virtual"))
    parts = [MosaicSource(str(path), read_metadata(str(path))) for path in sorted(halves.iterdir())]
    (tmp_path / "town.vrt").write_bytes(build_mosaic_vrt(parts))
    assert predicted(SCENE, "-o", whole).exit_code == 0
    result = predicted("--mosaic", halves, "-o", mosaic)
    assert result.exit_code == 0, result.stderr
    assert predicted(tmp_path / "town.vrt", "-o", virtual).exit_code == 0
    np.testing.assert_array_equal(pixels(mosaic), pixels(whole))
    np.testing.assert_array_equal(pixels(virtual), pixels(whole))


def test_a_mosaic_of_what_does_not_fit_is_refused_by_name(predicted, halves, tmp_path):
    other = tmp_path / "other.tif"
    with rasterio.open(SCENE) as scene, rasterio.open(other, "w", **scene.profile | {"crs": "EPSG:32632"}) as odd:
        odd.write(scene.read())
    result = predicted("--mosaic", halves, other, "-o", tmp_path / "mask.tif")
    assert result.exit_code == 1
    assert f"Error: {other} cannot be put into a mosaic with {halves / 'left.tif'}: its CRS is" in result.stderr
    assert not (tmp_path / "mask.tif").exists()


def test_of_a_scene_on_a_server_a_box_fetches_a_part(predicted, tmp_path):
    folder = tmp_path / "web"
    folder.mkdir()
    with rasterio.open(SCENE) as small:
        tiled = {"driver": "GTiff", "height": 4 * small.height, "width": 4 * small.width, "compress": None}
        tiled |= {"tiled": True, "blockxsize": 128, "blockysize": 128}
        with rasterio.open(folder / "scene.tif", "w", **small.profile | tiled) as large:
            large.write(np.tile(small.read(), (1, 4, 4)))
            large.colorinterp = small.colorinterp
            left, bottom, right, top = large.window_bounds(rasterio.windows.Window(300, 400, 60, 50))
    box = ["--bbox", f"{left},{bottom},{right},{top}"]
    with serving(folder) as server:
        result = predicted(f"{server.address}/scene.tif", "-o", tmp_path / "remote.tif", *box)
        assert result.exit_code == 0, result.stderr
        sent = server.sent()["/scene.tif"]
    assert 0 < sent < (folder / "scene.tif").stat().st_size / 3
    assert predicted(folder / "scene.tif", "-o", tmp_path / "local.tif", *box).exit_code == 0
    np.testing.assert_array_equal(pixels(tmp_path / "remote.tif"), pixels(tmp_path / "local.tif"))
    assert pixels(tmp_path / "remote.tif").shape == (50, 60)


def test_an_address_without_a_scene_or_a_server_is_one_sentence_and_a_hint(predicted, tmp_path):
    with serving(tmp_path) as server:
        address = f"{server.address}/gone.tif"
        without_scene = predicted(address, "-o", tmp_path / "mask.tif")
    without_server = predicted(f"{address}?again", "-o", tmp_path / "mask.tif")
    for result in (without_scene, without_server):
        assert result.exit_code == 1
        error, hint = result.stderr.splitlines()[-2:]
        assert error.startswith(f"Error: {address}")
        assert hint.startswith("Hint: check the address")
    assert list(tmp_path.iterdir()) == []

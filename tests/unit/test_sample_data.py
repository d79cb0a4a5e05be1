"""The sample data is what its script makes, small, well-formed, and not solvable by colour alone."""

import hashlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.warp import transform_bounds

FOLDER = Path(__file__).parents[2] / "sample_data"
NAMES = ("market", "station", "meadow", "mill", "school", "collar")
SPLITS = ("train", "val", "test")


def load_make():
    """make.py as a module; its neighbours are importable only while it is being loaded."""
    spec = importlib.util.spec_from_file_location("sample_data_make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    neighbours = {path.stem for path in FOLDER.glob("*.py")}
    sys.path.insert(0, str(FOLDER))
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
        for name in neighbours:
            sys.modules.pop(name, None)
    return module


make = load_make()


@pytest.fixture(scope="module")
def remade(tmp_path_factory):
    """A folder with everything written anew."""
    folder = tmp_path_factory.mktemp("sample_data")
    make.make(folder)
    return folder


def read(path):
    with rasterio.open(path) as file:
        return file.read().astype(np.int16)


def names_of(split):
    return (FOLDER / "splits" / f"{split}.txt").read_text().split()


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_what_the_script_makes(remade, name):
    path = Path("labels", f"{name}.tif")
    assert (read(remade / path) == read(FOLDER / path)).all()


@pytest.mark.parametrize("name", NAMES)
def test_images_are_what_the_script_makes(remade, name):
    """One count of difference in a few pixels is allowed: sin and cos round differently between processors."""
    path = Path("images", f"{name}.tif")
    difference = np.abs(read(remade / path) - read(FOLDER / path))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_splits_are_what_the_script_makes(remade):
    for split in SPLITS:
        assert (remade / "splits" / f"{split}.txt").read_bytes() == (FOLDER / "splits" / f"{split}.txt").read_bytes()


def test_two_runs_write_the_same_bytes(remade, tmp_path):
    """Shown on the scene with the collar, the cheapest; all go through the same code."""
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    make.write(next(place for place in make.PLACES if place.name == "collar"), tmp_path)
    for part in ("images", "labels"):
        first, second = (hashlib.sha256((root / part / "collar.tif").read_bytes()) for root in (remade, tmp_path))
        assert first.hexdigest() == second.hexdigest()


def test_everything_is_below_five_megabytes():
    sources = [*FOLDER.glob("*.py"), *FOLDER.glob("*.md")]
    assert make.total_bytes(FOLDER) + sum(path.stat().st_size for path in sources) < 5e6


def test_splits_are_disjoint_and_name_every_scene():
    named = [name for split in SPLITS for name in names_of(split)]
    assert sorted(named) == sorted(NAMES)
    assert [path.stem for path in sorted((FOLDER / "images").glob("*.tif"))] == sorted(NAMES)


@pytest.mark.parametrize("split", SPLITS)
def test_every_class_has_a_fair_share_of_every_split(split):
    shares = make.class_shares(FOLDER, split)
    assert list(shares) == ["impervious_surface", "building", "low_vegetation", "tree", "car", "clutter"]
    assert min(shares.values()) > 0.01
    assert shares["building"] > 0.08
    assert max(shares.values()) < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_image_and_label_share_a_grid_of_30_centimetres_in_utm(name):
    with (
        rasterio.open(FOLDER / "images" / f"{name}.tif") as image,
        rasterio.open(FOLDER / "labels" / f"{name}.tif") as label,
    ):
        assert image.crs.to_epsg() == label.crs.to_epsg() == 32633
        assert image.res == (0.3, 0.3)
        assert (image.transform, image.shape) == (label.transform, label.shape)
        west, south, east, north = transform_bounds(image.crs, "EPSG:4326", *image.bounds)
        assert 12 < west < east < 18
        assert 48 < south < north < 50


@pytest.mark.parametrize("name", NAMES)
def test_files_say_what_they_hold(name):
    with rasterio.open(FOLDER / "images" / f"{name}.tif") as image:
        assert image.descriptions == ("red", "green", "blue")
        assert image.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        assert image.dtypes == ("uint8",) * 3
        assert image.nodata == (0 if name == "collar" else None)
    with rasterio.open(FOLDER / "labels" / f"{name}.tif") as label:
        assert (label.count, label.dtypes, label.nodata) == (1, ("uint8",), 255)
        colours = label.colormap(1)
        assert [colours[index][:3] for index in range(6)] == list(make.LEGEND.values())


def test_scenes_do_not_overlap():
    bounds = []
    for name in NAMES:
        with rasterio.open(FOLDER / "images" / f"{name}.tif") as image:
            bounds.append(image.bounds)
    for number, one in enumerate(bounds):
        for two in bounds[:number]:
            apart = one.right <= two.left or two.right <= one.left or one.top <= two.bottom or two.top <= one.bottom
            assert apart


@pytest.mark.parametrize("name", NAMES)
def test_nodata_is_the_collar_and_nothing_else(name):
    """Elsewhere no pixel is 0 in any band, and no label is the ignore index."""
    image, label = read(FOLDER / "images" / f"{name}.tif"), read(FOLDER / "labels" / f"{name}.tif")[0]
    collar = (image == 0).any(axis=0)
    assert (collar == (image == 0).all(axis=0)).all()
    assert (collar == (label == 255)).all()
    assert collar.any() == (name == "collar")


def test_the_footprint_touches_all_four_borders():
    place = next(place for place in make.PLACES if place.name == "collar")
    valid = make.footprint(place)
    assert 0.5 < valid.mean() < 0.8
    for border in (valid[:2], valid[-2:], valid[:, :2], valid[:, -2:]):
        assert border.any()


def test_colour_alone_does_not_tell_the_classes():
    assert 0.2 < make.colour_lookup_miou(FOLDER) < 0.5

"""Labelled scenes small enough to be prepared in milliseconds."""

from pathlib import Path

import numpy as np
from affine import Affine
from pyproj import CRS

from geoseg.config.load import parse_recipe
from geoseg.data.preparation.class_locations import ClassLocations
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.formats.memmap_geotiff import create_contiguous
from geoseg.raster.formats.tiled_geotiff import create_compressed
from helpers.rasters import UTM, make_raster, noise

TRANSFORM = Affine(0.5, 0, 400_000, 0, -0.5, 5_800_000)


def striped(height, width, classes=3, *, side=4):
    """Class indices in squares of ``side`` pixels, every class beside every other."""
    rows, cols = np.indices((height, width)) // side
    return ((rows + 2 * cols) % classes).astype(np.uint8)


def write_contiguous(path, values, grid=None):
    """Values (band, row, col) as prepared folders hold them."""
    return _written(create_contiguous, path, values, grid)


def write_compressed(path, values, grid=None):
    """Values (band, row, col) as prepared folders hold them on small disks."""
    return _written(create_compressed, path, values, grid)


def _written(writing, path, values, grid):
    grid = grid or Grid(CRS(32633), TRANSFORM, *values.shape[1:])
    with writing(path, grid, bands=len(values), dtype=values.dtype) as file:
        file.write(grid.window, values)
    return path


def prepared_scene(
    folder, mask, *, image=None, valid=None, name="scene", classes=3, labelled=True, compressed=False, split="train"
):
    """A prepared scene of a mask (row, col) and, if given, an image (band, row, col) and its validity.

    Without labels the mask only says how large the scene is.
    """
    height, width = mask.shape
    image = noise(3, height, width) if image is None else image
    pixels = height * width if valid is None else int(valid.sum())
    counts = np.bincount(mask.ravel(), minlength=256)[:classes].tolist() if labelled else ()
    scene = PreparedScene(
        name, split, Path(folder), name, height, width, 0.5, pixels, tuple(counts),
        labelled=labelled, compressed=compressed,
    )  # fmt: skip
    write = write_compressed if compressed else write_contiguous
    write(scene.image_path, image)
    if labelled:
        write(scene.mask_path, mask[None])
        scene.class_locations_path.parent.mkdir(parents=True, exist_ok=True)
        ClassLocations.from_mask(mask, classes).save(scene.class_locations_path)
    if pixels < height * width:
        write(scene.valid_path, valid[None].astype(np.uint8))
    return scene


def labelled_folder(root, names=("a", "b"), *, label=None, image=None, image_profile=None, label_profile=None):
    """Images ``images/NAME.tif`` and labels ``labels/NAME.tif`` below a root, all alike."""
    label = striped(12, 16) if label is None else label
    label = label if label.ndim == 3 else label[None]
    image = noise(3, *label.shape[1:], low=1) if image is None else image
    for kind, values, profile in (("images", image, image_profile), ("labels", label, label_profile)):
        for name in names:
            path = Path(root) / kind / f"{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            make_raster(path, values, **(UTM | (profile or {})))
    return Path(root)


def data_section(root, **changes):
    """The data section of a recipe over :func:`labelled_folder`, prepared beside it."""
    data = {
        "root": str(root),
        "prepared": str(Path(root) / "prepared"),
        "images": "images/{name}.tif",
        "labels": "labels/{name}.tif",
        "encoding_kind": "index",
        "legend": ["one", "two", "three"],
        "splits": {"train": "a", "val": "b"},
    }
    return parse_recipe({"data": data | changes}).data


def labelled_share(mask):
    """Share of the pixels that are labelled."""
    return float((mask != IGNORE_INDEX).mean())

"""Our polygons against GDAL's (rasterio.features.shapes): as many, of the same classes, covering the same ground."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from helpers.vectors import BACKGROUND, random_masks, shapes, smooth_mask
from rasterio.features import shapes as gdal_shapes

from geoseg.raster.scene import Scene
from geoseg.vector.polygonize import polygonize
from geoseg.vector.tracing.trace_raster import trace_mask

REAL_MASKS = [
    "labels_usda_cdl/2021_30m_cdls.tif",
    "labels_spdatalarge/raster/nlcd.tif",
    "labels_spdatalarge/raster/nlcd2011.tif",
    "derived_scenes/oam_B_z21_mask.tif",
    *(f"oam_hot_buildings/val-binarymasks/OAM-{place}-20.mask.tif" for place in ("619212-523272", "619213-523273")),
    *(f"dubai_hitl/Tile 4/masks/image_part_{number:03}.png" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9)),
    "torchgeo_layouts/loveda/Val/Rural/masks_png/01.png",
]
PLACED = [name for name in REAL_MASKS if name.endswith(".tif")]
"""Those with a CRS, so that metres mean something."""
LARGEST = 600 * 600
CROP = 256


def gdal(mask, connectivity):
    pairs = list(gdal_shapes(mask, mask=mask != BACKGROUND, connectivity=connectivity))
    geometries = np.array([shapely.geometry.shape(shape) for shape, _ in pairs], dtype=object)
    return geometries, np.array([value for _, value in pairs], dtype=np.int64)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_random_masks_give_the_polygons_gdal_gives(connectivity):
    for mask in random_masks(500, seed=connectivity):
        outlines = trace_mask(mask, background=BACKGROUND, connectivity=connectivity)
        ours, (theirs, values) = shapes(outlines), gdal(mask, connectivity)
        assert Counter(outlines.values.tolist()) == Counter(values.tolist())
        for value in np.unique(values):
            union = shapely.union_all(shapely.make_valid(theirs[values == value]))
            assert shapely.union_all(ours[outlines.values == value]).equals(union)


def test_with_4_connectivity_every_polygon_is_one_of_gdals():
    mask = smooth_mask(150)
    ours, (theirs, _) = shapes(trace_mask(mask, background=BACKGROUND)), gdal(mask, 4)
    plain = [shapely.normalize(shapely.simplify(shape, 0)) for shape in (*ours, *theirs)]
    assert Counter(shape.wkb for shape in plain[: len(ours)]) == Counter(shape.wkb for shape in plain[len(ours) :])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("name", REAL_MASKS, ids=[Path(name).stem for name in REAL_MASKS])
def test_real_masks_give_as_many_polygons_of_the_same_area_per_class(shared_data, tmp_path, name, connectivity):
    for number, path in enumerate(crops_of(shared_data / name, tmp_path)):
        require_gdals_counts_and_areas(path, tmp_path / f"{number}.gpkg", connectivity)


def require_gdals_counts_and_areas(path, output, connectivity):
    layer = polygonize(path, output, connectivity=connectivity)
    with Scene.open(path) as scene:
        raster = scene.read(scene.grid.window)
    mask = np.where(raster.valid[None], raster.values, BACKGROUND)[0]
    _, values = gdal(mask, connectivity)
    assert Counter(layer.frame["class_index"].tolist()) == Counter(values.tolist())
    pixel = abs(scene.grid.transform.determinant)
    frame = layer.frame
    areas = np.bincount(frame["class_index"], weights=shapely.area(frame.geometry) / pixel, minlength=256)
    assert areas == pytest.approx(np.bincount(mask.ravel(), minlength=256) * (np.arange(256) != BACKGROUND), rel=1e-6)
    assert layer.frame.geometry.is_valid.all()


def crops_of(path, folder):
    """The raster itself, or five crops of a large one: of polygons with hundreds of holes GEOS judges slowly."""
    with rasterio.open(path) as mask:
        if mask.height * mask.width <= LARGEST:
            return [path]
        rows, cols = mask.height - CROP, mask.width - CROP
        made = []
        for row, col in [(0, 0), (0, cols), (rows // 2, cols // 2), (rows, 0), (rows, cols)]:
            window = rasterio.windows.Window(col, row, CROP, CROP)
            made.append(folder / f"{row}-{col}.tif")
            changed = {"height": CROP, "width": CROP, "transform": mask.window_transform(window), "driver": "GTiff"}
            with rasterio.open(made[-1], "w", **mask.profile | changed | {"tiled": False}) as crop:
                crop.write(mask.read(window=window))
        return made


def generalised_and_exact(path, folder):
    """The polygons of a mask, without specks, simplified and smoothed, and as they are."""
    with Scene.open(path) as scene:
        gsd = scene.grid.gsd
    polygonize_options = {"min_area_m2": 4 * gsd**2, "simplify_m": gsd, "smooth": True}
    frame = polygonize(path, folder / "a.parquet", overwrite=True, **polygonize_options).frame
    return frame, polygonize(path, folder / "b.parquet", overwrite=True).frame


@pytest.mark.parametrize("name", PLACED, ids=[Path(name).stem for name in PLACED])
def test_real_masks_keep_valid_polygons_and_their_ground_when_they_are_generalised(shared_data, tmp_path, name):
    frame, exact = generalised_and_exact(shared_data / name, tmp_path)
    assert shapely.is_valid(frame.geometry.to_numpy()).all()
    areas = [shapely.area(each.geometry.to_numpy()).sum() for each in (frame, exact)]
    assert areas[0] == pytest.approx(areas[1], rel=0.005)  # but for the outermost border no gaps
    assert len(frame) <= len(exact)


@pytest.mark.parametrize("name", PLACED, ids=[Path(name).stem for name in PLACED])
def test_real_masks_stay_valid_coverages_when_they_are_generalised(shared_data, tmp_path, name):
    for path in crops_of(shared_data / name, tmp_path):
        frame, exact = generalised_and_exact(path, tmp_path)
        assert shapely.coverage_is_valid(frame.geometry.to_numpy()), path.name  # no overlaps
        assert len(frame) <= len(exact)

"""Masks and layers that the tests of the vector floor share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.grid.grid import Grid
from geoseg.legend import Legend
from geoseg.vector.attributes import Attributes
from geoseg.vector.io.output_spec import OutputSpec
from geoseg.vector.layer import PolygonLayer
from geoseg.vector.polygon_arrays import PolygonArrays
from geoseg.vector.tracing.outline_arrays import Outlines
from geoseg.vector.tracing.trace_raster import trace_mask

BACKGROUND = 255
PIXELS = Affine.identity()
LEGEND = Legend.of({"water": "#0000ff", "forest": "#00aa00", "road": "#888888", "roof": "#ff0000"})
UTM = CRS.from_epsg(32633)
FIVE_METRES = Affine(5, 0, 400_000, 0, -5, 5_800_000)
ROTATED = Affine(4, 3, 400_000, 3, -4, 5_800_000)
"""Pixels of five metres as well."""

masks = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0, 1, 2, BACKGROUND])
)
"""Small masks (row, col) of three classes and background: every way in which pixels can meet."""


def random_masks(count: int, *, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Small masks of few classes, from noise to nearly nothing."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        mask = rng.integers(0, rng.integers(2, 5), rng.integers(1, 13, 2)).astype(np.uint8)
        mask[rng.random(mask.shape) < rng.choice([0, 0.2])] = BACKGROUND
        made.append(mask)
    return made


def smooth_mask(size: int, *, classes: int = 4, seed: int = 0) -> NDArray[np.uint8]:
    """A mask (size, size) with regions of all sizes: the largest of several blurred noises."""
    rng = np.random.default_rng(seed)
    fields = rng.standard_normal((classes, size, size))
    for axis in (1, 2):
        for _ in range(3):
            fields = sum(np.roll(fields, shift, axis) for shift in range(-2, 3))
    return fields.argmax(axis=0).astype(np.uint8)


def shapes(outlines: Outlines) -> NDArray[np.object_]:
    """Polygons with x = col and y = row."""
    return PolygonArrays.from_outlines(outlines, PIXELS).to_geometries()


def layer_of(
    mask: NDArray[Any], *, crs: CRS | None = UTM, transform: Affine = FIVE_METRES, **options: Any
) -> PolygonLayer:
    """The layer of a mask on a grid of five metres."""
    outlines = trace_mask(mask, background=BACKGROUND, **options)
    is_multi = bool((np.diff(outlines.polygon_offsets) > 1).any())
    attributes = Attributes(Grid(crs, transform, *mask.shape), LEGEND, is_multi=is_multi)
    return PolygonLayer(attributes.stream([outlines]).to_frame(), LEGEND)


def write_layer(layer: PolygonLayer, path: Path, *, overwrite: bool = False) -> None:
    """Write a layer with its style; GeoJSON in longitude and latitude, the others in the layer's CRS."""
    output = OutputSpec(path, overwrite=overwrite)
    output.write(layer.to_stream(output.resolve_crs(layer.crs)), layer.legend)


def total_area(geometries: NDArray[np.object_]) -> float:
    """Area in CRS units."""
    return float(shapely.area(geometries).sum())


def valid_coverage(frame: gpd.GeoDataFrame) -> bool:
    """Whether the polygons are valid and neighbors share their vertices."""
    geometries = frame.geometry.to_numpy()
    return bool(shapely.is_valid(geometries).all() and shapely.coverage_is_valid(geometries))


def write_mask(
    path: Path,
    values: NDArray[Any],
    *,
    names: Sequence[str] = (),
    scale: float | None = None,
    tags: Mapping[str, str] | None = None,
    **options: Any,
) -> Path:
    """Write a raster of pixels of five meters, axes ([band,] row, col), with band names, a scale, and tags."""
    values = values if values.ndim == 3 else values[None]
    profile = {"count": len(values), "height": values.shape[1], "width": values.shape[2], "dtype": values.dtype}
    profile |= {"crs": "EPSG:32633", "transform": FIVE_METRES} | options
    with rasterio.open(path, "w", driver="GTiff", **profile) as dataset:
        dataset.write(values)
        if scale is not None:
            dataset.scales = [scale] * len(values)
        for band, name in enumerate(names, start=1):
            dataset.set_band_description(band, name)
        dataset.update_tags(**(tags or {}))
    return path


def write_predicted_mask(path: Path, values: NDArray[np.uint8]) -> Path:
    """Write a mask with the legend and the tags of a prediction."""
    tags = {"GEOSEG_CLASSES": LEGEND.to_json(), "GEOSEG_MODEL": "town.safetensors", "GEOSEG_SOURCE": "town.tif"}
    return write_mask(path, values, tags=tags, nodata=255)

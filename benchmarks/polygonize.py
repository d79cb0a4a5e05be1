"""Mask to polygons: geoseg beside rasterio.features.shapes, on smoothed random masks made here.

    python benchmarks/polygonize.py --size 4000

Prints medians of interleaved runs in seconds, and how many times faster geoseg is: tracing alone (shapes: iterating over
its GeoJSON), and the whole way to a GeoPackage, reading the GeoTIFF included (shapes: through GeoPandas).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes

from geoseg.legend import Legend
from geoseg.vector.outlines import trace
from geoseg.vector.polygonize import polygonize

CLASSES = 6
MASKS = {"L256": (256, 0.0), "L64": (64, 0.0), "L16": (16, 0.0), "L64 + salt": (64, 0.01)}
"""Correlation length in pixels, share of pixels replaced by noise."""


def smoothed(field: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """The field after three running means over ``length`` pixels along both axes, about a Gaussian."""
    for axis in (0, 1, 0, 1, 0, 1):
        sums = np.cumsum(field, axis=axis, dtype=np.float64)
        field = (sums - np.roll(sums, length, axis)).astype(np.float32)
    return field


def random_mask(size: int, length: int, salt: float, *, seed: int = 0) -> NDArray[np.uint8]:
    """Class indices (size, size): the largest of ``CLASSES`` smoothed noises."""
    rng = np.random.default_rng(seed)
    best, mask = np.full((size, size), -np.inf, np.float32), np.zeros((size, size), np.uint8)
    margin = 3 * length
    for index in range(CLASSES):
        noise = rng.standard_normal((size + margin, size + margin), dtype=np.float32)
        field = smoothed(noise, max(length // 2, 2))[margin:, margin:]
        field /= field.std()
        mask[field > best] = index
        np.maximum(best, field, out=best)
    noisy = rng.random(mask.shape) < salt
    mask[noisy] = rng.integers(0, CLASSES, noisy.sum())
    return mask


def write_mask(path: Path, mask: NDArray[np.uint8]) -> None:
    legend = Legend.of({f"class {index}": None for index in range(CLASSES)})
    profile = {"count": 1, "height": mask.shape[0], "width": mask.shape[1], "dtype": "uint8", "nodata": 255}
    profile |= {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 4e5, 0, -0.5, 5.8e6)}
    with rasterio.open(path, "w", driver="GTiff", tiled=True, compress="deflate", **profile) as dataset:
        dataset.write(mask, 1)
        dataset.update_tags(GEOSEG_CLASSES=legend.to_json())


def shapes_to_geopackage(mask: Path, output: Path) -> None:
    with rasterio.open(mask) as dataset:
        rows = [
            {"geometry": geometry, "properties": {"class_index": int(value)}}
            for geometry, value in shapes(dataset.read(1), transform=dataset.transform)
        ]
        gpd.GeoDataFrame.from_features(rows, crs=dataset.crs).to_file(output)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(what: str, ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> None:
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"  {what:<22} geoseg {mine:7.2f} s   rasterio {other:7.2f} s   {other / mine:5.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=4000, help="side of the masks in pixels")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"first call {seconds(lambda: trace(np.zeros((2, 2), np.uint8), background=255)):.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        path, output, other = (Path(folder) / name for name in ("mask.tif", "ours.gpkg", "theirs.gpkg"))
        for name, (length, salt) in MASKS.items():
            mask = random_mask(options.size, length, salt)
            write_mask(path, mask)
            outlines = trace(mask, background=255)
            print(f"{name}: {len(outlines)} polygons, {len(outlines.corners)} vertices")
            compare(
                "tracing",
                lambda m=mask: trace(m, background=255),
                lambda m=mask: sum(1 for _ in shapes(m)),
                options.repeats,
            )
            compare(
                "GeoTIFF to GeoPackage",
                lambda: polygonize(path, output, overwrite=True),
                lambda: shapes_to_geopackage(path, other),
                options.repeats,
            )


if __name__ == "__main__":
    main()

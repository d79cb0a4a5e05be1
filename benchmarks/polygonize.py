"""Compare polygonization with GDAL, rasterio with GeoPandas, and contour-rs, on smoothed random masks.

    python benchmarks/polygonize.py --size 10000 --contourrs /path/to/python
    python benchmarks/polygonize.py --size 10000 --times 4 --masks L64 --sides geoseg,geoseg_generalised --repeats 1

Each conversion of a mask to a file runs in its own process, and libraries alternate; see
benchmarks/polygonize_peers.py. Prints medians of wall time, CPU time and peak memory, and the time of each library
relative to geoseg. GDAL is the version bundled with pyogrio. contour-rs requires Python 3.12: --contourrs is the path of
a Python interpreter with contourrs, rasterio, pyarrow and pyogrio.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from geoseg.legend import Legend

CLASSES = 6
MASKS = {"L256": (256, 0.0), "L64": (64, 0.0), "L16": (16, 0.0), "salt": (64, 0.01)}
"""Correlation length in pixels, and fraction of pixels replaced with noise, by name of the mask."""
SIDES = [
    ("geoseg", ".gpkg"), ("gdal", ".gpkg"), ("rasterio", ".gpkg"), ("contourrs", ".gpkg"),
    ("geoseg", ".parquet"), ("contourrs", ".parquet"), ("geoseg_simplified", ".parquet"),
    ("geoseg_generalised", ".parquet"),
]  # fmt: skip


def smoothed(field: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Return the field after three moving averages over ``length`` pixels along both axes, a nearly Gaussian filter."""
    for axis in (0, 1, 0, 1, 0, 1):
        sums = np.cumsum(field, axis=axis, dtype=np.float64)
        field = (sums - np.roll(sums, length, axis)).astype(np.float32)
    return field


def random_mask(size: int, length: int, salt: float, *, seed: int = 0) -> NDArray[np.uint8]:
    """Return class indices (size, size): the argmax of ``CLASSES`` fields of smoothed noise."""
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


def write_mask(path: Path, mask: NDArray[np.uint8], times: int = 1) -> None:
    """Write the mask as a GeoTIFF, repeated ``times`` times along each axis, with every other copy mirrored."""
    legend = Legend.of({f"class {index}": None for index in range(CLASSES)})
    (height, width), flips = mask.shape, [slice(None, None, -1 if k % 2 else 1) for k in range(times)]
    profile = {"count": 1, "height": times * height, "width": times * width, "dtype": "uint8", "nodata": 255}
    profile |= {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 4e5, 0, -0.5, 5.8e6)}
    with rasterio.open(path, "w", driver="GTiff", tiled=True, compress="deflate", **profile) as dataset:
        for k, down in enumerate(flips):
            row = np.concatenate([mask[down, across] for across in flips], axis=1)
            dataset.write(row, 1, window=((k * height, (k + 1) * height), (0, times * width)))
        dataset.update_tags(GEOSEG_CLASSES=legend.to_json())


def run(side: str, mask: Path, output: Path, contourrs: str | None) -> dict[str, float]:
    python = contourrs or "" if side == "contourrs" else sys.executable
    script = Path(__file__).with_name("polygonize_peers.py")
    cache = {"GDAL_CACHEMAX": "256"}  # in MB; the default, a fraction of the machine's memory, would dominate the peak
    done = subprocess.run(
        [python, script, side, mask, output], check=True, capture_output=True, text=True, env=os.environ | cache
    )
    return json.loads(done.stdout)


def compare(mask: Path, repeats: int, contourrs: str | None, only: set[str]) -> None:
    sides = [pair for pair in SIDES if pair[0] in only and (contourrs or pair[0] != "contourrs")]
    runs: dict[tuple[str, str], list[dict[str, float]]] = {pair: [] for pair in sides}
    for _ in range(repeats):
        for side, suffix in sides:
            runs[side, suffix].append(run(side, mask, mask.with_name(f"{side}{suffix}"), contourrs))
    median = {
        pair: {key: statistics.median(each[key] for each in found) for key in ("wall", "cpu", "mb")}
        for pair, found in runs.items()
    }
    for (side, suffix), found in median.items():
        ours = median.get(("geoseg", suffix), found)
        ratios = f"wall {found['wall'] / ours['wall']:5.1f} x   cpu {found['cpu'] / ours['cpu']:5.1f} x"
        figures = f"{found['wall']:7.2f} s   cpu {found['cpu']:7.2f} s   {found['mb']:6.0f} MB"
        print(f"  {side:<18} {suffix:<9} {figures}   {ratios}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=4000, help="side of the masks in pixels")
    parser.add_argument("--times", type=int, default=1, help="copies of each mask along each axis, mirrored")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--masks", default=",".join(MASKS), help="which of them")
    parser.add_argument("--sides", default=",".join({side for side, _ in SIDES}), help="which of them")
    parser.add_argument("--contourrs", metavar="PYTHON", help="path of a Python with contourrs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.tif"
        for name in options.masks.split(","):
            write_mask(path, random_mask(options.size, *MASKS[name]), options.times)
            print(f"{name}, {options.size * options.times} x {options.size * options.times}", flush=True)
            compare(path, options.repeats, options.contourrs, set(options.sides.split(",")))


if __name__ == "__main__":
    main()

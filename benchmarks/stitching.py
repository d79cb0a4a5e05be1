"""Compare tile sizes, halos and blending windows by seams, score and time, on real imagery.

    python benchmarks/stitching.py MODEL SCENE... --labels FILE...   a row per setting, means over the scenes
    python benchmarks/stitching.py MODEL --dubai PREPARED            tiles 1 and 3 of the Dubai dataset, each merged from
                                                                     nine images, 10 minutes on two idle cores; PREPARED
                                                                     is the folder of prepared scenes used in training

The *seam index* is the rate at which neighboring pixels of the mask differ across tile edges, divided by the rate
elsewhere; 1 means no seams. The score is the mean IoU against the labels. The last column is the time spent in the
network relative to tiles without a halo, which is the only cost of overlap. Prints Markdown.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from affine import Affine

from geoseg.bundle import Bundle
from geoseg.evaluation.evaluate_masks import evaluate_mask
from geoseg.evaluation.seams import measure_seams
from geoseg.inference.predict import predict

PLACE = Affine(0.5, 0, 300_000, 0, -0.5, 2_700_000)
"""An arbitrary location; the images are not georeferenced."""


class Choice(NamedTuple):
    """Settings for tiling and blending."""

    tile: int
    halo: int
    blend: str
    window: str


class Result(NamedTuple):
    """Result for one scene."""

    seam_index: float
    mean_iou: float


def choices(tiles: list[int]) -> list[Choice]:
    """Return settings with cropping and with averaging, with halos from 0 to a quarter of a tile (4 tiles per pixel)."""
    found = []
    for tile in tiles:
        halos = [tile // share for share in (16, 8, 4)]
        found += [Choice(tile, halo, "crop", "cosine") for halo in (0, *halos)]
        found += [Choice(tile, halo, "weighted", "cosine") for halo in halos]
        found += [Choice(tile, tile // 8, "weighted", window) for window in ("linear", "gaussian", "uniform")]
    return found


def measured(choice: Choice, bundle: Bundle, scene: str, labels: str, folder: Path) -> Result:
    """Predict a mask for one scene, and score it."""
    output = folder / "mask.tif"
    done = predict(scene, output, model=bundle, overwrite=True, **choice._asdict())
    index = measure_seams(output, rows=done.edges[0], cols=done.edges[1]).index
    return Result(index, evaluate_mask(output, labels).total.mean_iou)


def tile_of_dubai(prepared: Path, tile: int, folder: Path) -> tuple[str, str]:
    """Merge the nine prepared images of a tile of the Dubai dataset, and their masks; return the paths."""
    for kind in ("images", "masks"):
        parts = [rasterio.open(prepared / kind / f"Tile_{tile}_image_part_{part:03}.tif") for part in range(1, 10)]
        height, width = (min(getattr(part, side) for part in parts) for side in ("height", "width"))
        pixels = [part.read()[:, :height, :width] for part in parts]
        whole = np.concatenate([np.concatenate(pixels[row : row + 3], axis=2) for row in (0, 3, 6)], axis=1)
        profile = {"driver": "GTiff", "dtype": "uint8", "nodata": parts[0].nodata, "tiled": True}
        shape = dict(zip(("count", "height", "width"), whole.shape, strict=True))
        with rasterio.open(
            folder / f"{tile}-{kind}.tif", "w", **profile, **shape, transform=PLACE, crs="EPSG:32640"
        ) as file:
            file.write(whole)
    return str(folder / f"{tile}-images.tif"), str(folder / f"{tile}-masks.tif")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("scenes", nargs="*")
    parser.add_argument("--labels", nargs="*", help="labels in the order of the scenes")
    parser.add_argument("--dubai", type=Path, metavar="PREPARED")
    parser.add_argument("--tiles", type=int, nargs="+", default=[256, 512])
    options = parser.parse_args()
    bundle = Bundle.load(options.model)
    print("| tile | halo | joined | seam index | mean IoU | passes |")
    print("|--:|--:|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        if options.dubai:
            both = [tile_of_dubai(options.dubai, tile, Path(folder)) for tile in (1, 3)]
            options.scenes, options.labels = zip(*both, strict=True)
        for choice in choices(options.tiles):
            pairs = zip(options.scenes, options.labels, strict=True)
            results = [measured(choice, bundle, *pair, Path(folder)) for pair in pairs]
            index, iou = (statistics.mean(column) for column in zip(*results, strict=True))
            joined = "cores" if choice.blend == "crop" else choice.window
            passes = (choice.tile / (choice.tile - 2 * choice.halo)) ** 2
            print(
                f"| {choice.tile} | {choice.halo} | {joined} | {index:.3f} | {100 * iou:.2f} | {passes:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

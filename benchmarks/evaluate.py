"""Scores of a pair of masks: geoseg beside torchmetrics, scikit-learn and plain numpy, on masks made here.

    python benchmarks/evaluate.py --side 10000

Each way is run in a process of its own, in turns, and gives the confusion matrix of two masks of seven classes of which a
tenth is unlabelled. Prints Markdown: medians of seconds, how many times as long as geoseg, and how much the process grew
beyond the masks (the peak of its resident memory). Ways whose library is not installed are left out. The last row is
geoseg's whole pass: reading both masks from GeoTIFF, strip by strip.
"""

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CLASSES = 7
IGNORE = 255

Mask = NDArray[np.uint8]


def masks(side: int) -> tuple[Mask, Mask]:
    """(predicted, reference): squares of 64 pixels, a fifth of the pixels predicted at random, a tenth unlabelled."""
    rng = np.random.default_rng(0)
    squares = rng.integers(0, CLASSES, (side // 64 + 1,) * 2, dtype=np.uint8)
    reference = squares.repeat(64, 0).repeat(64, 1)[:side, :side].copy()
    predicted = reference.copy()
    for row in range(0, side, 1000):  # in parts: noise of 64 bits for all pixels would be the peak of memory
        part = slice(row, row + 1000)
        chance = rng.random(reference[part].shape, dtype=np.float32)
        predicted[part] = np.where(
            chance < 0.2, rng.integers(0, CLASSES, chance.shape, dtype=np.uint8), predicted[part]
        )
        reference[part][chance > 0.9] = IGNORE
    return predicted, reference


def geoseg(predicted: Mask, reference: Mask) -> NDArray[np.int64]:
    from geoseg.metrics import ConfusionMatrix

    counts = ConfusionMatrix(CLASSES)
    counts.update(predicted, reference)
    return counts.counts


def torchmetrics(predicted: Mask, reference: Mask) -> NDArray[np.int64]:
    import torch
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    pair = torch.from_numpy(predicted), torch.from_numpy(reference)
    return multiclass_confusion_matrix(*(mask.long() for mask in pair), CLASSES, ignore_index=IGNORE).numpy()


def sklearn(predicted: Mask, reference: Mask) -> NDArray[np.int64]:
    from sklearn.metrics import confusion_matrix

    known = reference != IGNORE
    return confusion_matrix(reference[known], predicted[known], labels=range(CLASSES))


def bincount(predicted: Mask, reference: Mask) -> NDArray[np.int64]:
    known = reference != IGNORE
    codes = reference[known].astype(np.int64) * CLASSES + predicted[known]
    return np.bincount(codes, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


WAYS: dict[str, Callable[[Mask, Mask], NDArray[np.int64]]] = {
    "geoseg": geoseg, "torchmetrics": torchmetrics, "sklearn": sklearn, "bincount": bincount,
}  # fmt: skip


def files(folder: Path) -> NDArray[np.int64]:
    """The whole pass of geoseg over two GeoTIFFs."""
    from geoseg.evaluation.evaluate_masks import evaluate_mask

    return evaluate_mask(folder / "predicted.tif", folder / "reference.tif").total.counts[:CLASSES, :CLASSES]


def write_files(folder: Path, side: int) -> None:
    """The masks as compressed, tiled GeoTIFFs."""
    import rasterio

    from geoseg.legend import numbered

    legend = numbered(range(CLASSES))
    for name, mask in zip(("predicted", "reference"), masks(side), strict=True):
        profile = {"driver": "GTiff", "count": 1, "height": side, "width": side, "dtype": "uint8", "nodata": IGNORE}
        place = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 4e5, 0, -0.5, 5.8e6)}
        layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
        with rasterio.open(folder / f"{name}.tif", "w", **profile, **place, **layout) as file:
            file.write(mask, 1)
            file.update_tags(GEOSEG_CLASSES=legend.to_json())  # as geoseg predict writes it


def measured(way: str, side: int, folder: Path) -> None:
    """Runs one way in this process; prints seconds, growth in MB and the counts as JSON."""
    tiny = np.zeros((2, 2), np.uint8)
    if way == "files":
        from geoseg.evaluation import evaluate_masks as _  # noqa: F401  (importing is not measured)
    else:
        WAYS[way](tiny, tiny)
        predicted, reference = masks(side)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    counts = files(folder) if way == "files" else WAYS[way](predicted, reference)
    seconds = time.perf_counter() - begun
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"seconds": seconds, "mb": grown / 1024, "counts": counts.tolist()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000, help="side of the masks in pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", choices=[*WAYS, "files"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        measured(options.way, options.side, options.folder)
        return
    there = [way for way in WAYS if way not in ("torchmetrics", "sklearn") or importlib.util.find_spec(way)]
    results: dict[str, list[dict]] = {way: [] for way in [*there, "files"]}
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), options.side)
        for _ in range(options.repeats):
            for way, found in results.items():
                call = [sys.executable, __file__, "--way", way, "--side", str(options.side), "--folder", folder]
                done = subprocess.run(call, check=True, capture_output=True, text=True)
                found.append(json.loads(done.stdout))
    first = results["geoseg"][0]["counts"]
    assert all(run["counts"] == first for found in results.values() for run in found), "the ways disagree"
    seconds = {way: statistics.median(run["seconds"] for run in found) for way, found in results.items()}
    print(f"| {options.side} x {options.side}, {CLASSES} classes | seconds | times geoseg's | MB beyond the masks |")
    print("|---|--:|--:|--:|")
    for way, found in results.items():
        grown = max(run["mb"] for run in found)
        name = "geoseg, from two GeoTIFFs" if way == "files" else way
        print(f"| {name} | {seconds[way]:.2f} | {seconds[way] / seconds['geoseg']:.1f} | {grown:.0f} |")


if __name__ == "__main__":
    main()

"""Compare the evaluation of a pair of masks with torchmetrics, scikit-learn and NumPy, on synthetic masks.

    python benchmarks/evaluate.py --side 10000

Each library runs in its own process, in alternation, and computes the confusion matrix of two masks with seven classes;
a tenth of the pixels is unlabeled. Prints Markdown: the median time in seconds, the time relative to geoseg, and the
peak resident memory in addition to the masks. Libraries that are not installed are skipped. The last row is a complete
evaluation with geoseg, which includes reading both masks from GeoTIFF files, strip by strip.
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
    """Return (predicted, reference) masks of 64-pixel squares; a fifth is predicted at random, and a tenth is unlabeled."""
    rng = np.random.default_rng(0)
    squares = rng.integers(0, CLASSES, (side // 64 + 1,) * 2, dtype=np.uint8)
    reference = squares.repeat(64, 0).repeat(64, 1)[:side, :side].copy()
    predicted = reference.copy()
    for row in range(0, side, 1000):  # in parts: 64-bit noise for all pixels would determine the peak memory
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
    """Run the complete evaluation of geoseg on two GeoTIFF files."""
    from geoseg.evaluation.evaluate_masks import evaluate_mask

    return evaluate_mask(folder / "predicted.tif", folder / "reference.tif").total.counts[:CLASSES, :CLASSES]


def write_files(folder: Path, side: int) -> None:
    """Write the masks as compressed, tiled GeoTIFF files."""
    import rasterio

    from geoseg.legend import make_numbered_legend

    legend = make_numbered_legend(range(CLASSES))
    for name, mask in zip(("predicted", "reference"), masks(side), strict=True):
        profile = {"driver": "GTiff", "count": 1, "height": side, "width": side, "dtype": "uint8", "nodata": IGNORE}
        place = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 4e5, 0, -0.5, 5.8e6)}
        layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
        with rasterio.open(folder / f"{name}.tif", "w", **profile, **place, **layout) as file:
            file.write(mask, 1)
            file.update_tags(GEOSEG_CLASSES=legend.to_json())  # as geoseg predict writes it


def measured(way: str, side: int, folder: Path) -> None:
    """Run one library in this process; print the seconds, the memory growth in MB and the counts as JSON."""
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

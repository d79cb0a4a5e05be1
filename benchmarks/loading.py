"""Compare loading training crops with mmsegmentation's pipeline and torchgeo's sampler, on synthetic Potsdam tiles.

    python benchmarks/parity benchmarks/loading.py        5 minutes on idle cores (--rounds, --crops, --side)

Prints, as Markdown, crops per second of CPU time and of wall time (medians of interleaved rounds), the disk space used
by each library, and the fraction of a training loop that is spent waiting for crops. All files are in the page cache.
"""

import argparse
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import archives
import cv2
import torch
from loaders import Side, geoseg_side, mmsegmentation_side, torchgeo_side
from torch.utils.data import DataLoader

from geoseg.config.recipe import Recipe
from geoseg.data.export.export_crops import tile
from geoseg.data.preparation.prepare import prepare
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.losses.build import build_loss
from geoseg.models.build import build_network
from geoseg.training.crop_batches import TrainingCrops
from geoseg.training.module import TrainingModule, choose_normalization
from geoseg.training.optimizer_steps import build_optimizer

BATCH, WORKERS, WARM_UP = 4, 2, 8
TRAINING_STEPS = 3
REAL_PIXELS = 24 * 6000**2
"""Number of pixels in Potsdam's training tiles. GDAL's block cache is reduced in proportion; otherwise, it would hold
all decoded scenes."""

Make = Callable[..., Side]
"""Function that builds a loader from a seed and a flag for color changes."""


class Material(NamedTuple):
    """The same scenes in the formats of all libraries."""

    recipe: Recipe
    archive: Path
    prepared: PreparedDataset
    compressed: PreparedDataset
    crops: Path


class Speed(NamedTuple):
    """Crops per second."""

    cpu: float
    """Per second of CPU time, including workers."""
    wall: float
    """Per second of wall time."""


def made(root: Path, side: int) -> Material:
    """Write the archive, the prepared scenes, and the crops of the published converter."""
    archive = archives.write_archives(root / "archive", side)
    recipe = archives.recipe(archive, root, "model.backbone=resnet18", f"train.batch={BATCH}")
    prepared, compressed = (
        prepare(recipe.data.model_copy(update={"compress": compress}), "potsdam", folder=root / name)
        for compress, name in ((False, "prepared"), (True, "compressed"))
    )
    tile([prepared.folder], root / "crops", layout="openmmlab")
    return Material(recipe, archive, prepared, compressed, root / "crops")


def sides(material: Material) -> dict[str, Make]:
    """Return functions that build all loaders, by name."""
    recipe = material.recipe
    return {
        "geoseg": partial(geoseg_side, material.prepared, recipe),
        "geoseg, compressed": partial(geoseg_side, material.compressed, recipe),
        "geoseg, anywhere": partial(geoseg_side, material.prepared, recipe, pieces="scene"),
        "mmsegmentation": partial(mmsegmentation_side, material.crops),
        "torchgeo": partial(torchgeo_side, material.prepared),
    }


def in_process(side: Side, count: int) -> Speed:
    """Measure loading single crops on one thread."""
    keys = side.keys(count + WARM_UP)
    for key in keys[:WARM_UP]:
        side.crops[key]
    cpu, wall = time.process_time(), time.perf_counter()
    for key in keys[WARM_UP:]:
        side.crops[key]
    return Speed(count / (time.process_time() - cpu), count / (time.perf_counter() - wall))


def with_workers(side: Side, count: int) -> Speed:
    """Measure loading batches in two processes, from the first batch to the last."""
    loader = DataLoader(side.crops, BATCH, sampler=side.keys(count), num_workers=WORKERS, collate_fn=side.collate)
    for number, _ in enumerate(loader):
        if number == 0:
            cpu, wall = processor_seconds(), time.perf_counter()
        if number == len(loader) - 1:
            count -= BATCH
            return Speed(count / (processor_seconds() - cpu), count / (time.perf_counter() - wall))
    raise AssertionError


def processor_seconds() -> float:
    """Return the CPU time of this process and its children in seconds."""
    ticks = 0
    for process in (os.getpid(), *(child.pid for child in multiprocessing.active_children())):
        fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def compare(material: Material, rounds: int, count: int) -> Iterator[str]:
    """Yield the lines of the table, with one row per library, without and with color changes."""
    found = defaultdict(list)
    for seed in range(rounds):
        for name, make in sides(material).items():
            for colours in (False, True):
                # Built twice, because forked processes must not read raster files that are open in their parent.
                alone, shared = (make(seed=seed, colours=colours) for _ in range(2))
                found[colours, name].append((in_process(alone, count), with_workers(shared, count)))
    yield "| augmentation | crops from | per CPU second | per second | 2 workers: per CPU second | per second | geoseg |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for (colours, name), pairs in sorted(found.items(), key=lambda item: item[0][0]):
        numbers = [statistics.median(pair[i][j] for pair in pairs) for i in range(2) for j in range(2)]
        ratios = [ours[0].cpu / pair[0].cpu for ours, pair in zip(found[colours, "geoseg"], pairs, strict=True)]
        cells = " | ".join(f"{number:.0f}" for number in numbers)
        yield f"| {'all' if colours else 'geometry'} | {name} | {cells} | {statistics.median(ratios):.1f} x |"


def disk(material: Material) -> Iterator[str]:
    """Yield the lines of the table with the disk space in megabytes per megapixel of the scene."""
    pixels = sum(scene.height * scene.width for scene in material.prepared.all_scenes)
    yield "| on disk | MB per megapixel |\n|---|--:|"
    for name, folder in (
        ("archives (LZW)", material.archive),
        ("prepared", material.prepared.folder),
        ("prepared, compressed", material.compressed.folder),
        ("published converter's PNG crops", material.crops),
    ):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        yield f"| {name} | {size / pixels:.2f} |"


def waiting(material: Material, workers: int) -> str:
    """Return a table row with the fraction of the time that training a ResNet-18 DeepLabV3+ spends waiting for crops."""
    recipe, prepared = material.recipe, material.prepared
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"workers": workers})})
    network = build_network(recipe.model, bands=len(prepared.bands), classes=len(prepared.legend))
    loss, scaled = (
        build_loss(recipe.loss, classes=len(prepared.legend)),
        choose_normalization(recipe.model, network, prepared),
    )
    step = TrainingModule(network, loss, scaled, auxiliary_weight=recipe.model.auxiliary_weight)
    optimizer = build_optimizer(network.parameters(), recipe.train)
    crops = iter(TrainingCrops(recipe, prepared).loader(0))
    next(crops)  # until the workers have started
    waited, worked = [], []
    for _ in range(TRAINING_STEPS):
        start = time.perf_counter()
        crop = next(crops)
        arrival = time.perf_counter()
        optimizer.zero_grad()
        step(*crop).backward()
        optimizer.step()
        waited.append(arrival - start)
        worked.append(time.perf_counter() - arrival)
    share = sum(waited) / (sum(waited) + sum(worked))
    return f"| {workers} | {statistics.median(worked):.1f} | {1000 * statistics.median(waited):.1f} | {share:.2%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crops", type=int, default=100, help="crops in each round, on each side")
    parser.add_argument("--side", type=int, default=3000, help="side of the scenes in pixels")
    options = parser.parse_args()
    # GDAL reads the size of its cache, in megabytes, when it first accesses a block.
    os.environ["GDAL_CACHEMAX"] = str(int(256 * len(archives.TILES) * options.side**2 / REAL_PIXELS))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # as mmsegmentation does
    packages = ", ".join(f"{name} {version(name)}" for name in ("geoseg", "mmsegmentation", "torchgeo", "torch"))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs ({platform.machine()}), {packages}\n")
    with tempfile.TemporaryDirectory() as folder:
        material = made(Path(folder), options.side)
        print(*compare(material, options.rounds, options.crops), "", *disk(material), "", sep="\n")
        torch.set_num_threads(threads)
        print("| workers | seconds a step works | it waits, ms | share |\n|--:|--:|--:|--:|")
        print(*(waiting(material, workers) for workers in (1, 2)), sep="\n")


if __name__ == "__main__":
    main()

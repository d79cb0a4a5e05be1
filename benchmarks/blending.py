"""Measure the steps after the network: softmax, blending, argmax and writing, from logits in memory to the mask on disk.

    python benchmarks/blending.py        half a minute on one core (--rounds, --side)

The benchmark uses one thread, and weighted blending of a 512-pixel tile every 384 pixels, with six classes. It prints
milliseconds of CPU time per megapixel of the scene, as medians of the rounds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from affine import Affine
from torch import Tensor

from geoseg._malloc import set_mmap_threshold
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import tiles
from geoseg.inference.encode_outputs import encode_outputs
from geoseg.inference.parallel import ENCODED_ROWS
from geoseg.inference.predictor import softmax_
from geoseg.inference.tile_pipeline import TilePrediction
from geoseg.inference.tiled.blending import TileLayout, blend_weighted
from geoseg.legend import make_numbered_legend
from geoseg.raster.writers.base import open_writer
from geoseg.raster.writers.cog import CogWriter

TILE, HALO, BATCH, CLASSES = 512, 64, 4, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=4096, help="side of the mask in pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        blending(Path(folder), options.side, options.rounds)


def blending(folder: Path, side: int, rounds: int) -> None:
    """Measure softmax, blending, argmax and writing slabs for synthetic logits, and then conversion to the final file."""
    torch.set_num_threads(1)
    layout = TileLayout(side, side, TILE, HALO, CLASSES, torch.device("cpu"), "cosine")
    legend, grid = make_numbered_legend(range(CLASSES)), Grid(None, Affine.identity(), side, side)
    logits, valid = smooth_logits(), np.ones((TILE, TILE), np.bool_)
    set_mmap_threshold()
    taken: list[tuple[float, float]] = []
    for _ in range(rounds):
        with open_writer(CogWriter(folder / "mask.tif", overwrite=True), grid, legend) as sink:
            ready = Ready(logits)
            begun = time.process_time()
            for strip in blend_weighted(pieces(layout, ready, valid), layout):
                for part in strip.split(ENCODED_ROWS):
                    sink.write(part.window, encode_outputs(part, ("mask",), torch.Tensor.abs))
            written = time.process_time()
        taken.append((written - begun - ready.seconds, time.process_time() - written))
    stitched, copied = (1e3 * statistics.median(each) / (side**2 / 1e6) for each in zip(*taken, strict=True))
    print(f"{side} x {side}, {TILE}/{TILE - 2 * HALO}, {CLASSES} classes, one thread, CPU time per megapixel:")
    print(f"from logits to the mask on disk {stitched:.1f} ms; into a COG with overviews {copied:.1f} ms more")


def smooth_logits() -> Tensor:
    """Return logits (batch, class, row, col) that are about as smooth as real ones."""
    noise = torch.randn(BATCH, CLASSES, TILE // 32, TILE // 32, generator=torch.Generator().manual_seed(0))
    return 4 * torch.nn.functional.interpolate(noise, (TILE, TILE), mode="bicubic")


class Ready:
    """Callable that returns the same logits every time, in new memory as an engine does."""

    def __init__(self, logits: Tensor) -> None:
        self.logits, self.handed = logits, torch.empty_like(logits)
        self.seconds = 0.0
        """Seconds spent copying the logits."""

    def __call__(self) -> Tensor:
        """Return the logits in writable memory."""
        begun = time.process_time()
        self.handed.copy_(self.logits)
        self.seconds += time.process_time() - begun
        return self.handed


def pieces(layout: TileLayout, ready: Ready, valid: np.ndarray) -> Iterator[TilePrediction]:
    """Yield tile predictions from precomputed logits, batch by batch."""
    every = iter(tiles(layout.height, layout.width, layout.size, layout.halo))
    while waiting := list(islice(every, BATCH)):
        for tile, each in zip(waiting, softmax_(ready()), strict=False):
            yield TilePrediction(tile, each, valid)


if __name__ == "__main__":
    main()

"""What comes after the network: softmax, blending, choice of classes and the file, from ready logits to the mask on disk.

    python benchmarks/blending.py        half a minute on one core (--rounds, --side)

On one thread, the weighted blend of tiles of 512 every 384 pixels, six classes. Prints milliseconds of processor time per
megapixel of the scene, medians of the rounds.
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

from geoseg._malloc import keep_large_arrays_apart
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import tiles
from geoseg.inference.encode_outputs import pixels_of
from geoseg.inference.parallel import ROWS
from geoseg.inference.softmax import softmax_
from geoseg.inference.tiled.blending import Layout, weighted
from geoseg.inference.tiles import Piece
from geoseg.legend import numbered
from geoseg.raster.writers.base import writing
from geoseg.raster.writers.cog import GeoTiffSink

TILE, HALO, BATCH, CLASSES = 512, 64, 4, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=4096, help="of the mask in pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        blending(Path(folder), options.side, options.rounds)


def blending(folder: Path, side: int, rounds: int) -> None:
    """Softmax, blending, choice of classes and slabs on disk of made-up logits; then the copy into the final form."""
    torch.set_num_threads(1)
    layout = Layout(side, side, TILE, HALO, CLASSES, torch.device("cpu"))
    legend, grid = numbered(range(CLASSES)), Grid(None, Affine.identity(), side, side)
    logits, valid = smooth_logits(), np.ones((TILE, TILE), np.bool_)
    keep_large_arrays_apart()
    taken: list[tuple[float, float]] = []
    for _ in range(rounds):
        with writing(GeoTiffSink(folder / "mask.tif", overwrite=True), grid, legend) as sink:
            ready = Ready(logits)
            begun = time.process_time()
            for strip in weighted(pieces(layout, ready, valid), layout):
                for part in strip.divided(ROWS):
                    sink.write(part.window, pixels_of(part, ("mask",), torch.Tensor.abs))
            written = time.process_time()
        taken.append((written - begun - ready.seconds, time.process_time() - written))
    stitched, copied = (1e3 * statistics.median(each) / (side**2 / 1e6) for each in zip(*taken, strict=True))
    print(f"{side} x {side}, {TILE}/{TILE - 2 * HALO}, {CLASSES} classes, one thread, CPU time per megapixel:")
    print(f"from logits to the mask on disk {stitched:.1f} ms; into a COG with overviews {copied:.1f} ms more")


def smooth_logits() -> Tensor:
    """Logits (batch, class, row, col) of a plausible smoothness."""
    noise = torch.randn(BATCH, CLASSES, TILE // 32, TILE // 32, generator=torch.Generator().manual_seed(0))
    return 4 * torch.nn.functional.interpolate(noise, (TILE, TILE), mode="bicubic")


class Ready:
    """The same logits again and again, each time as an engine would hand them over."""

    def __init__(self, logits: Tensor) -> None:
        self.logits, self.handed = logits, torch.empty_like(logits)
        self.seconds = 0.0
        """What copying them took."""

    def __call__(self) -> Tensor:
        """The logits, in memory that may be written to."""
        begun = time.process_time()
        self.handed.copy_(self.logits)
        self.seconds += time.process_time() - begun
        return self.handed


def pieces(layout: Layout, ready: Ready, valid: np.ndarray) -> Iterator[Piece]:
    """Pieces of ready logits, batch by batch."""
    every = iter(tiles(layout.height, layout.width, layout.size, layout.halo))
    while waiting := list(islice(every, BATCH)):
        for tile, each in zip(waiting, softmax_(ready()), strict=False):
            yield Piece(tile, each, valid)


if __name__ == "__main__":
    main()

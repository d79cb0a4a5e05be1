"""Divide a grid into tiles for inference and validation, and into strips for operations without context.

A tile has a *core* (the pixels that are written) and a *view* (the core plus its halo, the input of the network).
Cores do not overlap and cover the grid. All views have the same size, so that they can be batched.

Worked example: a scene with 10 columns, size 6, halo 1. Cores are 6 - 2·1 = 4 columns wide and begin at 0, 4 and 8; the
last one is clipped to 2. Views begin one column earlier (-1, 3, 7) and are 6 wide; readers pad the pixels outside the
scene.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from geoseg.errors import ConfigError
from geoseg.grid.window import Window


@dataclass(frozen=True)
class Tile:
    """A tile of a grid."""

    core: Window
    """The pixels that are written; always inside the grid."""
    view: Window
    """The pixels that are read, ``size`` x ``size``; may extend beyond the grid."""


def tile_rows(height: int, width: int, size: int, halo: int) -> Iterator[list[Tile]]:
    """Divide a grid into tiles.

    Args:
        height: Number of rows of the grid.
        width: Number of columns of the grid.
        size: Side length of a view in pixels.
        halo: Width of the margin around each core in pixels.

    Yields:
        One list per row of tiles, from top to bottom; tiles from left to right.

    Raises:
        ConfigError: If the halo leaves no pixels for the core.
    """
    step = size - 2 * halo
    if halo < 0 or step < 1:
        raise ConfigError(
            f"a halo of {halo} leaves no pixels of a tile of {size}",
            f"use a halo between 0 and {max((size - 1) // 2, 0)}, or larger tiles",
        )
    full = Window(0, 0, height, width)
    for row in range(0, height, step):
        yield [
            Tile(Window(row, col, step, step).intersection(full), Window(row - halo, col - halo, size, size))
            for col in range(0, width, step)
        ]


def tiles(height: int, width: int, size: int, halo: int) -> Iterator[Tile]:
    """Divide a grid into tiles like :func:`tile_rows`, one after another."""
    for row in tile_rows(height, width, size, halo):
        yield from row


def strips(height: int, width: int, rows: int) -> Iterator[Window]:
    """Divide a grid into full-width windows of at most ``rows`` rows, from top to bottom.

    Example:
        >>> [strip.shape for strip in strips(10, 7, rows=4)]
        [(4, 7), (4, 7), (2, 7)]
    """
    for row in range(0, height, rows):
        yield Window(row, 0, min(rows, height - row), width)

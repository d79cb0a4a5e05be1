"""How a grid is cut: into tiles for inference and validation, into strips for what needs no context.

A tile has a *core*, the pixels it is responsible for, and a *view*, the core plus its halo, which is what the network
gets to see. Cores never overlap and cover the grid; views all have the same size, so that batches are rectangular.

Worked example: a scene of 10 columns, size 6, halo 1. Cores are 6 - 2·1 = 4 columns wide and begin at 0, 4, 8; the last
is cut to 2. Views begin one column earlier (-1, 3, 7) and are all 6 wide; pixels outside the scene are padded when read.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from geoseg.errors import ConfigError
from geoseg.grid.window import Window


@dataclass(frozen=True)
class Tile:
    """One unit of inference."""

    core: Window
    """The pixels that are written; inside the grid."""
    view: Window
    """The pixels that are read; always ``size`` x ``size``, may reach outside the grid."""


def tile_rows(height: int, width: int, size: int, halo: int) -> Iterator[list[Tile]]:
    """The tiles of a grid, one list per row of tiles, top to bottom and left to right.

    ``size`` is the side of a view in pixels, ``halo`` the width of the ring around each core.
    """
    step = size - 2 * halo
    if halo < 0 or step < 1:
        raise ConfigError(
            f"a halo of {halo} pixels leaves nothing of a tile of {size}",
            f"take a halo between 0 and {max((size - 1) // 2, 0)}, or larger tiles",
        )
    whole = Window(0, 0, height, width)
    for row in range(0, height, step):
        yield [
            Tile(Window(row, col, step, step).intersection(whole), Window(row - halo, col - halo, size, size))
            for col in range(0, width, step)
        ]


def tiles(height: int, width: int, size: int, halo: int) -> Iterator[Tile]:
    """The same tiles one after another."""
    for row in tile_rows(height, width, size, halo):
        yield from row


def strips(height: int, width: int, rows: int) -> Iterator[Window]:
    """Windows of the full width and at most ``rows`` rows, top to bottom."""
    for row in range(0, height, rows):
        yield Window(row, 0, min(rows, height - row), width)

"""Divide a grid into tiles for inference and validation, and into strips for operations that need no halo.

A tile has a *core* (the pixels that are written) and a *view* (the core plus its halo, the input of the network).
Cores do not overlap and cover the grid. All views have the same size, so that they can be batched.

Worked example: a scene with 10 columns, size 6, halo 1. Cores are 6 - 2·1 = 4 columns wide and begin at 0, 4 and 8; the
last one is clipped to 2. Views begin one column earlier (-1, 3, 7) and are 6 wide; readers pad the pixels outside the
scene.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from geoseg.errors import ConfigError, SceneError
from geoseg.grid.window import Window

Sizes = int | tuple[int, int]
"""A number of pixels along both axes, or (height, width)."""

MAX_TILE_SIDE = 16_384
"""Largest side of a tile in pixels; an image of this size with three bands takes 3 GB in float32."""

MAX_STRIP_PIXELS = 2**30
"""Maximum number of pixels in a strip."""


@dataclass(frozen=True)
class Tile:
    """A tile of a grid."""

    core: Window
    """The pixels that are written; always inside the grid."""
    view: Window
    """The pixels that are read; the same size for all tiles, and may extend beyond the grid."""


def tile_rows(height: int, width: int, size: Sizes, halo: Sizes) -> Iterator[list[Tile]]:
    """Divide a grid into tiles.

    Args:
        height: Number of rows in the grid.
        width: Number of columns in the grid.
        size: Side length of a view in pixels, or (height, width).
        halo: Width of the ring around each core in pixels, or (above and below, left and right).

    Yields:
        One list for each row of tiles, from top to bottom; the tiles in a row are listed from left to right.

    Raises:
        ConfigError: If the halo leaves no pixels for the core.
    """
    sizes, halos = both_axes(size), both_axes(halo)
    for side, ring in zip(sizes, halos, strict=True):
        if ring < 0 or side - 2 * ring < 1:
            raise ConfigError(
                f"a halo of {ring} leaves no pixels of a tile of {side}",
                f"use a halo between 0 and {max((side - 1) // 2, 0)}, or larger tiles",
            )
    down, across = (side - 2 * ring for side, ring in zip(sizes, halos, strict=True))
    full = Window(0, 0, height, width)
    for row in range(0, height, down):
        yield [
            Tile(Window(row, col, down, across).intersection(full), Window(row - halos[0], col - halos[1], *sizes))
            for col in range(0, width, across)
        ]


def both_axes(size: Sizes) -> tuple[int, int]:
    """Return (height, width) of a size that may be a single number."""
    return (size, size) if isinstance(size, int) else size


def tiles(height: int, width: int, size: Sizes, halo: Sizes) -> Iterator[Tile]:
    """Yield the tiles of :func:`tile_rows` one by one."""
    for row in tile_rows(height, width, size, halo):
        yield from row


def strips(height: int, width: int, rows: int) -> Iterator[Window]:
    """Divide a grid into full-width windows of at most ``rows`` rows, from top to bottom.

    Example:
        >>> [strip.shape for strip in strips(10, 7, rows=4)]
        [(4, 7), (4, 7), (2, 7)]

    Raises:
        SceneError: If a strip would have more than :data:`MAX_STRIP_PIXELS` pixels.
    """
    if min(rows, height) * width > MAX_STRIP_PIXELS:
        raise SceneError(
            f"the raster is {width:,} pixels wide, and {min(rows, height)} of its rows exceed the memory for a strip",
            "cut it into narrower parts first (gdal_translate -srcwin)",
        )
    for row in range(0, height, rows):
        yield Window(row, 0, min(rows, height - row), width)

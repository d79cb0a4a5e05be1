"""Divide a scene into patches of the same size, with a plain stride or by the rules of published converters.

A rule returns the first pixel of each patch along one axis; the patches are all combinations of rows and columns, row
by row. Along an axis that is shorter than a patch, a single patch starts at pixel 0 and extends beyond the scene
(readers pad on the right and at the bottom).
"""

from collections.abc import Callable, Iterator
from typing import Literal, get_args

from geoseg.errors import ConfigError
from geoseg.grid.window import Window

PatchRule = Literal["plain", "isprs", "isaid"]
PATCH_RULES: tuple[PatchRule, ...] = get_args(PatchRule)

DEFAULT_SIZES: dict[PatchRule, tuple[int, int]] = {"plain": (512, 512), "isprs": (512, 256), "isaid": (896, 512)}
"""Published side length and stride of the patches in pixels; for ``plain``, patches are adjacent."""


def plain_starts(length: int, size: int, stride: int) -> list[int]:
    """Return the starts 0, stride, 2 * stride and so on; the last patch is shifted inward to end at the edge.

    Args:
        length: Number of pixels along the axis.
        size: Side length of a patch in pixels.
        stride: Distance between patches in pixels.
    """
    steps = max(length - size + stride - 1, 0) // stride
    return [min(step * stride, max(length - size, 0)) for step in range(steps + 1)]


def isprs_starts(length: int, size: int, stride: int) -> list[int]:
    """Return the starts used by OpenMMLab's converters for Potsdam and Vaihingen, on which published scores are based.

    The converters compute the number of patches from the stride, but their positions from the size; patches that would
    extend beyond the edge are shifted inward, which duplicates the last patch (duplicates are removed here). If the
    stride is at most the size, patches are adjacent, and the last one ends at the edge. With a larger stride, they do
    not reach the edge, as in the converters. The arguments are the same as for :func:`plain_starts`.
    """
    steps = max(-(-(length - size) // stride), 0)
    return sorted({min(step * size, max(length - size, 0)) for step in range(steps + 1)})


def isaid_starts(length: int, size: int, stride: int) -> list[int]:
    """Return the starts used by OpenMMLab's converter for iSAID: multiples of the stride, shifted inward at the end."""
    return sorted({min(start, max(length - size, 0)) for start in range(0, length, stride)})


STARTS: dict[PatchRule, Callable[[int, int, int], list[int]]] = {
    "plain": plain_starts,
    "isprs": isprs_starts,
    "isaid": isaid_starts,
}


def patch_windows(
    height: int, width: int, rule: PatchRule = "plain", *, size: int | None = None, stride: int | None = None
) -> Iterator[Window]:
    """Divide a grid into patches of ``size`` x ``size`` pixels, row by row.

    Args:
        height: Number of rows in the grid.
        width: Number of columns in the grid.
        rule: Name of the rule.
        size: Side length of a patch in pixels; see :data:`DEFAULT_SIZES`.
        stride: Distance between patches in pixels; by default, proportional to the size.

    Raises:
        ConfigError: If the rule is unknown, or the size or stride is below 1.

    Example:
        >>> [(window.row, window.col) for window in patch_windows(500, 700)]
        [(0, 0), (0, 188)]
    """
    if rule not in PATCH_RULES:
        raise ConfigError(f"unknown patch rule {rule!r}", f"choose one of {', '.join(PATCH_RULES)}")
    default_size, default_stride = DEFAULT_SIZES[rule]
    size = default_size if size is None else size
    stride = max(size * default_stride // default_size, 1) if stride is None else stride
    if size < 1 or stride < 1:
        raise ConfigError(f"invalid patch size {size} or stride {stride}", "size and stride must be at least 1")
    rows, cols = (STARTS[rule](length, size, stride) for length in (height, width))
    for row in rows:
        for col in cols:
            yield Window(row, col, size, size)

"""Where published cutters and plain strides cut a scene into windows of one size.

One axis at a time: a rule gives the first pixels, and windows are all pairs of them, row by row. Along an axis that is
shorter than the window there is one window from pixel 0 that reaches outside (readers pad on the right and below).
"""

from collections.abc import Callable, Iterator
from typing import Literal, get_args

from geoseg.errors import ConfigError
from geoseg.grid.window import Window

Rule = Literal["plain", "isprs", "isaid"]
RULES: tuple[Rule, ...] = get_args(Rule)

USUAL: dict[Rule, tuple[int, int]] = {"plain": (512, 512), "isprs": (512, 256), "isaid": (896, 512)}
"""Side of a window and stride, in pixels, as published; for ``plain`` windows that touch."""


def plain_starts(length: int, size: int, stride: int) -> list[int]:
    """0, stride, 2 stride … and a last window that is shifted inward to end with the axis."""
    steps = max(length - size + stride - 1, 0) // stride
    return [min(step * stride, max(length - size, 0)) for step in range(steps + 1)]


def isprs_starts(length: int, size: int, stride: int) -> list[int]:
    """What OpenMMLab's converters of Potsdam and Vaihingen do, and published scores rest on.

    They count windows by the stride but place them by their size; what would begin too late is shifted inward, where the
    same window is cut again and again. With a stride up to the size that makes windows that touch, and a last one
    that ends with the axis. With a longer stride they miss the end, and so does this.
    """
    steps = max(-(-(length - size) // stride), 0)
    return sorted({min(step * size, max(length - size, 0)) for step in range(steps + 1)})


def isaid_starts(length: int, size: int, stride: int) -> list[int]:
    """What OpenMMLab's converter of iSAID does: every multiple of the stride inside, shifted inward at the end."""
    return sorted({min(start, max(length - size, 0)) for start in range(0, length, stride)})


STARTS: dict[Rule, Callable[[int, int, int], list[int]]] = {
    "plain": plain_starts,
    "isprs": isprs_starts,
    "isaid": isaid_starts,
}


def cuts(
    height: int, width: int, rule: Rule = "plain", *, size: int | None = None, stride: int | None = None
) -> Iterator[Window]:
    """The windows of a rule over a grid, row by row, each of ``size`` x ``size`` pixels; see :data:`USUAL`.

    :class:`ConfigError` for an unknown rule, and for sizes and strides below 1.
    """
    if rule not in RULES:
        raise ConfigError(f"{rule!r} is no rule of cutting", f"rules are {', '.join(RULES)}")
    usual_size, usual_stride = USUAL[rule]
    size = usual_size if size is None else size
    stride = max(size * usual_stride // usual_size, 1) if stride is None else stride
    if size < 1 or stride < 1:
        raise ConfigError(f"windows of {size} pixels every {stride} cannot be cut", "both are at least 1")
    rows, cols = (STARTS[rule](length, size, stride) for length in (height, width))
    for row in rows:
        for col in cols:
            yield Window(row, col, size, size)

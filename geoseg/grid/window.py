"""Windows: rectangles of whole pixels in a grid.

Row 0, column 0 is the first pixel of the grid. A window may extend beyond its grid on every side; readers pad the part
outside the grid. Windows are half-open like Python slices: a window with row 2 and height 3 contains rows 2, 3 and 4.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, order=True)
class Window:
    """A rectangle of whole pixels; row and col may be negative, height and width are at least 0.

    Example:
        >>> window = Window(row=2, col=0, height=3, width=4)
        >>> window.row_stop, window.shape
        (5, (3, 4))
        >>> window.pad(1).clip_to(height=4, width=4)
        Window(row=1, col=0, height=3, width=4)
    """

    row: int
    """First row."""
    col: int
    """First column."""
    height: int
    """Number of rows."""
    width: int
    """Number of columns."""

    def __post_init__(self) -> None:
        if self.height < 0 or self.width < 0:
            raise ValueError(f"height and width of a window must not be negative, got {self.height} x {self.width}")

    @property
    def row_stop(self) -> int:
        """First row below the window."""
        return self.row + self.height

    @property
    def col_stop(self) -> int:
        """First column to the right of the window."""
        return self.col + self.width

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def is_empty(self) -> bool:
        """True if the window contains no pixels."""
        return self.height == 0 or self.width == 0

    def pad(self, pixels: int) -> Self:
        """Return the window expanded by ``pixels`` on every side; a negative number shrinks it."""
        return type(self)(
            self.row - pixels, self.col - pixels, max(self.height + 2 * pixels, 0), max(self.width + 2 * pixels, 0)
        )

    def shift(self, rows: int, cols: int) -> Self:
        """Return the window moved down by ``rows`` and right by ``cols``."""
        return type(self)(self.row + rows, self.col + cols, self.height, self.width)

    def intersection(self, other: "Window") -> Self:
        """Return the pixels that are in both windows; an empty window (height or width 0) if there are none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = max(min(self.row_stop, other.row_stop) - row, 0)
        width = max(min(self.col_stop, other.col_stop) - col, 0)
        return type(self)(row, col, height, width)

    def clip_to(self, height: int, width: int) -> Self:
        """Return the part of the window inside a grid of ``height`` x ``width`` pixels."""
        return self.intersection(Window(0, 0, height, width))

    def contains(self, other: "Window") -> bool:
        """Return True if all pixels of ``other`` are in this window."""
        return other.is_empty or self.intersection(other) == other

    def relative_to(self, outer: "Window") -> Self:
        """Return the same pixels relative to the first pixel of ``outer``."""
        return self.shift(-outer.row, -outer.col)

    def slices(self) -> tuple[slice, slice]:
        """Return slices (rows, cols) for the last two axes of an array; row and col must not be negative."""
        if self.row < 0 or self.col < 0:
            raise ValueError(f"{self} begins outside the array")
        return slice(self.row, self.row_stop), slice(self.col, self.col_stop)

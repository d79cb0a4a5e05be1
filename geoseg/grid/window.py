"""A window is a rectangle of whole pixels of a grid, given by its first row and column and its height and width.

Row 0, column 0 is the grid's first pixel. A window may reach outside its grid, on every side: readers pad there. Windows
are half open, like Python slices: a window of row 2 and height 3 holds the rows 2, 3 and 4.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, order=True)
class Window:
    """A rectangle of whole pixels; row, col may be negative, height and width are at least 0."""

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
            raise ValueError(f"a window of {self.height} x {self.width} pixels has no meaning")

    @property
    def row_stop(self) -> int:
        """First row below the window."""
        return self.row + self.height

    @property
    def col_stop(self) -> int:
        """First column right of the window."""
        return self.col + self.width

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def is_empty(self) -> bool:
        """True if the window holds no pixel."""
        return self.height == 0 or self.width == 0

    def pad(self, pixels: int) -> Self:
        """The window with a ring of ``pixels`` added on every side (taken away if negative)."""
        return type(self)(
            self.row - pixels, self.col - pixels, max(self.height + 2 * pixels, 0), max(self.width + 2 * pixels, 0)
        )

    def shift(self, rows: int, cols: int) -> Self:
        """The window moved down and right."""
        return type(self)(self.row + rows, self.col + cols, self.height, self.width)

    def intersection(self, other: "Window") -> Self:
        """The pixels both windows hold; an empty window (height or width 0) if there are none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = max(min(self.row_stop, other.row_stop) - row, 0)
        width = max(min(self.col_stop, other.col_stop) - col, 0)
        return type(self)(row, col, height, width)

    def clip_to(self, height: int, width: int) -> Self:
        """The part of the window inside a grid of ``height`` x ``width`` pixels."""
        return self.intersection(Window(0, 0, height, width))

    def contains(self, other: "Window") -> bool:
        """True if every pixel of ``other`` is one of this window's."""
        return other.is_empty or self.intersection(other) == other

    def relative_to(self, outer: "Window") -> Self:
        """The same pixels, counted from the first pixel of ``outer``."""
        return self.shift(-outer.row, -outer.col)

    def slices(self) -> tuple[slice, slice]:
        """(rows, cols) to index the last two axes of an array with; the window must not begin before pixel 0."""
        if self.row < 0 or self.col < 0:
            raise ValueError(f"{self} begins outside the array; slices would count from its end")
        return slice(self.row, self.row_stop), slice(self.col, self.col_stop)

"""Walks around the regions of a class raster: the borders of one strip of rows, as arrays of pixel corners.

A *region* is a 4-connected set of pixels of one class. Corner (row, col) is the upper left corner of pixel (row, col), so
an image of H x W pixels has corners 0 … H and 0 … W. We walk along pixel sides with the region on our left, seen with
rows running down: counter-clockwise around a region, clockwise around its holes. At each corner there are three ways:

    ? = left ahead, own = the region      left ahead is not own                  -> turn left (stay with our own pixel)
                                          left and right ahead are both own      -> turn right
        ahead  ? | ?                      left ahead is own, right ahead is not  -> go straight on
        behind own | other

Corners are kept where we turn, and, going straight, where the region on our right changes: there three regions meet, and
all of them get a vertex. That is what makes the polygons a coverage whose shared borders can be simplified together.

A corner at which three or four borders meet is a *node*: simplifying leaves it where it is. Where two pixels of our
region touch at a corner only, as in ``own other / other own``, turning left passes the node twice: it is *pinched*, and
``rings`` parts the walk there.

The image is cut into strips, each seen as a *block*: its rows, the row above them, and a column of background on each
side. A strip owns the corners at the top of its rows; walks run off it through the vertical pixel sides in the row above
and in its last row. A walk in a strip is a *piece*: closed, or from one *port* to another. Ports number those vertical
sides, so that the piece that leaves through a port is followed by the piece that enters there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import compiled
from geoseg.vector.tracing.connected_components import Integers, diagonal_pairs, label_block
from geoseg.vector.tracing.stitch_contours import CLOSED, NODE, PINCHED, PLAIN, Walks
from geoseg.vector.tracing.vertex_index import Found, corners_of

EAST, NORTH, WEST, SOUTH = range(4)
"""Directions; one more is a left turn, one less a right turn."""
STEP_ROW, STEP_COL = (0, -1, 0, 1), (1, 0, -1, 0)
"""A step by direction."""
LEFT_ROW, LEFT_COL = (-1, -1, 0, 0), (0, -1, -1, 0)
"""The pixel left ahead of a corner by direction, relative to the pixel right below the corner."""
RIGHT_ROW, RIGHT_COL = (0, -1, -1, 0), (0, 0, -1, -1)
"""The pixel right ahead, likewise."""
OTHER_ROW, OTHER_COL = (0, 0, -1, -1), (-1, 0, 0, -1)
"""The pixel right behind: the region on the other side of the border we came along."""


@dataclass(frozen=True)
class Pieces:
    """The borders in one strip."""

    walks: Walks
    """The pieces; corners count in the whole image, labels in this strip."""
    parents: Integers
    """(label,): which labels of this strip are one region (see ``label``)."""
    diagonal: Integers
    """(pair, 2): labels of one class that touch at corners; empty unless 8-connectivity is asked for."""
    top: Integers
    """(col,): labels of the row above the strip."""
    bottom: Integers
    """(col,): labels of the strip's last row."""
    sums: NDArray[np.float64]
    """(label, 2): sum and number of the ``weights`` of the strip's pixels; (0, 2) without weights."""
    vertices: Found | None = None
    """What ``vertices.corners_of`` finds, if asked for."""


def trace_strip(
    block: NDArray[np.int32],
    row: int,
    *,
    background: int,
    diagonals: bool = False,
    weights: NDArray[np.float32] | None = None,
    vertices: bool = False,
) -> Pieces:
    """The borders of one strip.

    ``block`` holds classes (uint8 or int32), with the row above the strip first and a column of background on each side;
    the strip's first row is row ``row`` of the image. ``background`` is the value that belongs to no region. ``weights``
    (row, col) are numbers to be added up by region, of the strip's own pixels; NaN counts for nothing.
    """
    labels, parents = label_block(block, background)
    return Pieces(
        walks=walk_block(block, labels, background, row),
        parents=parents,
        diagonal=diagonal_pairs(block, labels, background) if diagonals else np.empty((0, 2), np.int64),
        top=labels[0].astype(np.int64),
        bottom=labels[-1].astype(np.int64),
        sums=np.empty((0, 2)) if weights is None else _sums(labels[1:, 1:-1], weights, len(parents)),
        vertices=corners_of(block) if vertices else None,
    )


def _sums(labels: NDArray[np.int32], weights: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    known = np.isfinite(weights)
    of = labels[known]
    return np.stack([np.bincount(of, weights[known], count), np.bincount(of, minlength=count)], axis=1)


def walk_block(block: NDArray[np.int32], labels: NDArray[np.int32], background: int, row: int) -> Walks:
    """All pieces of a block whose strip's first row is row ``row`` of the image."""
    most = 4 * block.size  # no more corners can be kept, nor pieces begin; memory that is not touched costs nothing
    corners, kinds = np.empty((most, 2), np.int32), np.empty(most, np.uint8)
    table = np.empty((2 * block.size, 5), np.int64)
    count, pieces = _walk(block, labels, background, _sides(block), corners, kinds, table)
    stops, of_label, values, enters, leaves = table[:pieces].T.copy()
    for ports in (enters, leaves):
        ports[ports != CLOSED] += 2 * block.shape[1] * row
    in_image = corners[:count] + np.array([row - 1, -1], np.int32)
    return Walks(in_image, kinds[:count].copy(), stops, of_label, values, enters, leaves)


def _sides(block: NDArray[np.int32]) -> Integers:
    """The sides between pixels of different classes at which a piece may begin, each as width x (row + 1) + column.

    First the vertical ones at the seam below (as row -1), then those at the seam above (row 0), each left of its column;
    then the upper ones of all pixels: every ring has such a side.
    """
    width = block.shape[1]
    seams, upper = block[[-1, 0]], np.flatnonzero(block[1:] != block[:-1]) + 2 * width
    below, above = (np.flatnonzero(row[1:] != row[:-1]) + 1 for row in seams)
    return np.concatenate([below, above + width, upper])


@compiled
def _walk(
    block: NDArray[np.int32],
    labels: NDArray[np.int32],
    background: int,
    sides: Integers,
    corners: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    table: Integers,
) -> tuple[int, int]:
    """Fills corners, kinds and the table; gives how many corners and pieces there are.

    Corners count from the block's first pixel, ports from the strip's first. The table's columns (piece, 5) are where the
    piece's corners end, label, class, port of entry and port of exit. Pieces begin at those of the ``sides`` that no walk
    has passed yet.
    """
    height, width = block.shape
    last = height - 1
    seen = np.zeros((height, width), np.bool_)  # pixels whose upper side has been walked along
    count, pieces = 0, 0
    for side in sides:
        i, j = side // width - 1, side % width
        # the pixel whose side the piece begins with
        own_row, own_col = (last, j - 1) if i == -1 else (i, j)
        own = block[own_row, own_col]
        if own == background or (i > 0 and seen[i, j]):
            continue
        if i == -1:
            row, col, direction, enters = last + 1, j, NORTH, 2 * (width * last + j) + 1
        elif i == 0:
            row, col, direction, enters = 0, j, SOUTH, 2 * j
        else:
            row, col, direction, enters = i, j + 1, WEST, CLOSED
            seen[i, j] = True
        count, leaves = _follow(block, seen, own, row, col, direction, corners, kinds, count)
        table[pieces, 0], table[pieces, 1] = count, labels[own_row, own_col]
        table[pieces, 2], table[pieces, 3], table[pieces, 4] = own, enters, leaves
        pieces += 1
    return count, pieces


@compiled
def _follow(
    block: NDArray[np.int32],
    seen: NDArray[np.bool_],
    own: int,
    row: int,
    col: int,
    direction: int,
    corners: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    count: int,
) -> tuple[int, int]:
    """Walks from corner (row, col) with class ``own`` on the left until it is back or off the strip.

    Adds the corners it keeps after the ``count`` there are; gives their new number and the port it left by.
    """
    height, width = block.shape
    while True:
        row += STEP_ROW[direction]
        col += STEP_COL[direction]
        if row == 0:
            return count, 2 * col + 1
        if row == height:
            return count, 2 * (width * (height - 1) + col)
        left = block[row + LEFT_ROW[direction], col + LEFT_COL[direction]]
        right = block[row + RIGHT_ROW[direction], col + RIGHT_COL[direction]]
        other = block[row + OTHER_ROW[direction], col + OTHER_COL[direction]]
        borders = (
            1 + (left != own) + (left != right) + (right != other)
        )  # our own and the other differ: that is the first
        kept, pinch = True, left != own and right == own
        if left != own:
            direction = (direction + 1) % 4
        elif right == own:
            direction = (direction + 3) % 4
        else:
            kept = right != other
        if kept:
            corners[count, 0], corners[count, 1] = row, col
            kinds[count] = PINCHED if pinch else (NODE if borders > 2 else PLAIN)
            count += 1
        if direction == WEST:
            if seen[row, col - 1]:  # the first side of a ring, the only one that is met again
                return count, CLOSED
            seen[row, col - 1] = True

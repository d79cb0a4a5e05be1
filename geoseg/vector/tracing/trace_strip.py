"""Step 2 of tracing: trace contours around the regions in one strip of a class raster, along pixel corners.

A *region* is a 4-connected set of pixels of one class. Corner (row, col) is the upper left corner of pixel (row, col),
so an image of H x W pixels has corners 0 … H and 0 … W. A contour follows pixel sides with its region on the left. With
rows running down, it is counterclockwise around a region and clockwise around holes. At each corner, there are three
possibilities:

    ? = left ahead, own = the region      left ahead is not own                  -> turn left (around the same pixel)
                                          left and right ahead are both own      -> turn right
        ahead  ? | ?                      left ahead is own, right ahead is not  -> go straight
        behind own | other

A corner is kept if the contour turns there, or if the contour continues straight but the region on its right changes.
In the latter case, three regions meet, and the corner becomes a vertex of each of them. The polygons therefore form a
coverage: neighbors share all vertices of their common border, and can be simplified together.

A corner at which three or four borders meet is a *node*; simplification never moves it. If two pixels of a region touch
only at a corner, as in ``own other / other own``, the contour turns left and passes through the node twice. Such a
corner is *pinched*, and ``split_rings`` splits the contour there.

The image is cut into strips, each of which is padded to form a *block*: the rows of the strip, the row above them, and
a background column on each side. A strip includes the corners at the top of its rows. Contours leave the strip through
the vertical pixel sides in the row above it and in its last row. A contour in a strip is either closed, or leads from
one *port* to another. A port is the number of such a vertical side, so a contour that leaves one strip through a port
continues in the contour that enters the adjacent strip through the same port.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg._numba_jit import njit
from geoseg.vector.tracing.connected_components import find_diagonal_pairs, label_block
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray
from geoseg.vector.tracing.raster_strips import Block, WeightArray
from geoseg.vector.tracing.stitch_contours import NO_PORT, NODE_CORNER, PINCHED_CORNER, PLAIN_CORNER, Contours
from geoseg.vector.tracing.vertex_spatial_index import StripVertices, find_strip_vertices

EAST, NORTH, WEST, SOUTH = range(4)
"""Directions; a left turn leads to the next direction, and a right turn to the previous one."""
STEP_ROW, STEP_COL = (0, -1, 0, 1), (1, 0, -1, 0)
"""Step (row, col) in each direction."""
LEFT_ROW, LEFT_COL = (-1, -1, 0, 0), (0, -1, -1, 0)
"""The pixel ahead on the left of a corner in each direction, relative to the pixel to the lower right of the corner."""
RIGHT_ROW, RIGHT_COL = (0, -1, -1, 0), (0, 0, -1, -1)
"""The pixel ahead on the right, relative to the same pixel."""
OTHER_ROW, OTHER_COL = (0, 0, -1, -1), (-1, 0, 0, -1)
"""The pixel behind on the right, relative to the same pixel; it lies across the border that led to the corner."""


@dataclass(frozen=True)
class StripContours:
    """The contours and regions in one strip."""

    contours: Contours
    """The contours, with corners relative to the whole image and labels of this strip."""
    parents: IntArray
    """(label,): union-find parents; labels with the same root form one region (see ``connected_components``)."""
    diagonal: IntArray
    """(pair, 2): labels of the same class that touch at corners; empty with 4-connectivity."""
    top: IntArray
    """(col,): labels of the row above the strip."""
    bottom: IntArray
    """(col,): labels of the last row of the strip."""
    weight_sums: FloatArray
    """(label, 2): sum and number of the known weights in the strip; (0, 2) if there are no weights."""
    vertices: StripVertices | None = None
    """The vertices at the corners that belong to the strip, if collected."""


def trace_strip(
    block: Block, *, background: int, find_diagonals: bool = False, find_vertices: bool = False
) -> StripContours:
    """Trace the contours of one strip.

    Args:
        block: The padded strip.
        background: Value of pixels without a class.
        find_diagonals: True to find the regions of the same class that touch at corners, for 8-connectivity.
        find_vertices: True to find the vertices of the borders.
    """
    classes = block.classes
    labels, parents = label_block(classes, background)
    return StripContours(
        contours=_trace_contours(classes, labels, background, block.row),
        parents=parents,
        diagonal=find_diagonal_pairs(classes, labels, background) if find_diagonals else np.empty((0, 2), np.int64),
        top=labels[0].astype(np.int64),
        bottom=labels[-1].astype(np.int64),
        weight_sums=_sum_weights(labels[1:, 1:-1], block.weights, len(parents)),
        vertices=find_strip_vertices(classes) if find_vertices else None,
    )


def _sum_weights(labels: NDArray[np.int32], weights: WeightArray | None, count: int) -> FloatArray:
    if weights is None:
        return np.empty((0, 2))
    known = np.isfinite(weights)
    known_labels = labels[known]
    sums = np.bincount(known_labels, weights[known], count), np.bincount(known_labels, minlength=count)
    return np.stack(sums, axis=1)


def _trace_contours(block: NDArray[np.int32], labels: NDArray[np.int32], background: int, row: int) -> Contours:
    """Trace all contours of a block whose strip begins at ``row`` of the image."""
    capacity = (
        4 * block.size
    )  # upper bound for the number of corners and of contours; untouched memory is not allocated
    corners, kinds = np.empty((capacity, 2), np.int32), np.empty(capacity, np.uint8)
    table = np.empty((2 * block.size, 5), np.int64)
    corner_count, contour_count = _follow_all(block, labels, background, _find_sides(block), corners, kinds, table)
    stops, contour_labels, values, enters, leaves = table[:contour_count].T.copy()
    for ports in (enters, leaves):
        ports[ports != NO_PORT] += 2 * block.shape[1] * row
    in_image = corners[:corner_count] + np.array([row - 1, -1], np.int32)
    return Contours(in_image, kinds[:corner_count].copy(), stops, contour_labels, values, enters, leaves)


def _find_sides(block: NDArray[np.int32]) -> IntArray:
    """Find the pixel sides between classes at which a contour can begin, encoded as width x (row + 1) + column.

    The vertical sides at the lower seam come first (as row -1), followed by the vertical sides at the upper seam (row
    0). Each of these is to the left of its column. The upper sides of all pixels come last; every ring has such a side.
    """
    width = block.shape[1]
    seams, upper = block[[-1, 0]], np.flatnonzero(block[1:] != block[:-1]) + 2 * width
    below, above = (np.flatnonzero(row[1:] != row[:-1]) + 1 for row in seams)
    return np.concatenate([below, above + width, upper])


@njit
def _follow_all(
    block: NDArray[np.int32],
    labels: NDArray[np.int32],
    background: int,
    sides: IntArray,
    corners: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    table: IntArray,
) -> tuple[int, int]:
    """Fill ``corners``, ``kinds`` and ``table``; return the number of corners and the number of contours.

    Corners are relative to the first pixel of the block, ports to the first pixel of the strip. The columns of the
    table (contour, 5) are the end index of the contour's corners, its label, its class, its entry port and its exit
    port. A contour begins at each of the ``sides`` that no contour has passed yet.
    """
    height, width = block.shape
    last = height - 1
    passed = np.zeros((height, width), np.bool_)  # pixels whose upper side has been passed by a contour
    corner_count, contour_count = 0, 0
    for side in sides:
        i, j = side // width - 1, side % width
        own_row, own_col = (last, j - 1) if i == -1 else (i, j)
        own = block[own_row, own_col]
        if own == background or (i > 0 and passed[i, j]):
            continue
        if i == -1:
            row, col, direction, enters = last + 1, j, NORTH, 2 * (width * last + j) + 1
        elif i == 0:
            row, col, direction, enters = 0, j, SOUTH, 2 * j
        else:
            row, col, direction, enters = i, j + 1, WEST, NO_PORT
            passed[i, j] = True
        corner_count, leaves = _follow(block, passed, own, row, col, direction, corners, kinds, corner_count)
        table[contour_count, 0], table[contour_count, 1] = corner_count, labels[own_row, own_col]
        table[contour_count, 2], table[contour_count, 3], table[contour_count, 4] = own, enters, leaves
        contour_count += 1
    return corner_count, contour_count


@njit
def _follow(
    block: NDArray[np.int32],
    passed: NDArray[np.bool_],
    own: int,
    row: int,
    col: int,
    direction: int,
    corners: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    count: int,
) -> tuple[int, int]:
    """Follow the border from corner (row, col) with class ``own`` on the left until it is closed or leaves the strip.

    Append the kept corners after the first ``count``; return the new number of corners and the exit port.
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
        borders = 1 + (left != own) + (left != right) + (right != other)  # 1: own and other always differ
        kept, is_pinched = True, left != own and right == own
        if left != own:
            direction = (direction + 1) % 4
        elif right == own:
            direction = (direction + 3) % 4
        else:
            kept = right != other
        if kept:
            corners[count, 0], corners[count, 1] = row, col
            kinds[count] = PINCHED_CORNER if is_pinched else (NODE_CORNER if borders > 2 else PLAIN_CORNER)
            count += 1
        if direction == WEST:
            if passed[row, col - 1]:  # the first side of the ring, the only side that is passed twice
                return count, NO_PORT
            passed[row, col - 1] = True

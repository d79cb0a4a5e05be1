"""Cells: what they count is what stands in the mask, wherever strips end."""

import numpy as np
import pytest
from helpers.prepared import striped
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.data.preparation.class_locations import CELL_SIZE, ClassLocations
from geoseg.data.preparation.convert_scene import STRIP_ROWS
from geoseg.legend import IGNORE_INDEX

CLASSES = 3


@st.composite
def sparse_masks(draw):
    """Masks up to three cells high and wide with rectangles of classes on nothing."""
    mask = np.full((draw(st.integers(1, 3 * CELL_SIZE)), draw(st.integers(1, 3 * CELL_SIZE))), IGNORE_INDEX, np.uint8)
    for _ in range(draw(st.integers(0, 4))):
        rows, cols = (sorted(draw(st.tuples(*[st.integers(0, side)] * 2))) for side in mask.shape)
        mask[slice(*rows), slice(*cols)] = draw(st.integers(0, CLASSES - 1))
    return mask


def as_counted(mask) -> dict[tuple[int, int], list[int]]:
    """(row, col) of each cell that holds something, with its pixels of each class, one by one."""
    found = {}
    for row in range(0, mask.shape[0], CELL_SIZE):
        for col in range(0, mask.shape[1], CELL_SIZE):
            part = mask[row : row + CELL_SIZE, col : col + CELL_SIZE]
            counts = [int((part == index).sum()) for index in range(CLASSES)]
            if any(counts):
                found[row // CELL_SIZE, col // CELL_SIZE] = counts
    return found


def as_table(cells: ClassLocations) -> dict[tuple[int, int], list[int]]:
    return {tuple(place): counts for place, counts in zip(cells.cells.tolist(), cells.counts.tolist(), strict=True)}


@settings(max_examples=30)
@given(mask=sparse_masks())
def test_cells_count_the_pixels_of_each_class_and_leave_out_what_is_empty(mask) -> None:
    cells = ClassLocations.from_mask(mask, CLASSES)
    assert as_table(cells) == as_counted(mask)
    assert len(cells.cells) == len(as_table(cells))


@settings(max_examples=20)
@given(mask=sparse_masks(), cells_high=st.integers(1, 3))
def test_strips_joined_are_the_whole(mask, cells_high) -> None:
    high = cells_high * CELL_SIZE
    strips = [
        ClassLocations.from_mask(mask[row : row + high], CLASSES, first_row=row) for row in range(0, len(mask), high)
    ]
    joined, whole = ClassLocations.concatenate(strips), ClassLocations.from_mask(mask, CLASSES)
    assert np.array_equal(joined.cells, whole.cells)
    assert np.array_equal(joined.counts, whole.counts)


@pytest.mark.parametrize("mask", [striped(130, 70), np.full((5, 9), IGNORE_INDEX, np.uint8)], ids=["full", "empty"])
def test_saved_cells_are_loaded_as_they_were(tmp_path, mask) -> None:
    cells = ClassLocations.from_mask(mask, CLASSES)
    cells.save(tmp_path / "a.npz")
    loaded = ClassLocations.load(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        assert set(arrays) == {"place", "pixels"}  # names on disk
    assert np.array_equal(loaded.cells, cells.cells)
    assert np.array_equal(loaded.counts, cells.counts)


def test_a_cell_full_of_one_class_and_the_last_possible_class_fit_the_numbers() -> None:
    assert ClassLocations.from_mask(np.full((CELL_SIZE, CELL_SIZE), 254, np.uint8), 255).counts[0, 254] == CELL_SIZE**2


def test_strips_of_a_conversion_are_whole_cells_high() -> None:
    assert STRIP_ROWS % CELL_SIZE == 0

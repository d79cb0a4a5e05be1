"""A mask is finished or abandoned, never left half done."""

from typing import ClassVar

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import Legend, make_numbered_legend
from geoseg.raster.writers.base import open_writer
from geoseg.raster.writers.cog import CogWriter
from geoseg.raster.writers.memory import MemoryWriter
from geoseg.raster.writers.partial import OutputPixels, require_inside

GRID = Grid(None, Affine.identity(), 6, 8)


class Diary:
    """A sink that notes what happens to it."""

    def __init__(self, *, fails_at: str = "") -> None:
        self.events: list[str] = []
        self.fails_at = fails_at

    def note(self, event: str) -> None:
        self.events.append(event)
        if event == self.fails_at:
            raise RuntimeError(event)

    outputs = ("mask",)
    partial = None
    missing: ClassVar[list[Window]] = []

    def open(self, _grid: Grid, _legend: Legend) -> None:
        self.note("open")

    def write(self, _window: Window, _pixels: OutputPixels) -> None:
        self.note("write")

    def finish(self) -> None:
        self.note("finish")

    def abandon(self) -> None:
        self.note("abandon")


def test_success_finishes() -> None:
    with open_writer(Diary(), GRID, make_numbered_legend([1])) as diary:
        diary.write(GRID.window, {"mask": np.zeros((1, 6, 8), np.uint8)})
    assert diary.events == ["open", "write", "finish"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_any_exception_abandons(error: type[BaseException]) -> None:
    diary = Diary()
    with pytest.raises(error), open_writer(diary, GRID, make_numbered_legend([1])):
        raise error
    assert diary.events == ["open", "abandon"]


@pytest.mark.parametrize("step", ["open", "finish"])
def test_a_sink_that_fails_is_abandoned(step: str) -> None:
    diary = Diary(fails_at=step)
    with pytest.raises(RuntimeError), open_writer(diary, GRID, make_numbered_legend([1])):
        pass
    assert diary.events[-1] == "abandon"


@pytest.mark.parametrize(
    ("window", "pixels"),
    [
        (Window(5, 0, 2, 2), np.zeros((1, 2, 2), np.uint8)),
        (Window(0, 0, 2, 2), np.zeros((1, 2, 3), np.uint8)),
        (Window(0, 0, 2, 2), np.zeros((1, 2, 2), np.int64)),
    ],
)
def test_our_own_mistakes_are_caught(window: Window, pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(AssertionError):
        require_inside(GRID.shape, window, {"mask": pixels})


def test_memory_keeps_what_was_written_and_255_elsewhere() -> None:
    with open_writer(MemoryWriter(), GRID, make_numbered_legend([1])) as sink:
        sink.write(Window(1, 2, 2, 3), {"mask": np.ones((1, 2, 3), np.uint8)})
    assert (sink.mask == 1).sum() == 6
    assert (sink.mask[1:3, 2:5] == 1).all()
    assert (sink.mask == 255).sum() == 42
    assert np.array_equal(sink.raster.valid, sink.mask != 255)
    assert sink.raster.grid == GRID


def test_memory_keeps_every_product_it_was_asked_for() -> None:
    pixels = {"mask": np.ones((1, 6, 8), np.uint8), "probabilities": np.full((2, 6, 8), 127, np.uint8)}
    with open_writer(MemoryWriter(("mask", "probabilities")), GRID, make_numbered_legend([1])) as sink:
        sink.write(GRID.window, pixels)
    assert sink.missing == [GRID.window]
    assert np.array_equal(sink.pixels["probabilities"], pixels["probabilities"])


def test_only_rasters_on_disk_can_be_shared_with_other_processes(tmp_path) -> None:
    with open_writer(MemoryWriter(), GRID, make_numbered_legend([1])) as writer:
        assert writer.partial is None
    with open_writer(CogWriter(tmp_path / "mask.tif"), GRID, make_numbered_legend([1])) as writer:
        assert writer.partial.folder == tmp_path / ".mask.tif.part"
        assert writer.partial.shared_value("batch", lambda: 4) == 4

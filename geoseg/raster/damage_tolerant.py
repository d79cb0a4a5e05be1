"""Read scenes with damaged blocks: pixels in damaged blocks are invalid, and no error is raised."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np

from geoseg.errors import SceneError
from geoseg.grid.window import Window
from geoseg.raster.metadata import RasterMetadata
from geoseg.raster.open_raster import open_raster
from geoseg.raster.raster import Raster
from geoseg.raster.resampling_indices import nearest_indices
from geoseg.raster.scene import Scene


class DamageTolerantScene(Scene):
    """A scene that skips damaged blocks and records them in :attr:`damaged`."""

    damaged: set[Window]
    """Blocks of the file that have turned out to be unreadable so far."""

    def __init__(self, path: str, metadata: RasterMetadata, *, alpha: bool | None = None) -> None:
        super().__init__(path, metadata, alpha=alpha)
        self.damaged = set()
        self._damage_lock = threading.Lock()

    def read(
        self,
        window: Window,
        bands: Sequence[int] | None = None,
        *,
        shape: tuple[int, int] | None = None,
        nearest: bool = False,
    ) -> Raster:
        """Read the pixels in a window like :meth:`Scene.read`.

        Windows that contain damaged blocks are resampled with the nearest-neighbor method.
        """
        self._indexes(bands)  # an invalid band is an error, not damage
        try:
            return super().read(window, bands, shape=shape, nearest=nearest)
        except SceneError:
            if self._closed:
                raise
            open_raster(self.path).close()  # a file that no longer exists is an error, not damage
            return self._read_blocks(window, bands, shape or window.shape)

    def _read_blocks(self, window: Window, bands: Sequence[int] | None, shape: tuple[int, int]) -> Raster:
        count = len(self.bands) if bands is None else len(bands)
        values = np.zeros((count, *window.shape), self.dtype)
        valid = np.zeros(window.shape, np.bool_)
        for block in self._blocks(window):
            part = block.intersection(window)
            try:
                raster = super().read(part, bands)
            except SceneError:
                with self._damage_lock:
                    self.damaged.add(block)
                continue
            inside = part.relative_to(window).slices()
            values[:, *inside], valid[inside] = raster.values, raster.valid
        rows, cols = (nearest_indices(size, output) for size, output in zip(window.shape, shape, strict=True))
        grid = self.grid.crop(window)
        return Raster(values[:, rows[:, np.newaxis], cols], valid[rows[:, np.newaxis], cols], grid.with_shape(*shape))

    def _blocks(self, window: Window) -> Iterator[Window]:
        """Yield the blocks of the file that overlap a window."""
        inside, (height, width) = window.intersection(self.grid.window), self.block_shape
        if inside.is_empty:
            return
        for row in range(inside.row // height * height, inside.row_stop, height):
            for col in range(inside.col // width * width, inside.col_stop, width):
                yield Window(row, col, height, width).clip_to(*self.grid.shape)

"""Store unfinished rasters on disk as *slabs*: files of 512 rows, renamed to their final names once they are complete.

If a program is killed, only unfinished slabs are lost; the next run writes the windows in
:attr:`PartialRasters.missing`. Several processes, even on different machines that share the folder, may write different
slabs of the same rasters.

A folder contains the slabs of one or more outputs of a prediction, and the settings used to create them. A slab is one
row of blocks in the final file. With ZSTD, if supported by GDAL, writing a slab and reading it back takes 2 ms per
megapixel. Every slab is read back, because GDAL reports no error if the disk fills up while a file is being closed.
"""

import contextlib
import functools
import json
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from geoseg._output_files import atomic_path
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.open_raster import quiet_gdal
from geoseg.raster.output_bands import PredictionOutput

BLOCK_SIZE = 512
"""Side length of the blocks in pixels, and number of rows in a slab; a multiple of 16, as required by TIFF."""

SETTINGS_NAME = "settings.json"
"""Name of the file in the folder that contains the settings of the prediction."""

OutputPixels = Mapping[str, NDArray[np.uint8]]
"""uint8 arrays keyed by output name, axes (band, row, col)."""


class PartialRasters:
    """The slabs of one or more outputs in a folder.

    Windows are relative to the first pixel of the rasters. They may be written in any order and by several threads, but
    each pixel must be written only once. The pixels of a slab are kept in memory until the slab is full. Methods raise
    ``OSError`` if the disk is full.

    Args:
        folder: Folder that contains the slabs.
        shape: (height, width) of the rasters.
        outputs: The outputs; each has one file per slab.

    Raises:
        SceneError: If a slab exceeds the memory for a strip, because the rasters are too wide.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], outputs: Sequence[PredictionOutput]) -> None:
        self.folder = folder
        self.shape = shape
        self.outputs = tuple(outputs)
        self.slab_windows = list(strips(*shape, BLOCK_SIZE))
        """Windows of all slabs, from top to bottom."""
        self._buffers: dict[int, _SlabBuffer] = {}
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, Any] | None:
        """Settings with which the slabs in the folder were created; None if there are no settings."""
        try:
            settings: dict[str, Any] = json.loads((self.folder / SETTINGS_NAME).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return settings

    def create(self, settings: Mapping[str, Any]) -> None:
        """Create an empty folder for slabs with these settings; delete an existing folder first."""
        self.delete()
        self.folder.mkdir()
        (self.folder / SETTINGS_NAME).write_text(json.dumps(dict(settings)), "utf-8")

    def delete(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def shared_value(self, name: str, compute: Callable[[], int]) -> int:
        """Return a number that is computed only once for all processes that write to the folder.

        Args:
            name: Name of the number.
            compute: Function that computes the number; called if no process has stored it yet.
        """
        entry = self.folder / name
        if not entry.exists():
            number, temporary = compute(), entry.with_suffix(f".{uuid.uuid4().hex}.part")
            temporary.mkdir()
            (temporary / "number.txt").write_text(str(number), "ascii")
            # This is atomic, and only the first process succeeds: a folder cannot replace a folder that is not empty.
            with contextlib.suppress(OSError):
                temporary.rename(entry)
        return int((entry / "number.txt").read_text("ascii"))

    @property
    def missing(self) -> list[Window]:
        """Windows of the missing slabs, with adjacent windows merged."""
        missing = [window for window in self.slab_windows if not self.has_slab(window)]
        # The slab number minus the position in the list is constant for adjacent slabs.
        groups = groupby(enumerate(missing), key=lambda item: item[1].row // BLOCK_SIZE - item[0])
        merged = []
        for _, group in groups:
            windows = [window for _, window in group]
            merged.append(Window(windows[0].row, 0, windows[-1].row_stop - windows[0].row, self.shape[1]))
        return merged

    def has_slab(self, slab_window: Window) -> bool:
        """Return True if the slab of one of :attr:`slab_windows` exists for every output."""
        return all(self.slab_path(output, slab_window).exists() for output in self.outputs)

    def slab_path(self, output: PredictionOutput, slab_window: Window) -> Path:
        """Return the path of one slab of an output."""
        return self.folder / f"{output.name}-{slab_window.row:09}.tif"

    def write(self, window: Window, pixels: OutputPixels) -> None:
        """Add the pixels in a window, and write slabs that are full.

        Args:
            window: A window inside the rasters.
            pixels: A uint8 array for every output, axes (band, row, col).
        """
        require_inside(self.shape, window, pixels)
        for slab_window, part in _overlapping_slabs(window, self.shape):
            with self._lock:
                if slab_window.row not in self._buffers:
                    self._buffers[slab_window.row] = _SlabBuffer(slab_window, self.outputs)
                buffer = self._buffers[slab_window.row]
                is_full = buffer.add(part, window, pixels)
            if is_full:
                self._write(buffer)

    def flush(self) -> None:
        """Write slabs that are not full yet; their missing pixels are nodata."""
        for buffer in list(self._buffers.values()):
            self._write(buffer)

    def _write(self, buffer: "_SlabBuffer") -> None:
        for output in self.outputs:
            _write_slab(self.slab_path(output, buffer.window), buffer.pixels[output.name])
        del self._buffers[buffer.window.row]


def require_inside(shape: tuple[int, int], window: Window, pixels: OutputPixels) -> None:
    """Assert that ``window`` is inside a raster of ``shape``, and ``pixels`` are uint8 arrays of the window's size."""
    assert Window(0, 0, *shape).contains(window), f"{window} is not inside a raster of shape {shape}"
    for name, values in pixels.items():
        assert values.shape[1:] == window.shape, f"{name} has shape {values.shape}, the window {window.shape}"
        assert values.dtype == np.uint8, f"{name} must be uint8, got {values.dtype}"


class _SlabBuffer:
    """Pixels of a slab that has not been written yet."""

    def __init__(self, window: Window, outputs: Sequence[PredictionOutput]) -> None:
        self.window = window
        self.missing_pixels = window.height * window.width
        shapes = {output.name: (len(output.bands), *window.shape) for output in outputs}
        self.pixels = {name: np.full(shape, IGNORE_INDEX, np.uint8) for name, shape in shapes.items()}

    def add(self, part: Window, window: Window, pixels: OutputPixels) -> bool:
        """Copy the pixels in a window that belong to this slab; return True if the slab is now full."""
        for name, array in self.pixels.items():
            array[:, *part.relative_to(self.window).slices()] = pixels[name][:, *part.relative_to(window).slices()]
        self.missing_pixels -= part.height * part.width
        return self.missing_pixels == 0


def _overlapping_slabs(window: Window, shape: tuple[int, int]) -> Iterator[tuple[Window, Window]]:
    """Yield the window of each slab that overlaps ``window``, and the overlap."""
    for row in range(window.row // BLOCK_SIZE * BLOCK_SIZE, window.row_stop, BLOCK_SIZE):
        slab_window = Window(row, 0, BLOCK_SIZE, shape[1]).clip_to(*shape)
        part = slab_window.intersection(window)
        if not part.is_empty:
            yield slab_window, part


def _write_slab(path: Path, pixels: NDArray[np.uint8]) -> None:
    # Names are random, because process IDs are not unique across machines.
    with atomic_path(path, temporary=path.with_suffix(f".{uuid.uuid4().hex}.part")) as temporary:
        with quiet_gdal():
            dataset = rasterio.open(temporary, "w", **_profile(pixels.shape))
        with dataset:
            dataset.write(pixels)
        with quiet_gdal():
            dataset = rasterio.open(temporary)
        with dataset:
            if not np.array_equal(dataset.read(), pixels):
                raise OSError("the file read back differs from the file written")


def _profile(shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        **dict(zip(("count", "height", "width"), shape, strict=True)),
        "dtype": "uint8",
        "nodata": IGNORE_INDEX,
        "tiled": True,
        "blockxsize": BLOCK_SIZE,
        "blockysize": BLOCK_SIZE,
        "interleave": "band",
        "sparse_ok": True,
        "bigtiff": "IF_SAFER",
        **fast_compression(),
    }


@functools.cache
def fast_compression() -> dict[str, Any]:
    """Return GDAL's fastest compression options for temporary files: ZSTD if available, otherwise DEFLATE."""
    try:
        with (
            MemoryFile() as file,
            file.open(driver="GTiff", height=1, width=1, count=1, dtype="uint8", compress="ZSTD"),
        ):
            return {"compress": "ZSTD", "zstd_level": 1}
    except RasterioError:
        return {"compress": "DEFLATE", "zlevel": 1}

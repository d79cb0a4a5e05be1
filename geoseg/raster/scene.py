"""A scene is one readable raster as the user sees it: pixels of any window, anywhere, with their validity.

Windows may reach outside the scene; what lies there is 0 and not valid. A scene may be shared between threads and sent
to other processes: GDAL allows one thread at a time per open file, so every thread reads through a handle of its own.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import SceneError, did_you_mean
from geoseg.grid.window import Window
from geoseg.raster.metadata import Description, describe
from geoseg.raster.open_raster import open_raster, require_bands, unreadable
from geoseg.raster.raster import Raster
from geoseg.raster.resampling import spans

AnyScene = TypeVar("AnyScene", bound="Scene")


class Scene:
    """One georeferenced raster, opened with :meth:`open`; a context manager that closes it.

    Its fields are those of :class:`~geoseg.raster.metadata.Description`, which says what each means, and ``path``
    (as given) and ``name`` (the file name without suffix).
    """

    def __init__(self, path: str, description: Description, *, alpha: bool | None = None) -> None:
        self.path = path
        self.name = Path(path).stem
        self.grid = description.grid
        self.bands = description.bands
        self.dtype = description.dtype
        self.nodata = description.nodata
        self.legend = description.legend
        self.palette = description.palette
        self.tags = description.tags
        self.gcps = description.gcps
        self.notes = description.notes
        self.block = description.block
        self.validity = description.validity
        self._description = description
        self._alpha_option = alpha
        # By process and thread: a forked process shares the parent's file positions and must not read through them.
        # Numbers of finished threads are used again, and so are their handles.
        self._handles: dict[tuple[int, int], Any] = {}
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, path: str | Path, *, alpha: bool | None = None) -> Self:
        """The scene in a raster file (or a GDAL name such as ``/vsizip/...`` or ``https://...``).

        ``alpha`` says whether a last band marked as alpha tells which pixels are usable (True) or is a band like the
        others (False); None looks at it. :class:`SceneError` if the file is missing, no raster, or has no usable band.
        """
        name = os.fspath(path)
        return cls(name, describe_file(name, alpha=alpha), alpha=alpha)

    def read(
        self,
        window: Window,
        bands: Sequence[int] | None = None,
        *,
        shape: tuple[int, int] | None = None,
        nearest: bool = False,
    ) -> Raster:
        """The pixels of a window, which may reach outside: values (band, row, col), valid (row, col), True = usable.

        ``bands`` are 0-based positions in ``self.bands``, all by default. ``shape`` (height, width) resamples: by
        average when reducing, bilinear when enlarging, by nearest pixel if ``nearest`` (class indices). A pixel is
        valid unless it lies outside, alpha or mask are 0 there, all chosen bands are nodata, or any is not finite;
        values of pixels that are not valid are 0. :class:`SceneError` if the file cannot be read there.
        """
        indexes = self._indexes(bands)
        grid = self.grid.crop(window)
        if shape is not None and shape != window.shape and not window.is_empty:
            grid = grid.with_shape(*shape)
        values = np.zeros((len(indexes), *grid.shape), self.dtype)
        valid = np.zeros(grid.shape, np.bool_)
        resampling = _resampling(window.shape, grid.shape, nearest=nearest)
        try:
            for part, (rows, cols) in self._parts(window, grid.shape):
                self._read_part(indexes, part, values[:, rows, cols], valid[rows, cols], resampling=resampling)
        except (RasterioError, OSError) as error:
            raise unreadable(self.path, _in_words(window), error) from error
        values[:, ~valid] = 0
        return Raster(values, valid, grid)

    def band_positions(self, names: Sequence[str]) -> list[int]:
        """The 0-based position of each band name; :class:`SceneError` with the nearest name if there is none."""
        for name in names:
            if name not in self.bands:
                raise SceneError(f"{self.path} has no band {name!r}", did_you_mean(name, self.bands))
        return [self.bands.index(name) for name in names]

    def reopened(self, kind: type[AnyScene]) -> AnyScene:
        """The same file as another kind of scene, with handles of its own."""
        return kind(self.path, self._description, alpha=self._alpha_option)

    def close(self) -> None:
        """Close the file in every thread of this process; no thread may be reading. Reading afterwards is an error."""
        with self._lock:
            self._closed = True
            mine = [key for key in self._handles if key[0] == os.getpid()]
            for key in mine:
                self._handles.pop(key).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self.path, self._description, self._alpha_option)

    def __repr__(self) -> str:
        return f"Scene({self.path!r}, {self.grid.height} x {self.grid.width}, {', '.join(self.bands)})"

    def _indexes(self, bands: Sequence[int] | None) -> list[int]:
        positions = range(len(self.bands)) if bands is None else bands
        wrong = [position for position in positions if not 0 <= position < len(self.bands)]
        if wrong:
            raise SceneError(
                f"{self.path} has no band at position {wrong[0]}", f"it has {len(self.bands)}, counted from 0"
            )
        return [self._description.indexes[position] for position in positions]

    def _handle(self) -> Any:
        key = os.getpid(), threading.get_ident()
        handle = self._handles.get(key)
        if self._closed:
            raise SceneError(f"{self.path} has been closed", "read inside the `with` block that opened the scene")
        if handle is None:
            handle = open_raster(self.path)
            with self._lock:
                self._handles[key] = handle
        return handle

    def _parts(self, window: Window, shape: tuple[int, int]) -> Iterator[tuple[RasterioWindow, tuple[slice, slice]]]:
        """What to read inside the scene, and the (rows, cols) of the result it fills.

        One part, or none; more only where a resampled window crosses the scene's edge within a pixel of the result.
        """
        if window.is_empty or 0 in shape:
            return
        for down in spans(window.row, window.height, shape[0], length=self.grid.height):
            for across in spans(window.col, window.width, shape[1], length=self.grid.width):
                part = RasterioWindow(across.offset, down.offset, across.length, down.length)
                yield part, (slice(down.start, down.stop), slice(across.start, across.stop))

    def _read_part(
        self,
        indexes: list[int],
        part: RasterioWindow,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        *,
        resampling: Resampling,
    ) -> None:
        """Fill ``values`` and ``valid`` from a window inside the file; validity is always that of the nearest pixel."""
        handle, description = self._handle(), self._description
        self._read_bands(handle, indexes, part, values, resampling=resampling)
        exact = values
        valid[:] = True
        if self.nodata is not None or self.dtype.kind == "f":
            if resampling != Resampling.nearest:
                exact = np.empty_like(values)
                self._read_bands(handle, indexes, part, exact, resampling=Resampling.nearest)
            valid &= _holds_something(exact, self.nodata)
            valid &= np.isfinite(values).all(axis=0)
        if description.alpha is not None:
            valid &= handle.read(description.alpha, window=part, out_shape=valid.shape) != 0
        if description.has_mask:
            valid &= handle.read_masks(indexes[0], window=part, out_shape=valid.shape) != 0

    def _read_bands(
        self, handle: Any, indexes: list[int], part: RasterioWindow, out: NDArray[Any], *, resampling: Resampling
    ) -> None:
        if not self._description.mixed:
            handle.read(indexes, window=part, out=out, resampling=resampling)
            return
        for index, band in zip(indexes, out, strict=True):  # rasterio reads bands of one type only together
            band[:] = handle.read(index, window=part, out_shape=band.shape, resampling=resampling)


def describe_file(path: str, *, alpha: bool | None = None) -> Description:
    """What a raster file says of itself; ``alpha`` and errors as in :meth:`Scene.open`."""
    with open_raster(path) as dataset:
        require_bands(path, dataset)
        try:
            return describe(dataset, alpha=alpha)
        except (RasterioError, OSError) as error:
            raise unreadable(path, "its first pixels", error) from error


def _holds_something(values: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Axes (row, col): True unless all bands are nodata or any is not finite."""
    finite: NDArray[np.bool_] = np.isfinite(values).all(axis=0)
    return finite if nodata is None else finite & (values != nodata).any(axis=0)


def _resampling(source: tuple[int, int], target: tuple[int, int], *, nearest: bool) -> Resampling:
    if nearest or source == target:
        return Resampling.nearest
    return Resampling.average if source[0] * source[1] > target[0] * target[1] else Resampling.bilinear


def _in_words(window: Window) -> str:
    return f"rows {window.row} to {window.row_stop - 1}, columns {window.col} to {window.col_stop - 1}"


def _reopen(kind: type[AnyScene], path: str, description: Description, alpha: bool | None) -> AnyScene:
    return kind(path, description, alpha=alpha)

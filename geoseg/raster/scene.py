"""Scenes: raster files from which any window can be read, with the validity of each pixel.

Windows may extend beyond the scene; pixels outside the scene are 0 and not valid. A scene can be shared between threads
and sent to other processes. GDAL allows one thread at a time per open file, so each thread has a separate file handle.
"""

import base64
import html
import io
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from PIL import Image
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from geoseg._text import did_you_mean
from geoseg.errors import SceneError
from geoseg.grid.crs import crs_name
from geoseg.grid.window import Window
from geoseg.raster.display import choose_rgb_bands, render_rgb
from geoseg.raster.metadata import RasterMetadata, read_metadata
from geoseg.raster.open_raster import READ_ERRORS, make_read_error, open_raster
from geoseg.raster.raster import Raster
from geoseg.raster.read_window import read_window
from geoseg.raster.resampling_indices import spans

AnyScene = TypeVar("AnyScene", bound="Scene")

THUMBNAIL_SIZE = 240
"""Longer side of the thumbnail in notebooks, in pixels."""


class Scene:
    """A raster file that is open for reading; can be used as a context manager that closes the file.

    The attributes are those of :class:`~geoseg.raster.metadata.RasterMetadata`, plus ``path`` (as specified) and ``name``
    (the file name without suffix).

    Example:
        >>> import numpy as np, rasterio
        >>> with rasterio.MemoryFile() as file:
        ...     with file.open(driver="GTiff", height=4, width=6, count=1, dtype="uint8", crs="EPSG:32633",
        ...                    transform=rasterio.Affine(0.5, 0, 300000, 0, -0.5, 5600000)) as dataset:
        ...         dataset.write(np.arange(24, dtype="uint8").reshape(1, 4, 6))
        ...     with Scene.open(file.name) as scene:
        ...         print(scene.grid.shape, scene.grid.pixel_size)
        ...         print(scene.read(Window(row=-1, col=0, height=2, width=3)).values.tolist())
        (4, 6) (0.5, 0.5)
        [[[0, 0, 0], [0, 1, 2]]]
    """

    def __init__(self, path: str, metadata: RasterMetadata, *, alpha: bool | None = None) -> None:
        self.path = path
        self.name = Path(path).stem
        self.grid = metadata.grid
        self.bands = metadata.bands
        self.band_names = metadata.band_names
        self.dtype = metadata.dtype
        self.nodata = metadata.nodata
        self.legend = metadata.legend
        self.palette = metadata.palette
        self.tags = metadata.tags
        self.gcps = metadata.gcps
        self.notes = metadata.notes
        self.block_shape = metadata.block_shape
        self.validity = metadata.validity
        self._metadata = metadata
        self._alpha_option = alpha
        # Keyed by process and thread: a forked process shares file positions with its parent and must not use its
        # handles. Identifiers of finished threads are reused, and so are their handles.
        self._handles: dict[tuple[int, int], Any] = {}
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, path: str | Path, *, alpha: bool | None = None) -> Self:
        """Open a raster file.

        Args:
            path: File, URL (``https://...``, ``s3://...``) or GDAL path (``/vsizip/...``).
            alpha: If the last band is marked as alpha: True to use it as the validity of the pixels, False to use it as
                an image band, None to decide based on its values.

        Raises:
            SceneError: If the file is missing, is not a raster or has no usable band.
        """
        name = os.fspath(path)
        return cls(name, read_metadata(name, alpha=alpha), alpha=alpha)

    def read(
        self,
        window: Window,
        bands: Sequence[int] | None = None,
        *,
        shape: tuple[int, int] | None = None,
        nearest: bool = False,
    ) -> Raster:
        """Read the pixels in a window, which may extend beyond the scene.

        A pixel is valid if it is inside the scene, the alpha band and the mask are not 0, at least one band is not
        nodata, and all bands are finite. Nodata values may differ between bands: each band is compared with its own
        value, and bands without one are not compared. Pixels that are not valid have no weight in any band when pixels
        are resampled.

        Args:
            window: Rows and columns of the scene.
            bands: 0-based positions in ``self.bands``; all by default.
            shape: (height, width) to resample to, by averaging when reducing and by bilinear interpolation when
                enlarging.
            nearest: True to use nearest-neighbor resampling, for class indices.

        Returns:
            The values (band, row, col), 0 where not valid; the validity (row, col); and the grid of the result.

        Raises:
            SceneError: If the window cannot be read, or the scene has been closed.
        """
        indexes = self._indexes(bands)
        grid = self.grid.crop(window)
        if shape is not None and shape != window.shape and not window.is_empty:
            grid = grid.with_shape(*shape)
        values = np.zeros((len(indexes), *grid.shape), self.dtype)
        valid = np.zeros(grid.shape, np.bool_)
        resampling = _choose_resampling(window.shape, grid.shape, nearest=nearest)
        try:
            for part, (rows, cols) in self._parts(window, grid.shape):
                out = values[:, rows, cols], valid[rows, cols]
                read_window(self._handle(), self._metadata, indexes, part, out, resampling=resampling)
        except READ_ERRORS as error:
            where = _describe_window(window.intersection(self.grid.window))
            raise make_read_error(self.path, where, error) from error
        np.copyto(values, 0, where=~valid)  # many times faster than assigning to values[:, ~valid]
        return Raster(values, valid, grid)

    def read_overview(self, longest: int = 1024) -> Raster:
        """Read the whole scene at a reduced size, without ever enlarging it.

        Args:
            longest: Maximum number of pixels along the longer side.

        Returns:
            The pixels, resampled by averaging, or by nearest neighbor for a mask with a legend.
        """
        return self.read(self.grid.window, shape=self._overview_shape(longest), nearest=self.legend is not None)

    def band_positions(self, names: Sequence[str]) -> list[int]:
        """Return the 0-based position of each named band; raise :class:`SceneError` if a band does not exist."""
        for name in names:
            if name not in self.bands:
                raise SceneError(f"{self.path} has no band {name!r}", did_you_mean(name, self.bands))
        return [self.bands.index(name) for name in names]

    def reopen(self, kind: type[AnyScene]) -> AnyScene:
        """Open the same file as a different scene class, with separate handles."""
        return kind(self.path, self._metadata, alpha=self._alpha_option)

    def without_nodata(self) -> Self:
        """Close the file and reopen it, treating nodata pixels as valid; the alpha band and the mask still apply."""
        self.close()
        metadata = replace(self._metadata, band_nodata=(None,) * len(self.bands))
        return type(self)(self.path, metadata, alpha=self._alpha_option)

    def close(self) -> None:
        """Close the file in all threads of this process; no thread may be reading at that time or read afterward."""
        with self._lock:
            self._closed = True
            own = [key for key in self._handles if key[0] == os.getpid()]
            for key in own:
                self._handles.pop(key).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self.path, self._metadata, self._alpha_option)

    def __repr__(self) -> str:
        lines = (f"  {name}: {value}" for name, value in self._facts().items())
        return "\n".join([f"{type(self).__name__} {self.path!r}", *lines])

    def _repr_html_(self) -> str:
        """Return a table of properties with a thumbnail, for notebooks."""
        facts = {"path": self.path, **self._facts()}
        rows = (f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>" for name, value in facts.items())
        image = "" if self._closed else f'<img src="data:image/png;base64,{self._thumbnail()}" alt="thumbnail">'
        return f"<table>{''.join(rows)}</table>{image}"

    def _facts(self) -> dict[str, str]:
        gsd = self.grid.gsd
        return {
            "size": f"{self.grid.height} rows x {self.grid.width} columns",
            "bands": f"{', '.join(self.bands)} ({self.dtype.name})",
            "CRS": crs_name(self.grid.crs),
            "GSD": "unknown" if gsd is None else f"{gsd:.3g} m",
            "valid": self.validity,
        }

    def _overview_shape(self, longest: int) -> tuple[int, int]:
        return self.grid.resample(min(1.0, longest / max(self.grid.shape))).shape

    def _thumbnail(self) -> str:
        """Return a small PNG image of the scene, encoded as base64."""
        if self.palette is not None and self.dtype == np.uint8:
            shape = self._overview_shape(THUMBNAIL_SIZE)
            image = self.palette[self.read(self.grid.window, [0], shape=shape, nearest=True).values[0]][..., :3]
        else:
            image = render_rgb(self.read_overview(THUMBNAIL_SIZE), choose_rgb_bands(self.bands))
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        return base64.b64encode(file.getvalue()).decode()

    def _indexes(self, bands: Sequence[int] | None) -> list[int]:
        positions = range(len(self.bands)) if bands is None else bands
        wrong = [position for position in positions if not 0 <= position < len(self.bands)]
        if wrong:
            raise SceneError(
                f"{self.path} has no band at position {wrong[0]}",
                f"it has {len(self.bands)} bands; positions start at 0",
            )
        return [self._metadata.indexes[position] for position in positions]

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
        """Yield windows inside the scene, and the (rows, cols) of the result that each fills.

        Yields more than one window only if the edge of the scene falls inside a pixel of the resampled result.
        """
        if window.is_empty or 0 in shape:
            return
        for down in spans(window.row, window.height, shape[0], length=self.grid.height):
            for across in spans(window.col, window.width, shape[1], length=self.grid.width):
                part = RasterioWindow(across.offset, down.offset, across.length, down.length)
                yield part, (slice(down.start, down.stop), slice(across.start, across.stop))


def _choose_resampling(source: tuple[int, int], target: tuple[int, int], *, nearest: bool) -> Resampling:
    if nearest or source == target:
        return Resampling.nearest
    return Resampling.average if source[0] * source[1] > target[0] * target[1] else Resampling.bilinear


def _describe_window(window: Window) -> str:
    return f"rows {window.row} to {window.row_stop - 1}, columns {window.col} to {window.col_stop - 1}"


def _reopen(kind: type[AnyScene], path: str, metadata: RasterMetadata, alpha: bool | None) -> AnyScene:
    return kind(path, metadata, alpha=alpha)

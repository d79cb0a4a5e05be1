"""Write Cloud Optimized GeoTIFFs (COG): a mask in the colors of its legend, and fractions such as confidence.

A COG must be written in a single pass, but a prediction may be interrupted. Pixels are therefore collected as slabs in a
folder next to the mask (:mod:`geoseg.raster.writers.partial`). Once all slabs are complete, GDAL copies them to COGs,
which are then renamed to their final names. Blocks of 512 x 512 pixels with DEFLATE were fastest in benchmarks.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from PIL import Image
from rasterio.windows import Window as RasterioWindow

from geoseg._output_files import check_writable, output_errors, remove_files, require_distinct, temporary_path
from geoseg.errors import OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.progress import NOTICE
from geoseg.raster.metadata import GroundControl
from geoseg.raster.open_raster import gdal_environment, quiet_gdal
from geoseg.raster.output_bands import PredictionOutput, make_output
from geoseg.raster.writers.attribute_table import pam_path, write_attribute_table
from geoseg.raster.writers.partial import BLOCK_SIZE, SETTINGS_NAME, OutputPixels, PartialRasters
from geoseg.raster.writers.partial_vrt import build_partial_vrt

log = logging.getLogger(__name__)


class CogWriter:
    """Writes a mask with colors, class names and overviews, and optionally fractions, as Cloud Optimized GeoTIFFs.

    If the writer is abandoned, complete slabs are kept in a folder next to the mask. A writer with the same settings and
    ``resume=True`` continues from them.

    Args:
        path: Mask file (.tif).
        shares: Files for fractions, keyed by output name; see :data:`geoseg.raster.output_bands.SHARES`.
        overwrite: True to replace existing files and unfinished rasters.
        resume: True to continue an unfinished mask that has the same settings.
        settings: Everything that determines the pixels, as JSON-compatible types; slabs with different settings are
            never mixed.
        tags: Dataset tags to write to every file.
        gcps: Ground control points of a scene without a transform (``scene.gcps``).

    Raises:
        OutputError: If a file cannot be written, as far as this can be determined before writing.
    """

    partial: PartialRasters | None = None
    """The slabs; None before :meth:`open`."""

    def __init__(
        self,
        path: str | Path,
        *,
        shares: Mapping[str, str | Path] | None = None,
        overwrite: bool = False,
        resume: bool = False,
        settings: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        gcps: GroundControl | None = None,
    ) -> None:
        self.path = Path(path)
        self._paths = {"mask": self.path, **{name: Path(share) for name, share in (shares or {}).items()}}
        self.outputs = tuple(self._paths)
        check_cog_paths(self.path, self._paths.values(), overwrite=overwrite, resume=resume)
        self._overwrite, self._resume, self._gcps = overwrite, resume, gcps
        self._settings, self._tags = dict(settings or {}), dict(tags or {})

    def open(self, grid: Grid, legend: Legend) -> None:
        """Begin writing rasters on ``grid``, or continue unfinished rasters.

        Raises:
            OutputError: If unfinished rasters exist and neither ``resume`` nor ``overwrite`` is set, or if their
                settings are different.
        """
        self._grid, self._legend = grid, legend
        outputs = [make_output(name, legend) for name in self._paths]
        partial = PartialRasters(partial_folder(self.path), grid.shape, outputs)
        settings = {**self._settings, "rows": grid.height, "columns": grid.width, "products": list(self._paths)}
        self.partial = partial
        with output_errors(self.path):
            if not self._can_resume(partial, settings):
                partial.create(settings)

    def _can_resume(self, partial: PartialRasters, settings: dict[str, Any]) -> bool:
        previous = partial.settings
        if previous is None or not _count_slabs(partial):
            for target in self._paths.values():
                check_writable(target, self._overwrite)
            return False
        if self._resume:
            _require_same(previous, settings, partial.folder)
            log.log(NOTICE, "Resuming: %s", _progress_text(partial))
            return True
        if not self._overwrite:
            raise OutputError(
                f"an unfinished mask exists in {partial.folder}: {_progress_text(partial)}",
                "use --resume to continue it or --overwrite to start again",
            )
        return False

    @property
    def missing(self) -> list[Window]:
        """Windows that have not been written yet, as wide as the grid."""
        return self._open_partial().missing

    def write(self, window: Window, pixels: OutputPixels) -> None:
        """Write a window inside the grid for every output; thread-safe, but each pixel must be written only once."""
        with output_errors(self.path):
            self._open_partial().write(window, pixels)

    def finish(self) -> None:
        """Convert the slabs to COGs, and rename these to their final names; missing pixels are nodata."""
        partial = self._open_partial()
        with output_errors(self.path):
            partial.flush()
            files = [(output, self._assemble(partial, output)) for output in partial.outputs]
            for output, file in reversed(files):  # the mask is renamed last: if it exists, all files exist
                _move(file, self._paths[output.name])
        partial.delete()

    def abandon(self) -> None:
        """Keep complete slabs for ``resume``; do not change existing files."""
        if self.partial is None:
            return
        if self.partial.settings is not None and _count_slabs(self.partial):
            folder = self.partial.folder
            log.log(NOTICE, "%s in %s; use --resume to continue", _progress_text(self.partial), folder)
        else:
            self.partial.delete()

    def _open_partial(self) -> PartialRasters:
        assert self.partial is not None, "the writer is not open"
        return self.partial

    def _assemble(self, partial: PartialRasters, output: PredictionOutput) -> Path:
        """Write the final file of an output to the folder that contains the slabs."""
        folder = partial.folder
        virtual, final = folder / f"{output.name}.vrt", folder / f"{output.name}.cog.tif"
        remove_files(virtual, final, pam_path(final))
        virtual.write_bytes(
            build_partial_vrt(partial, output, self._grid, self._legend, tags=self._tags, gcps=self._gcps)
        )
        try:
            counts = count_pixels(virtual)
            copy_to_cog(virtual, final, is_mask=output.is_mask)
            _require_complete(final, counts)
            if output.is_mask:
                write_attribute_table(final, self._legend, counts)
        except OSError:
            remove_files(final, pam_path(final))  # the disk may be full, and the slabs still contain all pixels
            raise
        return final


def partial_folder(mask: Path) -> Path:
    """Return the folder for the slabs of a mask."""
    return temporary_path(mask).with_suffix("")


def check_cog_paths(mask: Path, paths: Collection[Path], *, overwrite: bool, resume: bool) -> None:
    """Check before processing starts that a mask and its fraction rasters can be written.

    Args:
        mask: Mask file.
        paths: Files of the mask and of all fraction rasters.
        overwrite: True to replace existing files.
        resume: True to continue an unfinished mask.

    Raises:
        OutputError: If a file cannot be written, or two have the same path.
    """
    for path in paths:
        _check_suffix(path)
        # A run that was killed at the very end may have already renamed some of its files.
        check_writable(path, overwrite or (resume and has_partial(mask)))
    require_distinct(paths)


def has_partial(mask: Path) -> bool:
    """Return True if slabs of an unfinished mask exist."""
    folder = partial_folder(mask)
    return (folder / SETTINGS_NAME).exists() and any(folder.glob("mask-*.tif"))


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(f"{path} is not a GeoTIFF file name", f"change the suffix: {path.with_suffix('.tif')}")


def _count_slabs(partial: PartialRasters) -> int:
    return sum(partial.has_slab(window) for window in partial.slab_windows)


def _progress_text(partial: PartialRasters) -> str:
    return f"{_count_slabs(partial)} of {len(partial.slab_windows)} parts are done"


def _require_same(previous: dict[str, Any], settings: dict[str, Any], folder: Path) -> None:
    """Raise an :class:`OutputError` that reports the first difference between two settings, if there is one."""
    for key in (*settings, *previous):
        if previous.get(key) != settings.get(key):
            raise OutputError(
                f"the unfinished mask in {folder} was made with {key} {previous.get(key)}, not {settings.get(key)}",
                "resume with the same settings, or start again with --overwrite",
            )


def _move(file: Path, target: Path) -> None:
    # GDAL would use the validity mask and overviews of the old file for the new one.
    remove_files(*(target.with_name(target.name + suffix) for suffix in (".msk", ".ovr")))
    # The sidecar is moved first, so that the new raster is never visible without its attribute table.
    if pam_path(file).exists():
        pam_path(file).replace(pam_path(target))
    else:
        remove_files(pam_path(target))
    file.replace(target)


def copy_to_cog(source: Path, target: Path, *, is_mask: bool) -> None:
    """Copy a raster to a Cloud Optimized GeoTIFF.

    Args:
        source: Any raster that GDAL can read.
        target: The file to write.
        is_mask: True for class indices, so that overviews contain the most frequent value instead of the mean.

    Raises:
        OSError: If the file cannot be written.
    """
    options = {
        "driver": "COG",
        "compress": "DEFLATE",  # supported by all readers, unlike ZSTD
        "blocksize": BLOCK_SIZE,
        # Differences between class indices compress worse than the indices themselves.
        "predictor": "NO" if is_mask else "YES",
        "overview_resampling": "MODE" if is_mask else "AVERAGE",
        "bigtiff": "IF_SAFER",
        "sparse_ok": True,
    }
    with gdal_environment():
        try:
            rasterio.shutil.copy(source, target, **options)
        except Exception as error:  # rasterio also raises GDAL's own errors, which have no public class
            raise OSError(str(error)) from error


def _require_complete(raster: Path, counts: NDArray[np.int64]) -> None:
    """Raise OSError if pixels were lost: GDAL reports no error if the disk fills up during the last few kilobytes."""
    if not np.array_equal(count_pixels(raster), counts):
        raise OSError("the file read back differs from the file written")


def count_pixels(raster: Path) -> NDArray[np.int64]:
    """Count the pixels in all bands of a uint8 raster by value, shape (256,); this reads the whole file."""
    counts = np.zeros(256, np.int64)
    with quiet_gdal():
        dataset = rasterio.open(raster)
    with dataset:
        for window in _chunks(dataset.height, dataset.width):
            for band in dataset.read(window=RasterioWindow(window.col, window.row, window.width, window.height)):
                # Pillow counts bytes four times as fast as np.bincount, which first converts them to 8-byte integers.
                counts += Image.fromarray(band).histogram()
    return counts


def _chunks(height: int, width: int) -> Iterator[Window]:
    """Yield windows of whole blocks with at most 4 megapixels each."""
    for strip in strips(height, width, BLOCK_SIZE):
        for col in range(0, width, 16 * BLOCK_SIZE):
            yield Window(strip.row, col, strip.height, min(16 * BLOCK_SIZE, width - col))

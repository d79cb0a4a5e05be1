"""The usual sink: Cloud Optimized GeoTIFFs of a mask, in the legend's colours, and of shares that say how sure it is.

A Cloud Optimized GeoTIFF must be written in one go, and a prediction may be interrupted. So pixels go into slabs in a
folder beside the mask (raster/slabs.py); when all are in, GDAL copies them, block by block, into the final form, and only
then do files of the targets' names appear. Blocks of 512 pixels and DEFLATE won by measurement.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from PIL import Image
from rasterio.windows import Window as RasterioWindow

from geoseg._files import check_writable, output_errors, part_path, remove, require_distinct
from geoseg.errors import OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.progress import NOTICE
from geoseg.raster.gdal_environment import gdal_environment
from geoseg.raster.metadata import GroundControl
from geoseg.raster.open_raster import quiet_gdal
from geoseg.raster.prediction_outputs import Product, make_product
from geoseg.raster.writers.attribute_table import side_path, write_attribute_table
from geoseg.raster.writers.partial import BLOCK, SETTINGS, Pixels, Slabs, slab_vrt

log = logging.getLogger(__name__)


class GeoTiffSink:
    """Writes a mask to ``path`` (.tif), with colours, class names and overviews, and ``shares`` to files beside it.

    :class:`OutputError` if it cannot. When it is abandoned, slabs that are whole stay in a folder beside the mask, from
    which a sink of the same settings goes on with ``resume``.
    """

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
        """Refuses at once what could not be written at the end.

        ``shares`` are files by the name of their product; ``settings`` (of JSON's types) are all that the pixels follow
        from, so that none are mixed with those of other settings; ``tags`` go into every file; ``gcps`` are the ground
        control points of a scene that has nothing else to place it (``scene.gcps``).
        """
        self.path = Path(path)
        self._paths = {"mask": self.path, **{name: Path(share) for name, share in (shares or {}).items()}}
        self.products = tuple(self._paths)
        for target in self._paths.values():
            _check_name(target)
            # Some results of a run that was killed at its very end have their names already.
            check_writable(target, overwrite or (resume and is_unfinished(self.path)))
        require_distinct(self._paths.values())
        self._overwrite, self._resume, self._gcps = overwrite, resume, gcps
        self._settings, self._tags = dict(settings or {}), dict(tags or {})

    def open(self, grid: Grid, legend: Legend) -> None:
        """Begin, or go on with what is there of the same settings."""
        self._grid, self._legend = grid, legend
        products = [make_product(name, legend) for name in self._paths]
        self.slabs = Slabs(unfinished_path(self.path), grid.shape, products)
        settings = {**self._settings, "rows": grid.height, "columns": grid.width, "products": list(self._paths)}
        with output_errors(self.path):
            if not self._goes_on(settings):
                self.slabs.begin(settings)

    def _goes_on(self, settings: dict[str, Any]) -> bool:
        before, folder, there = self.slabs.settings, self.slabs.folder, _finished(self.slabs)
        if before is None or not there:
            for target in self._paths.values():
                check_writable(target, self._overwrite)
            return False
        if self._resume:
            _require_same(before, settings, folder)
            log.log(NOTICE, "Going on with %s", _share_done(self.slabs))
            return True
        if not self._overwrite:
            raise OutputError(
                f"an unfinished mask lies in {folder}: {_share_done(self.slabs)}",
                "--resume goes on with it, --overwrite begins anew",
            )
        return False

    @property
    def missing(self) -> list[Window]:
        """What is still to be written: windows as wide as the grid."""
        return self.slabs.missing

    def write(self, window: Window, pixels: Pixels) -> None:
        """Put the pixels of every product into a window inside the grid; each pixel once, from any thread."""
        with output_errors(self.path):
            self.slabs.write(window, pixels)

    def finish(self) -> None:
        """Turn what was written into the final files and give them their names; what is missing is nodata."""
        with output_errors(self.path):
            self.slabs.flush()
            done = [self._assemble(product) for product in self.slabs.products]
            for product, made in reversed(list(zip(self.slabs.products, done, strict=True))):
                _put_in_place(made, self._paths[product.name])  # the mask last: where it is, all is
        self.slabs.remove()

    def abandon(self) -> None:
        """Keep what is whole for another time; files that were there before stay as they were."""
        if not hasattr(self, "slabs"):
            return
        if self.slabs.settings is not None and _finished(self.slabs):
            log.log(NOTICE, "%s in %s; --resume goes on", _share_done(self.slabs), self.slabs.folder)
        else:
            self.slabs.remove()

    def _assemble(self, product: Product) -> Path:
        """The final file of a product, still in the folder of its slabs."""
        folder = self.slabs.folder
        virtual, final = folder / f"{product.name}.vrt", folder / f"{product.name}.cog.tif"
        remove(virtual, final, side_path(final))
        virtual.write_bytes(slab_vrt(self.slabs, product, self._grid, self._legend, tags=self._tags, gcps=self._gcps))
        try:
            counts = count_pixels(virtual)
            copy_to_cog(virtual, final, is_mask=product.is_mask)
            _require_whole(final, counts)
            if product.is_mask:
                write_attribute_table(final, self._legend, counts)
        except OSError:
            remove(final, side_path(final))  # the disk may be full, and the slabs hold all there is
            raise
        return final


def unfinished_path(mask: Path) -> Path:
    """The folder in which a mask's slabs wait until it is whole."""
    return part_path(mask).with_suffix("")


def is_unfinished(mask: Path) -> bool:
    """True if slabs of the mask wait to be gone on with."""
    folder = unfinished_path(mask)
    return (folder / SETTINGS).exists() and any(folder.glob("mask-*.tif"))


def _check_name(path: Path) -> None:
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(f"{path} is no name for a GeoTIFF", f"call it {path.with_suffix('.tif')}")


def _finished(slabs: Slabs) -> int:
    return sum(slabs.is_there(place) for place in slabs.places)


def _share_done(slabs: Slabs) -> str:
    return f"{_finished(slabs)} of {len(slabs.places)} parts are done"


def _require_same(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    """:class:`OutputError` that names the first difference, if there is one."""
    for key in (*now, *before):
        if before.get(key) != now.get(key):
            raise OutputError(
                f"the unfinished mask in {folder} was made with {key} {before.get(key)}, not {now.get(key)}",
                "resume with the same settings, or begin anew with --overwrite",
            )


def _put_in_place(made: Path, target: Path) -> None:
    # GDAL would take the old file's validity and overviews for the new one's.
    remove(*(target.with_name(target.name + suffix) for suffix in (".msk", ".ovr")))
    # The side file first: whoever sees the new raster sees its table too.
    if side_path(made).exists():
        side_path(made).replace(side_path(target))
    else:
        remove(side_path(target))
    made.replace(target)


def copy_to_cog(source: Path, target: Path, *, is_mask: bool) -> None:
    """Write ``target`` as a Cloud Optimized GeoTIFF from another raster; OSError if that fails."""
    options = {
        "driver": "COG",
        "compress": "DEFLATE",  # read everywhere; ZSTD is not
        "blocksize": BLOCK,
        # Differences of class indices compress worse than the indices, and their mean means nothing.
        "predictor": "NO" if is_mask else "YES",
        "overview_resampling": "MODE" if is_mask else "AVERAGE",
        "bigtiff": "IF_SAFER",
        "sparse_ok": True,
    }
    with gdal_environment():
        try:
            rasterio.shutil.copy(source, target, **options)
        except Exception as error:  # GDAL's own errors pass through rasterio here, and have no public name
            raise OSError(str(error)) from error


def _require_whole(raster: Path, counts: NDArray[np.int64]) -> None:
    """OSError unless these are its pixels: GDAL keeps quiet about a disk that fills up with the last few kilobytes."""
    if not np.array_equal(count_pixels(raster), counts):
        raise OSError("the file read back is not the file written")


def count_pixels(raster: Path) -> NDArray[np.int64]:
    """Pixels of all bands by value, shape (256,), of a uint8 raster; reading it through also shows that it is whole."""
    counts = np.zeros(256, np.int64)
    with quiet_gdal():
        dataset = rasterio.open(raster)
    with dataset:
        for window in _chunks(dataset.height, dataset.width):
            for band in dataset.read(window=RasterioWindow(window.col, window.row, window.width, window.height)):
                # Pillow counts bytes four times as fast as np.bincount, which first makes 8-byte integers of them.
                counts += Image.fromarray(band).histogram()
    return counts


def _chunks(height: int, width: int) -> Iterator[Window]:
    """Whole blocks, few enough at a time that counting stays in tens of megabytes."""
    for strip in strips(height, width, BLOCK):
        for col in range(0, width, 16 * BLOCK):
            yield Window(strip.row, col, strip.height, min(16 * BLOCK, width - col))

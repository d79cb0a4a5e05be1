"""Convert one labeled scene to prepared files in a single pass, a few rows at a time.

The image, class indices, validity mask and class locations are written together, and the record is written last.
"""

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg._output_files import output_errors
from geoseg.data.dataset import LabelledScene
from geoseg.data.label_encoding import LabelEncoding
from geoseg.data.label_reader import LabelReader
from geoseg.data.memory_scenes import materialize
from geoseg.data.preparation.class_locations import ClassLocations
from geoseg.data.preparation.conversion_record import ConversionRecord, Fingerprints, fingerprint_sources, load_record
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import DataError
from geoseg.grid.grid import Grid, is_same_gsd, is_square, resampling_factors
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.band_names import find_bands
from geoseg.raster.formats.memmap_geotiff import StripWriter, create_contiguous
from geoseg.raster.formats.tiled_geotiff import create_compressed
from geoseg.raster.resampling_indices import resample_nearest
from geoseg.raster.scene import Scene
from geoseg.raster.statistics import RunningStatistics

logger = logging.getLogger(__name__)

STRIP_ROWS = 512
"""Number of rows converted at a time; a multiple of the cell size of :class:`ClassLocations`."""


@dataclass(frozen=True)
class SceneConversion:
    """The task of converting one scene, with everything that a worker process needs."""

    scene: LabelledScene
    """The source files."""
    draft: PreparedScene
    """The prepared scene with its name, split, folder and file name; its size is not yet known."""
    declaration_digest: str
    """Digest of the recipe's data section and of the settings derived from the first scene."""
    encoding: LabelEncoding
    """Encoding of the label file."""
    class_count: int
    """Number of classes."""
    file_bands: tuple[str, ...] | None
    """Band names declared by the dataset; None to use the names in the file."""
    bands: tuple[str, ...]
    """Names of the bands to keep, in order."""
    select_by_name: bool
    """True if the recipe names the bands. Otherwise, bands with different names are selected by position."""
    dtype: str
    """Pixel type of all scenes."""
    gsd: float | None
    """Ground sampling distance to resample to, in meters per pixel; None to keep that of the scene."""
    older_digest: str | None = None
    """Digest of the declaration used in records by older versions of geoseg, which ignores the order of the classes;
    None if the order has changed."""

    def load_record(self) -> ConversionRecord | None:
        """Return the record of an earlier conversion of the same files, or None."""
        digests = {digest for digest in (self.declaration_digest, self.older_digest) if digest is not None}
        record = load_record(self.scene, self.draft, digests)
        if record is not None and record.declaration_digest != self.declaration_digest:
            record = replace(record, declaration_digest=self.declaration_digest)
            record.save()
        return record


def convert_scene(conversion: SceneConversion) -> ConversionRecord:
    """Convert one scene and write its record.

    Raises:
        DataError: If the pixel type, the bands or the labels do not match those of the other scenes.
        SceneError: If a file cannot be read.
        OutputError: If a file cannot be written.
    """
    started = time.perf_counter()
    sources = fingerprint_sources(conversion.scene)  # before reading, so that later changes to a file are detected
    with materialize(conversion.scene) as files, open_image(files.image, conversion.file_bands) as image:
        if image.dtype.name != conversion.dtype:
            message = f"{conversion.scene.image} is {image.dtype.name}, but the other scenes are {conversion.dtype}"
            raise DataError(message, f"convert it: gdal_translate -ot {conversion.dtype} IN OUT")
        record = _StripConverter(conversion, image, files.label, sources).run()
    record.seconds["all"] = time.perf_counter() - started
    record.save()
    return record


def open_image(image: Path, bands: Sequence[str] | None) -> Scene:
    """Open the image of a scene with as many bands as the dataset names.

    A band that the file marks as alpha is treated as a normal band if the names require it, because near infrared is
    often marked as alpha.
    """
    scene = Scene.open(image)
    if bands is None or len(scene.bands) >= len(bands):
        return scene
    scene.close()
    return Scene.open(image, alpha=False)


def measure_scene(conversion: SceneConversion) -> PreparedScene:
    """Return the draft with the size and GSD of the result, read from the image header or the source's pixels."""
    if conversion.scene.source is not None:
        return _plan_grid(conversion, conversion.scene.source.read()[0].grid)[1]
    with Scene.open(conversion.scene.image) as scene:
        return _plan_grid(conversion, scene.grid)[1]


def _plan_grid(conversion: SceneConversion, source: Grid) -> tuple[Grid, PreparedScene]:
    """Return the grid of the result (the source grid unless it is resampled), and the draft with its size."""
    own_gsd, grid = source.gsd or conversion.scene.gsd, source
    sides = source.pixel_sides_m(conversion.scene.gsd)
    if conversion.gsd is not None and own_gsd is not None and sides is not None:
        if not is_square(sides):
            down, across = resampling_factors(sides, conversion.gsd)
            shape = max(round(source.height / down), 1), max(round(source.width / across), 1)
            grid = source if (down, across) == (1, 1) else source.with_shape(*shape)
        elif not is_same_gsd(own_gsd, conversion.gsd):
            grid = source.resample(own_gsd / conversion.gsd)
    gsd = own_gsd if grid is source else grid.gsd or (own_gsd and own_gsd * source.height / grid.height)
    return grid, replace(conversion.draft, height=grid.height, width=grid.width, gsd=gsd)


class _StripConverter:
    """Converts one scene strip by strip and accumulates its counts."""

    def __init__(self, conversion: SceneConversion, image: Scene, label: Path | None, sources: Fingerprints) -> None:
        self.conversion, self.source, self.label, self.sources = conversion, image, label, sources
        self.positions = select_bands(conversion, image)
        self.grid, self.draft = _plan_grid(conversion, image.grid)
        self.statistics = RunningStatistics()
        self.counts, self.valid_pixels = np.zeros(256, np.int64), 0
        self.locations: list[ClassLocations] = []
        self.digests = {"image": hashlib.blake2b(digest_size=16), "mask": hashlib.blake2b(digest_size=16)}
        self.seconds = {"decode": 0.0, "encode": 0.0}

    def run(self) -> ConversionRecord:
        """Convert all strips and return the record, without saving it."""
        with ExitStack() as files:
            reader = self._open_labels(files)
            images = files.enter_context(self._create(self.draft.image_path, len(self.positions), self.source.dtype))
            valids = files.enter_context(self._create(self.draft.valid_path, 1, np.uint8))
            masks = files.enter_context(self._create(self.draft.mask_path, 1, np.uint8)) if reader else None
            for strip in strips(self.grid.height, self.grid.width, STRIP_ROWS):
                rows = map_rows(strip, self.grid, self.source.grid)
                valid = self._convert_image(strip, rows, images, valids)
                if reader is not None and masks is not None:
                    self._convert_labels(strip, rows, valid, reader, masks)
        if self.valid_pixels == self.grid.height * self.grid.width:
            self.draft.valid_path.unlink()
        return ConversionRecord(
            self._finish_scene(reader), self.conversion.declaration_digest, self.sources, self.statistics, self.seconds
        )

    def _open_labels(self, files: ExitStack) -> LabelReader | None:
        if self.label is None:
            return None
        return files.enter_context(closing(LabelReader(self.label, self.source.grid, self.conversion.encoding)))

    @contextmanager
    def _create(self, path: Path, bands: int, dtype: Any) -> Iterator[StripWriter]:
        create = create_compressed if self.draft.compressed else create_contiguous
        with create(path, self.grid, bands=bands, dtype=dtype) as file:
            yield file

    def _convert_image(
        self, strip: Window, rows: Window, images: StripWriter, valids: StripWriter
    ) -> NDArray[np.bool_]:
        """Write a strip of the image and return its validity mask (row, col)."""
        with self._timed("decode"):
            raster = self.source.read(rows, self.positions, shape=strip.shape)
        self.statistics.add(raster)
        self.valid_pixels += int(raster.valid.sum())
        self.digests["image"].update(np.ascontiguousarray(raster.values).data)
        with self._timed("encode"):
            images.write(strip, raster.values)
            valids.write(strip, raster.valid[None].astype(np.uint8))
        return raster.valid

    def _convert_labels(
        self, strip: Window, rows: Window, valid: NDArray[np.bool_], reader: LabelReader, masks: StripWriter
    ) -> None:
        """Write a strip of class indices, which are 255 where the image has no data."""
        labels = resample_nearest(reader.read(rows), strip.shape)
        mask = np.where(valid, labels, np.uint8(IGNORE_INDEX))
        self.digests["mask"].update(mask.data)
        self.counts += np.bincount(mask.ravel(), minlength=256)
        self.locations.append(ClassLocations.from_mask(mask, self.conversion.class_count, first_row=strip.row))
        with self._timed("encode"):
            masks.write(strip, mask[None])

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        before = time.perf_counter()
        yield
        self.seconds[step] += time.perf_counter() - before

    def _finish_scene(self, reader: LabelReader | None) -> PreparedScene:
        scene = replace(
            self.draft,
            valid_pixels=self.valid_pixels,
            class_pixels=tuple(int(count) for count in self.counts[: self.conversion.class_count]),
            digests={kind: each.hexdigest() for kind, each in self.digests.items()},
        )
        if reader is None:
            return scene
        self.seconds["decode"] += reader.decode_seconds
        with output_errors(scene.class_locations_path):
            scene.class_locations_path.parent.mkdir(parents=True, exist_ok=True)
            ClassLocations.concatenate(self.locations).save(scene.class_locations_path)
        return replace(
            scene,
            unknown=reader.describe_unknown(),
            unknown_share=reader.unknown_share,
            assumed_pixels=reader.assumed,
            label_notes=reader.notes,
            touches=reader.touches,
        )


def select_bands(conversion: SceneConversion, scene: Scene) -> list[int]:
    """Return the positions of the bands to keep: by name if the names are known, otherwise all bands in order.

    Raises:
        DataError: If the number of bands differs from that of the first scene or of the published file.
        SceneError: If a band named in the recipe is not found.
    """
    wanted, published = conversion.bands, conversion.file_bands
    if published and len(published) != len(scene.bands):
        message = f"{scene.path} has {len(scene.bands)} bands instead of {', '.join(published)}"
        raise DataError(message, "the file differs from the published one; download it again")
    if published:
        named = set(wanted) <= set(published)
        return [published.index(band) for band in wanted] if named else scene.band_positions(wanted)
    if not conversion.select_by_name and len(scene.bands) != len(wanted):
        message = f"{scene.path} has {len(scene.bands)} bands, but the first scene has {len(wanted)}"
        raise DataError(message, "list the bands to use under data.bands in the recipe")
    found = find_bands(wanted, scene.band_names)
    if found is None and conversion.select_by_name:
        return scene.band_positions(wanted)  # raises an error that names the missing band
    if found is None:
        claims = scene.band_names.claims()
        logger.warning(
            "%s: bands are used as %s by position, but the file states %s", scene.path, ", ".join(wanted), claims
        )
        return list(range(len(wanted)))
    for note in found.notes:
        logger.warning("%s: %s", scene.path, note)
    return list(found.positions)


def map_rows(strip: Window, grid: Grid, source: Grid) -> Window:
    """Return the window of source pixels that corresponds to a strip of the result.

    The window consists of whole source pixels, so that the image and labels are resampled identically at strip edges.
    """
    top, bottom = (round(row * source.height / grid.height) for row in (strip.row, strip.row_stop))
    return Window(top, 0, bottom - top, source.width)

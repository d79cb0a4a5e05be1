"""One labelled scene to prepared files: image, class indices, validity and cells, in one pass of few rows at a time.

A *record* is what is known of a scene afterwards. It is written last, so a scene with a record is whole; a run that was
interrupted goes on with the scenes that have none.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg._files import output_errors, part_path
from geoseg.data.dataset import LabelledScene
from geoseg.data.in_memory import in_files
from geoseg.data.label_encoding import Encoding
from geoseg.data.label_reader import LabelReader
from geoseg.data.preparation.class_locations import Cells
from geoseg.data.preparation.prepared_dataset import PreparedScene, scene_from
from geoseg.errors import DataError
from geoseg.grid.grid import Grid, is_same_gsd
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.archive import state
from geoseg.raster.formats.compressed_geotiff import writing_compressed
from geoseg.raster.formats.memmap_geotiff import StripWriter, writing_contiguous
from geoseg.raster.scene import Scene
from geoseg.raster.statistics import RunningStatistics

STRIP_ROWS = 512
"""Rows that are converted at once; a multiple of the side of a cell."""


@dataclass(frozen=True)
class Job:
    """All that a process needs to convert one scene."""

    scene: LabelledScene
    """Where it lies."""
    draft: PreparedScene
    """Name, split, folder and file name; its size is not known yet."""
    declared: str
    """Digest of what the recipe says about the data, and of what follows from the first scene."""
    encoding: Encoding
    """What labels mean."""
    classes: int
    """How many there are."""
    band_names: tuple[str, ...] | None
    """What the dataset calls the bands of the file."""
    bands: tuple[str, ...]
    """Which bands to keep, by name."""
    by_name: bool
    """True if the recipe names them; otherwise bands of other names are taken in their order."""
    dtype: str
    """Pixel type of all scenes."""
    gsd: float | None
    """Metres per pixel to resample to."""


@dataclass(frozen=True)
class Record:
    """What is known of a converted scene."""

    scene: PreparedScene
    """Sizes and counts."""
    declared: str
    """Digest of what the recipe said about the data."""
    sources: tuple[tuple[str, int, int], ...]
    """State of image and label when they were read."""
    statistics: RunningStatistics
    """Of the image's valid pixels."""
    seconds: dict[str, float]
    """Time spent reading and decoding, encoding and writing, and in all."""

    def save(self) -> None:
        """Writes the record into the prepared folder, whole or not at all."""
        content = {
            "scene": self.scene.to_dict(),
            "declared": self.declared,
            "sources": self.sources,
            "statistics": self.statistics.to_json(),
            "seconds": self.seconds,
        }
        path = record_path(self.scene)
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = part_path(path)
            part.write_text(json.dumps(content), "utf-8")
            part.replace(path)


def record_path(scene: PreparedScene) -> Path:
    """Where a scene's record lies."""
    return scene.folder / "records" / f"{scene.stem}.json"


def finished(job: Job) -> Record | None:
    """The record of a job that was done before, from the same files; None if there is none."""
    try:
        content = json.loads(record_path(job.draft).read_text("utf-8"))
        scene = scene_from(content["scene"], job.draft.folder)
        sources = tuple((name, size, date) for name, size, date in content["sources"])
        statistics = RunningStatistics.from_json(content["statistics"])
        record = Record(scene, content["declared"], sources, statistics, dict(content["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = (sources, record.declared, scene.split) == (sources_of(job.scene), job.declared, job.draft.split)
    return record if same and scene.is_whole else None


def sources_of(scene: LabelledScene) -> tuple[tuple[str, int, int], ...]:
    """The state of a scene's files, or of its source."""
    if scene.source is not None:
        return (scene.source.state(),)
    return tuple(state(path) for path in (scene.image, scene.label) if path is not None)


def convert(job: Job) -> Record:
    """Writes the files of one scene; :class:`DataError` if it does not go with the others."""
    started = time.perf_counter()
    sources = sources_of(job.scene)  # now: a file that changes from here on shall be noticed
    with in_files(job.scene) as files, open_image(files.image, job.band_names) as scene:
        if scene.dtype.name != job.dtype:
            raise DataError(f"{job.scene.image} is {scene.dtype.name}, other scenes are {job.dtype}", "convert it")
        record = _Conversion(job, scene, files.label, sources).run()
    record.seconds["all"] = time.perf_counter() - started
    record.save()
    return record


def open_image(image: Path, bands: Sequence[str] | None) -> Scene:
    """The image of a scene whose bands the owner names; as many of them as there are names, if that is possible.

    A band that the file marks as alpha is one like the others then: near infrared often is marked so.
    """
    scene = Scene.open(image)
    if bands is None or len(scene.bands) >= len(bands):
        return scene
    scene.close()
    return Scene.open(image, alpha=False)


def survey(job: Job) -> PreparedScene:
    """The draft of a job with its size and GSD, from the image's header; a source has to be read for it."""
    if job.scene.source is not None:
        return _planned(job, job.scene.source.read()[0].grid)[1]
    with Scene.open(job.scene.image) as scene:
        return _planned(job, scene.grid)[1]


def _planned(job: Job, source: Grid) -> tuple[Grid, PreparedScene]:
    """The grid to convert to: the scene's own unless its GSD is another than the wanted one."""
    have, grid = source.gsd or job.scene.gsd, source
    if job.gsd is not None and have is not None and not is_same_gsd(have, job.gsd):
        grid = source.resampled(have / job.gsd)
    gsd = have if grid is source else grid.gsd or (have and have * source.height / grid.height)
    return grid, replace(job.draft, height=grid.height, width=grid.width, gsd=gsd)


class _Conversion:
    """The state of converting one scene: what is counted while strips pass."""

    def __init__(self, job: Job, scene: Scene, label: Path | None, sources: tuple[tuple[str, int, int], ...]) -> None:
        self.job, self.source, self.label, self.sources = job, scene, label, sources
        self.positions = band_positions(job, scene)
        self.grid, self.draft = _planned(job, scene.grid)
        self.statistics = RunningStatistics()
        self.counts, self.valid_pixels = np.zeros(256, np.int64), 0
        self.cells: list[Cells] = []
        self.digests = {"image": hashlib.blake2b(digest_size=16), "mask": hashlib.blake2b(digest_size=16)}
        self.seconds = {"decode": 0.0, "encode": 0.0}

    def run(self) -> Record:
        """Converts strip by strip."""
        with ExitStack() as open_files:
            reader = self._labels(open_files)
            images = open_files.enter_context(
                self._writing(self.draft.image_path, len(self.positions), self.source.dtype)
            )
            valids = open_files.enter_context(self._writing(self.draft.valid_path, 1, np.uint8))
            masks = open_files.enter_context(self._writing(self.draft.mask_path, 1, np.uint8)) if reader else None
            for strip in strips(self.grid.height, self.grid.width, STRIP_ROWS):
                self._strip(strip, reader, images, masks, valids)
        if self.valid_pixels == self.grid.height * self.grid.width:
            self.draft.valid_path.unlink()
        return Record(self._scene(reader), self.job.declared, self.sources, self.statistics, self.seconds)

    def _labels(self, open_files: ExitStack) -> LabelReader | None:
        if self.label is None:
            return None
        return open_files.enter_context(closing(LabelReader(self.label, self.source.grid, self.job.encoding)))

    @contextmanager
    def _writing(self, path: Path, bands: int, dtype: Any) -> Iterator[StripWriter]:
        write = writing_compressed if self.draft.compressed else writing_contiguous
        with write(path, self.grid, bands=bands, dtype=dtype) as file:
            yield file

    def _strip(
        self,
        strip: Window,
        reader: LabelReader | None,
        images: StripWriter,
        masks: StripWriter | None,
        valids: StripWriter,
    ) -> None:
        source = source_rows(strip, self.grid, self.source.grid)
        with self._timed("decode"):
            raster = self.source.read(source, self.positions, shape=strip.shape)
        labels = None if reader is None else nearest(reader.read(source), strip.shape)
        self.statistics.add(raster)
        self.valid_pixels += int(raster.valid.sum())
        self.digests["image"].update(np.ascontiguousarray(raster.values).data)
        with self._timed("encode"):
            images.write(strip, raster.values)
            valids.write(strip, raster.valid[None].astype(np.uint8))
        if labels is None or masks is None:
            return
        mask = np.where(raster.valid, labels, np.uint8(IGNORE_INDEX))
        self.digests["mask"].update(mask.data)
        self.counts += np.bincount(mask.ravel(), minlength=256)
        self.cells.append(Cells.of(mask, self.job.classes, first_row=strip.row))
        with self._timed("encode"):
            masks.write(strip, mask[None])

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        before = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - before

    def _scene(self, reader: LabelReader | None) -> PreparedScene:
        scene = replace(
            self.draft,
            valid_pixels=self.valid_pixels,
            class_pixels=tuple(int(count) for count in self.counts[: self.job.classes]),
            digests={kind: each.hexdigest() for kind, each in self.digests.items()},
        )
        if reader is None:
            return scene
        self.seconds["decode"] += reader.decode_seconds
        with output_errors(scene.cells_path):
            scene.cells_path.parent.mkdir(parents=True, exist_ok=True)
            Cells.joined(self.cells).save(scene.cells_path)
        return replace(scene, unknown=reader.unknown_text(), unknown_share=reader.unknown_share())


def band_positions(job: Job, scene: Scene) -> list[int]:
    """Positions of the bands to keep: by name where names are known, else all in order."""
    names = job.band_names or scene.bands
    if len(names) != len(scene.bands):
        raise DataError(
            f"{scene.path} has {len(scene.bands)} bands, not {', '.join(names)}", "it is not the published file"
        )
    if set(job.bands) <= set(names) and (job.by_name or job.band_names or len(job.bands) == len(names)):
        return [names.index(band) for band in job.bands]
    if job.by_name:
        return scene.band_positions(job.bands)  # says which one is missing
    if len(scene.bands) != len(job.bands):
        message = f"{scene.path} has {len(scene.bands)} bands, the first scene has {len(job.bands)}"
        raise DataError(message, "name the bands to use in data.bands")
    return list(range(len(job.bands)))


def source_rows(strip: Window, grid: Grid, source: Grid) -> Window:
    """The source pixels under a strip; whole pixels, so image and labels are stretched alike at strip edges."""
    top, bottom = (round(row * source.height / grid.height) for row in (strip.row, strip.row_stop))
    return Window(top, 0, bottom - top, source.width)


def nearest(values: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Values at the nearest pixel of a grid of another shape over the same ground."""
    if values.shape == shape:
        return values
    rows, cols = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(shape, values.shape, strict=True)
    )
    chosen: NDArray[np.uint8] = values[rows[:, None], cols]
    return chosen

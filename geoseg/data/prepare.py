"""From a declared dataset to prepared scenes: images and class indices that can be mapped into memory.

Source files are only read. A prepared folder is named after a digest of the declaration and of every source file's
size and date, so changed labels are never mixed up with old ones, and the same data is prepared once.
"""

import hashlib
import json
import logging
import re
import statistics as python_statistics
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.config.recipe import DataSection
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets import datasets
from geoseg.data.labels import LabelReader
from geoseg.data.prepared import Prepared, PreparedScene
from geoseg.errors import ConfigError, DataError
from geoseg.grid.grid import GSD_RATIO, Grid
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.progress import Progress, silent
from geoseg.raster.contiguous import writing_contiguous
from geoseg.raster.scene import Scene
from geoseg.raster.statistics import RunningStatistics

STRIP_ROWS = 512
"""Rows that are converted at once."""

logger = logging.getLogger(__name__)


def open_dataset(section: DataSection) -> Dataset:
    """The dataset a recipe's data section declares."""
    if section.root is None:
        raise ConfigError("data.root is missing", "say where your data lies: --set data.root=FOLDER")
    return datasets.build(section.dataset, section.options, root=section.root)


def prepare(section: DataSection, name: str, *, progress: Progress = silent) -> Prepared:
    """The prepared folder of a data section, made now if it is not there yet.

    ``name`` begins the folder's name. Raises :class:`DataError` for labels that do not fit, :class:`SceneError` for
    images that cannot be read, :class:`OutputError` when there is no room.
    """
    dataset = open_dataset(section)
    digest = _digest(section, dataset)
    folder = section.prepared / f"{_file_name(name)}-{digest[:8]}"
    done = Prepared.load(folder)
    if done is not None:
        logger.info("using the prepared scenes in %s", folder)
        return done
    logger.info("preparing scenes in %s", folder)
    return _prepared(section, dataset, folder, digest, progress)


def _prepared(section: DataSection, dataset: Dataset, folder: Path, digest: str, progress: Progress) -> Prepared:
    members = [(split, scene) for split, scenes in dataset.splits.items() for scene in scenes]
    dataset.scenes("train")
    with Scene.open(dataset.scenes("train")[0].image) as first:
        bands = section.bands or first.bands
        dtype = first.dtype.name
    converter = _Converter(section, dataset, folder, tuple(bands), dtype)
    with progress(len(members), "preparing scenes") as task:
        scenes = []
        for split, labelled in members:
            scenes.append(converter.convert(split, labelled))
            task.advance(note=labelled.name)
    training = [scene for scene in scenes if scene.split == "train"]
    if not sum(sum(scene.class_pixels) for scene in training):
        raise DataError("no pixel of the training scenes is labelled", "check data.legend, data.values and data.ignore")
    measured = converter.statistics.of(bands)
    gsds = [scene.gsd for scene in training if scene.gsd is not None]
    gsd = python_statistics.median(gsds) if gsds else section.gsd
    prepared = Prepared(folder, digest, dataset.legend, tuple(bands), dtype, gsd, measured, tuple(scenes))
    prepared.save()
    return prepared


class _Converter:
    """Converts scenes one after another into a prepared folder."""

    def __init__(
        self, section: DataSection, dataset: Dataset, folder: Path, bands: tuple[str, ...], dtype: str
    ) -> None:
        self.section, self.dataset, self.folder, self.bands, self.dtype = section, dataset, folder, bands, dtype
        self.statistics = RunningStatistics()
        """Of the training scenes converted so far."""

    def convert(self, split: str, labelled: LabelledScene) -> PreparedScene:
        """Writes the image, class indices and, where needed, validity of one scene."""
        with Scene.open(labelled.image) as scene:
            if scene.dtype.name != self.dtype:
                raise DataError(f"{labelled.image} is {scene.dtype.name}, other scenes are {self.dtype}", "convert it")
            positions = scene.band_positions(self.bands) if self.section.bands else self._all_bands(scene)
            return self._converted(split, labelled, scene, positions)

    def _all_bands(self, scene: Scene) -> list[int]:
        if len(scene.bands) != len(self.bands):
            message = f"{scene.path} has {len(scene.bands)} bands, the first scene has {len(self.bands)}"
            raise DataError(message, "name the bands to use in data.bands")
        return list(range(len(self.bands)))

    def _converted(self, split: str, labelled: LabelledScene, scene: Scene, positions: list[int]) -> PreparedScene:
        grid = self._target_grid(scene.grid)
        stem = _stem(labelled.name)
        draft = PreparedScene(labelled.name, split, self.folder, stem, grid.height, grid.width, grid.gsd)
        reader = LabelReader(labelled.label, scene.grid, self.dataset.encoding)
        counts, valid_pixels = np.zeros(256, np.int64), 0
        with (
            closing(reader),
            writing_contiguous(draft.image_path, grid, bands=len(positions), dtype=scene.dtype) as images,
            writing_contiguous(draft.mask_path, grid, bands=1, dtype=np.uint8) as masks,
            writing_contiguous(draft.valid_path, grid, bands=1, dtype=np.uint8) as valids,
        ):
            for strip in strips(grid.height, grid.width, STRIP_ROWS):
                source = _source_rows(strip, grid, scene.grid)
                raster = scene.read(source, positions, shape=strip.shape)
                target = np.where(raster.valid, _nearest(reader.read(source), strip.shape), np.uint8(IGNORE_INDEX))
                if split == "train":
                    self.statistics.add(raster)
                images.write(strip, raster.values)
                masks.write(strip, target[None])
                valids.write(strip, raster.valid[None].astype(np.uint8))
                counts += np.bincount(target.ravel(), minlength=256)
                valid_pixels += int(raster.valid.sum())
        self._check_unknown(reader)
        if valid_pixels == grid.height * grid.width:
            draft.valid_path.unlink()
        classes = tuple(int(count) for count in counts[: len(self.dataset.legend)])
        return replace(draft, valid_pixels=valid_pixels, class_pixels=classes, unknown=reader.unknown_text())

    def _target_grid(self, grid: Grid) -> Grid:
        wanted, have = self.section.gsd, grid.gsd
        if wanted is None or have is None or 1 / GSD_RATIO <= have / wanted <= GSD_RATIO:
            return grid
        return grid.resampled(have / wanted)

    def _check_unknown(self, reader: LabelReader) -> None:
        share = reader.unknown_share()
        if share > self.section.unknown_share:
            raise DataError(
                f"{reader.label}: {share:.2%} of the pixels are not in the legend: {reader.unknown_text()}",
                "add them to data.legend, data.values or data.ignore, or raise data.unknown_share",
            )
        if share:
            logger.warning("%s: not in the legend, taken as not labelled: %s", reader.label, reader.unknown_text())


def _source_rows(strip: Window, grid: Grid, source: Grid) -> Window:
    """The source pixels under a strip; whole pixels, so image and labels are stretched alike at strip edges."""
    top, bottom = (round(row * source.height / grid.height) for row in (strip.row, strip.row_stop))
    return Window(top, 0, bottom - top, source.width)


def _nearest(values: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Values at the nearest pixel of a grid of another shape over the same ground."""
    if values.shape == shape:
        return values
    rows, cols = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(shape, values.shape, strict=True)
    )
    nearest: NDArray[np.uint8] = values[rows[:, None], cols]
    return nearest


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name) or "data"


def _stem(name: str) -> str:
    """A scene's name as a file name; told apart by a digest where the name itself is none."""
    plain = re.sub(r"[^\w.-]+", "_", name)
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _digest(section: DataSection, dataset: Dataset) -> str:
    """Digest of the declaration and of name, size and date of every source file."""
    declared = section.model_dump(mode="json", exclude={"prepared"})
    files = sorted({path for scenes in dataset.splits.values() for s in scenes for path in (s.image, s.label)})
    states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([declared, states]).encode()).hexdigest()

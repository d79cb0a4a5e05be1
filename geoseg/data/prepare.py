"""From a declared dataset to prepared scenes: images and class indices that can be mapped into memory.

Source files are only read. A prepared folder is named after a digest of the declaration and of every source file's
size and date, so changed labels are never mixed up with old ones, and the same data is prepared once.
"""

import hashlib
import json
import logging
import os
import re
import shutil
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
from geoseg.grid.grid import Grid, is_same_gsd
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.progress import Progress, silent
from geoseg.raster.contiguous import writing_contiguous
from geoseg.raster.output import output_errors
from geoseg.raster.scene import Scene
from geoseg.raster.statistics import RunningStatistics

FORMAT = 1
"""Changes when scenes would be prepared differently, so that folders of older versions are made again."""

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
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        _prepare(section, dataset, part, digest, progress)
        with output_errors(folder):
            shutil.rmtree(folder, ignore_errors=True)  # not finished, or it would have been loaded
            part.replace(folder)
    finally:  # after Ctrl-C, too
        shutil.rmtree(part, ignore_errors=True)
    return _loaded(folder)


def _loaded(folder: Path) -> Prepared:
    prepared = Prepared.load(folder)
    assert prepared is not None, f"{folder} was just made"
    return prepared


def _prepare(section: DataSection, dataset: Dataset, folder: Path, digest: str, progress: Progress) -> None:
    """Fills a folder with converted scenes and their manifest."""
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
    _require_labels(scenes, "train", "training")
    _require_labels(scenes, "val", "validation")
    _warn_of_empty_classes(scenes, dataset)
    measured = converter.statistics.of(bands)
    gsd = _common_gsd(scenes) or section.gsd
    Prepared(folder, digest, dataset.legend, tuple(bands), dtype, gsd, measured, tuple(scenes)).save()


def _common_gsd(scenes: list[PreparedScene]) -> float | None:
    """The GSD of all scenes; :class:`DataError` if they differ so much that none of them is everybody's."""
    gsds = {scene.gsd: scene.name for scene in scenes if scene.gsd is not None}
    if not gsds:
        return None
    least, most = min(gsds), max(gsds)
    if not is_same_gsd(most, least):
        raise DataError(
            f"pixels measure {least:.3g} m in {gsds[least]} and {most:.3g} m in {gsds[most]}",
            f"name the size to learn at, and scenes are resampled to it: --set data.gsd={most:.2g}",
        )
    return python_statistics.median(gsds)


def _warn_of_empty_classes(scenes: list[PreparedScene], dataset: Dataset) -> None:
    counts = np.sum([scene.class_pixels for scene in scenes if scene.split == "train"], axis=0)
    empty = [name for name, count in zip(dataset.legend.names, counts, strict=True) if not count]
    if empty:
        logger.warning("no training pixel is labelled %s, so the network cannot learn it", " or ".join(empty))


def _require_labels(scenes: list[PreparedScene], split: str, adjective: str) -> None:
    members = [scene for scene in scenes if scene.split == split]
    if members and not any(sum(scene.class_pixels) for scene in members):
        hint = "check data.legend, data.values and data.ignore"
        raise DataError(f"no pixel of the {adjective} scenes is labelled", hint)


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
            if scene.palette is not None and not self.statistics.count:
                logger.warning(
                    "%s holds numbers of a colour palette, not colours: gdal_translate -expand rgb", labelled.image
                )
            if scene.dtype.name != self.dtype:
                raise DataError(f"{labelled.image} is {scene.dtype.name}, other scenes are {self.dtype}", "convert it")
            return self._converted(split, labelled, scene, self._positions(scene))

    def _positions(self, scene: Scene) -> list[int]:
        """Bands by name where the recipe names them or the scene has the same in another order, else all in order."""
        if self.section.bands or sorted(self.bands) == sorted(scene.bands):
            return scene.band_positions(self.bands)
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
        reader.check_unknown(self.section.unknown_share)
        if valid_pixels == grid.height * grid.width:
            draft.valid_path.unlink()
        classes = tuple(int(count) for count in counts[: len(self.dataset.legend)])
        return replace(draft, valid_pixels=valid_pixels, class_pixels=classes, unknown=reader.unknown_text())

    def _target_grid(self, grid: Grid) -> Grid:
        wanted, have = self.section.gsd, grid.gsd
        if wanted is None or have is None or is_same_gsd(have, wanted):
            return grid
        return grid.resampled(have / wanted)


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
    """Digest of the declaration, of who is in which split (lists are files) and of every source file's size and date."""
    declared = section.model_dump(mode="json", exclude={"prepared"})
    members = {split: [scene.name for scene in scenes] for split, scenes in dataset.splits.items()}
    files = sorted({path for scenes in dataset.splits.values() for s in scenes for path in (s.image, s.label)})
    states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([FORMAT, declared, members, states]).encode()).hexdigest()

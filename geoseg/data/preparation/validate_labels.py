"""Validate the labels of a dataset without converting anything.

Errors make training impossible or its results invalid: unreadable files, images and labels of different sizes,
undeclared colors, the same image in two splits, missing files. Remarks are warnings about findings that may be
intentional.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoseg._text import count, merge_notes
from geoseg.config.recipe import DataSection
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.label_reader import LabelReader, describe_assumed
from geoseg.data.memory_scenes import materialize
from geoseg.data.preparation.convert_scene import STRIP_ROWS
from geoseg.data.preparation.find_missed_split import find_missed_split
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.errors import DataError, GeosegError
from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.progress import Progress, silent
from geoseg.raster.archive import fingerprint, is_zip_member
from geoseg.raster.scene import Scene


@dataclass(frozen=True)
class SceneLabelReport:
    """Findings about the files of one scene."""

    split: str
    """Split that the scene belongs to."""
    name: str
    """Name of the scene."""
    shape: tuple[int, int] = (0, 0)
    """(height, width) of the image."""
    class_pixels: tuple[int, ...] = ()
    """Number of labeled pixels of each class; empty if there are no labels."""
    unknown_share: float = 0.0
    """Fraction of the pixels with an undeclared color or value."""
    touches: bool = True
    """False if the label file is a vector file and none of its polygons contains the center of a pixel."""
    errors: tuple[str, ...] = ()
    """Errors, one sentence each."""
    remarks: tuple[str, ...] = ()
    """Remarks, one sentence each."""
    label_notes: tuple[str, ...] = ()
    """Notes on what was skipped or repaired in a vector file of labels, one sentence each; scenes may share this file."""

    @property
    def unlabelled_share(self) -> float:
        """Fraction of the pixels without a class, including undeclared ones."""
        pixels = self.shape[0] * self.shape[1]
        return 1 - sum(self.class_pixels) / pixels if pixels else 0.0


@dataclass(frozen=True)
class LabelReport:
    """Findings about a dataset."""

    legend: Legend
    """Classes of the dataset."""
    scenes: tuple[SceneLabelReport, ...]
    """Findings about each scene, ordered by split."""
    errors: tuple[str, ...] = field(default=())
    """Errors that concern the dataset as a whole."""
    remarks: tuple[str, ...] = field(default=())
    """Remarks that concern the dataset as a whole."""

    @property
    def error_count(self) -> int:
        """Total number of errors in the dataset and its scenes."""
        return len(self.errors) + sum(len(scene.errors) for scene in self.scenes)

    def class_pixels(self, split: str) -> NDArray[np.int64]:
        """Return the number of labeled pixels of each class in a split."""
        return _sum_class_pixels(self.scenes, split, len(self.legend))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return (header, rows) as text: the fraction of each class in each split, and the fraction of unlabeled pixels."""
        splits = {
            split: [s for s in self.scenes if s.split == split] for split in dict.fromkeys(s.split for s in self.scenes)
        }
        header = ["class", *(f"{split} ({count(len(members), 'scene')})" for split, members in splits.items())]
        shares = [_format_shares(self.class_pixels(split)) for split in splits]
        rows = [[name, *column] for name, *column in zip(self.legend.names, *shares, strict=True)]
        return header, [*rows, ["(not labeled)", *(_format_unlabelled(members) for members in splits.values())]]


def _sum_class_pixels(scenes: Sequence[SceneLabelReport], split: str, classes: int) -> NDArray[np.int64]:
    total = np.zeros(classes, np.int64)
    for scene in scenes:
        if scene.split == split and scene.class_pixels:
            total += scene.class_pixels
    return total


def _format_shares(counts: NDArray[np.int64]) -> list[str]:
    return [f"{100 * number / counts.sum():.2f}%" if counts.any() else "-" for number in counts]


def _format_unlabelled(scenes: Sequence[SceneLabelReport]) -> str:
    shares = [scene.unlabelled_share for scene in scenes if scene.class_pixels]
    return f"{100 * sum(shares) / len(shares):.2f}%" if shares else "-"


def validate_labels(section: DataSection, *, progress: Progress = silent) -> LabelReport:
    """Read all image headers and all labels of a dataset, and report errors.

    Args:
        section: The data section of a recipe.
        progress: Progress bar; by default, none.

    Raises:
        ConfigError: If the data section is incomplete or has an invalid option.
        DataError: If the dataset cannot be found.
    """
    dataset, errors = _open_incomplete(section)
    members = [(split, scene) for split, scenes in dataset.splits.items() for scene in scenes]
    reports = []
    with progress(len(members), "checking scenes") as task:
        for split, scene in members:
            reports.append(_validate_scene(section, dataset, split, scene))
            task.advance(note=scene.name)
    errors += [*_find_missed_splits(dataset, reports), *_find_leaks(dataset)]
    notes = merge_notes(report.label_notes for report in reports)
    remarks = [*dataset.remarks, *notes, *_find_empty_classes(dataset, reports)]
    return LabelReport(dataset.legend, tuple(reports), tuple(errors), tuple(remarks))


def _open_incomplete(section: DataSection) -> tuple[Dataset, list[str]]:
    """Return the dataset. If files are missing, return the dataset without them, and the error."""
    try:
        return open_dataset(section), []
    except DataError as error:
        if section.options.get("complete") is False:
            raise
        try:
            return open_dataset(section.model_copy(update={"complete": False})), [error.message]
        except GeosegError:
            raise error from None


def _validate_scene(section: DataSection, dataset: Dataset, split: str, scene: LabelledScene) -> SceneLabelReport:
    try:
        with materialize(scene) as files:
            with Scene.open(files.image) as image:
                grid = image.grid
            if files.label is None:
                return SceneLabelReport(split, scene.name, grid.shape)
            with closing(LabelReader(files.label, grid, dataset.encoding)) as reader:
                counts = np.zeros(IGNORE_INDEX + 1, np.int64)
                for strip in strips(grid.height, grid.width, STRIP_ROWS):
                    counts += np.bincount(reader.read(strip).ravel(), minlength=len(counts))
    except GeosegError as error:
        return SceneLabelReport(split, scene.name, errors=(_format_error(error),))
    share, values = reader.unknown_share, reader.describe_unknown()
    unknown = (f"{scene.label}: {share:.2%} of the pixels are not in the legend: {values}",) if share else ()
    assumed = (f"{scene.label}: {describe_assumed(reader.assumed)}",) if reader.assumed else ()
    empty = () if counts[:IGNORE_INDEX].any() else (f"{scene.label}: no pixels are labeled",)
    is_error = share > section.unknown_share
    return SceneLabelReport(
        split,
        scene.name,
        grid.shape,
        class_pixels=tuple(int(number) for number in counts[: len(dataset.legend)]),
        unknown_share=share,
        touches=reader.touches,
        label_notes=reader.notes,
        errors=unknown if is_error else (),
        remarks=(() if is_error else unknown) + assumed + empty,
    )


def _format_error(error: GeosegError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _find_missed_splits(dataset: Dataset, reports: Sequence[SceneLabelReport]) -> Iterator[str]:
    """Yield an error for each split in which no label polygon covers a pixel."""
    for split, scenes in dataset.splits.items():
        own = [report for report in reports if report.split == split]
        if any(report.errors for report in own):
            continue  # these scenes were not read
        members = [(s, report.touches) for s, report in zip(scenes, own, strict=True) if s.label is not None]
        missed = find_missed_split(split, members, dataset.encoding)
        if missed is not None:
            yield _format_error(DataError(*missed))


def _find_empty_classes(dataset: Dataset, reports: Sequence[SceneLabelReport]) -> Iterator[str]:
    for split in dataset.splits:
        counts = _sum_class_pixels(reports, split, len(dataset.legend))
        empty = [name for name, number in zip(dataset.legend.names, counts, strict=True) if not number]
        if counts.any() and empty:
            yield f"no pixel in the split {split} is labeled {' or '.join(empty)}"


def _find_leaks(dataset: Dataset) -> Iterator[str]:
    """Find training images that are identical to an image in another split."""
    by_size: dict[int, list[tuple[str, LabelledScene]]] = defaultdict(list)
    for split, scenes in dataset.splits.items():
        for scene in (each for each in scenes if each.source is None):
            by_size[fingerprint(scene.image)[1]].append((split, scene))
    for members in by_size.values():
        if {"train"} < {split for split, _ in members}:
            yield from _find_equal_images(members)


def _find_equal_images(members: Sequence[tuple[str, LabelledScene]]) -> Iterator[str]:
    train = {_checksum(scene): scene.name for split, scene in members if split == "train"}
    for split, scene in members:
        training_name = train.get(_checksum(scene))
        if split != "train" and training_name is not None:
            yield f"{scene.name} in the split {split} is the same image as {training_name} in the split train"


def _checksum(scene: LabelledScene) -> int:
    """Return the CRC-32 of an image file; for a zip member, the one stored in the archive."""
    if is_zip_member(scene.image):
        return fingerprint(scene.image)[2]
    checksum = 0
    with scene.image.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum

"""Label lint: what is wrong with a dataset's files, found out without converting anything.

Errors are what training would be refused for, or should be: files that cannot be read, sizes that differ, undeclared
colours, the same image in two splits, missing files. Remarks are what may be meant so.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoseg.config.recipe import DataSection
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.in_memory import in_files
from geoseg.data.label_reader import LabelReader
from geoseg.data.preparation.convert_scene import STRIP_ROWS
from geoseg.data.preparation.prepare import open_dataset
from geoseg.errors import DataError, GeosegError
from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.progress import Progress, silent
from geoseg.raster.archive import is_packed, state
from geoseg.raster.scene import Scene


@dataclass(frozen=True)
class SceneCheck:
    """What was found in one scene's files."""

    split: str
    """The split it belongs to."""
    name: str
    """The scene's name."""
    shape: tuple[int, int] = (0, 0)
    """(height, width) of the image."""
    class_pixels: tuple[int, ...] = ()
    """Labelled pixels of each class; none without labels."""
    unknown_share: float = 0.0
    """Share of pixels with an undeclared colour or value."""
    errors: tuple[str, ...] = ()
    """What is wrong, one sentence each."""
    remarks: tuple[str, ...] = ()
    """What is odd, one sentence each."""

    @property
    def unlabelled_share(self) -> float:
        """Share of pixels without a class, undeclared ones included."""
        pixels = self.shape[0] * self.shape[1]
        return 1 - sum(self.class_pixels) / pixels if pixels else 0.0


@dataclass(frozen=True)
class Check:
    """What was found in a dataset."""

    legend: Legend
    """Its classes."""
    scenes: tuple[SceneCheck, ...]
    """One per scene, split by split."""
    errors: tuple[str, ...] = field(default=())
    """What is wrong with the dataset as a whole."""
    remarks: tuple[str, ...] = field(default=())
    """What is odd about it."""

    @property
    def error_count(self) -> int:
        """Errors of the dataset and of its scenes."""
        return len(self.errors) + sum(len(scene.errors) for scene in self.scenes)

    def class_pixels(self, split: str) -> NDArray[np.int64]:
        """Labelled pixels of each class in a split."""
        total = np.zeros(len(self.legend), np.int64)
        for scene in self.scenes:
            if scene.split == split and scene.class_pixels:
                total += scene.class_pixels
        return total

    def table(self) -> tuple[list[str], list[list[str]]]:
        """(header, rows) of text: the share of each class among the labelled pixels of each split, and what is not."""
        splits = {
            split: [s for s in self.scenes if s.split == split] for split in dict.fromkeys(s.split for s in self.scenes)
        }
        header = ["class", *(f"{split} ({len(members)} scenes)" for split, members in splits.items())]
        shares = [_shares(self.class_pixels(split)) for split in splits]
        rows = [[name, *column] for name, *column in zip(self.legend.names, *shares, strict=True)]
        return header, [*rows, ["(not labelled)", *(_mean_unlabelled(members) for members in splits.values())]]


def _shares(counts: NDArray[np.int64]) -> list[str]:
    return [f"{100 * count / counts.sum():.2f} %" if counts.any() else "-" for count in counts]


def _mean_unlabelled(scenes: Sequence[SceneCheck]) -> str:
    shares = [scene.unlabelled_share for scene in scenes if scene.class_pixels]
    return f"{100 * sum(shares) / len(shares):.2f} %" if shares else "-"


def check(section: DataSection, *, progress: Progress = silent) -> Check:
    """Reads every header and every label of a dataset; :class:`DataError` if it cannot even be found."""
    dataset, errors = _opened(section)
    members = [(split, scene) for split, scenes in dataset.splits.items() for scene in scenes]
    checked = []
    with progress(len(members), "checking scenes") as task:
        for split, scene in members:
            checked.append(_checked(section, dataset, split, scene))
            task.advance(note=scene.name)
    whole = Check(dataset.legend, tuple(checked))
    remarks = [*dataset.remarks, *_empty_classes(whole, dataset)]
    return Check(dataset.legend, tuple(checked), (*errors, *_twins(dataset)), tuple(remarks))


def _opened(section: DataSection) -> tuple[Dataset, list[str]]:
    """The dataset; if files are missing, what is there of it, and the error."""
    try:
        return open_dataset(section), []
    except DataError as error:
        if section.options.get("complete") is False:
            raise
        try:
            return open_dataset(section.model_copy(update={"complete": False})), [error.message]
        except GeosegError:
            raise error from None


def _checked(section: DataSection, dataset: Dataset, split: str, scene: LabelledScene) -> SceneCheck:
    try:
        with in_files(scene) as files:
            with Scene.open(files.image) as opened:
                grid = opened.grid
            if files.label is None:
                return SceneCheck(split, scene.name, grid.shape)
            with closing(LabelReader(files.label, grid, dataset.encoding)) as reader:
                counts = np.zeros(IGNORE_INDEX + 1, np.int64)
                for strip in strips(grid.height, grid.width, STRIP_ROWS):
                    counts += np.bincount(reader.read(strip).ravel(), minlength=len(counts))
    except GeosegError as error:
        return SceneCheck(split, scene.name, errors=(error.message,))
    share, text = reader.unknown_share(), reader.unknown_text()
    found = (f"{scene.label}: {share:.2%} of the pixels are not in the legend: {text}",) if share else ()
    refused = share > section.unknown_share
    empty = () if counts[:IGNORE_INDEX].any() else (f"{scene.label}: nothing is labelled",)
    classes = tuple(int(count) for count in counts[: len(dataset.legend)])
    return SceneCheck(
        split, scene.name, grid.shape, classes, share, found if refused else (), (() if refused else found) + empty
    )


def _empty_classes(whole: Check, dataset: Dataset) -> Iterator[str]:
    for split in dataset.splits:
        counts = whole.class_pixels(split)
        empty = [name for name, count in zip(dataset.legend.names, counts, strict=True) if not count]
        if counts.any() and empty:
            yield f"no pixel of the split {split} is labelled {' or '.join(empty)}"


def _twins(dataset: Dataset) -> Iterator[str]:
    """Images of the training split that another split has too, under another name: the same bytes."""
    by_size: dict[int, list[tuple[str, LabelledScene]]] = defaultdict(list)
    for split, scenes in dataset.splits.items():
        for scene in (each for each in scenes if each.source is None):
            by_size[state(scene.image)[1]].append((split, scene))
    for alike in by_size.values():
        if {"train"} < {split for split, _ in alike}:
            yield from _same_bytes(alike)


def _same_bytes(members: Sequence[tuple[str, LabelledScene]]) -> Iterator[str]:
    train = {_checksum(scene): scene.name for split, scene in members if split == "train"}
    for split, scene in members:
        twin = train.get(_checksum(scene))
        if split != "train" and twin is not None:
            yield f"{scene.name} of the split {split} is the same image as {twin} of the split train"


def _checksum(scene: LabelledScene) -> int:
    """CRC-32 of an image file: what zips hold anyway."""
    if is_packed(scene.image):
        return state(scene.image)[2]
    checksum = 0
    with scene.image.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum

"""Pictures taken while scenes are judged: maps of whole scenes, and the crops with the most and the fewest mistakes.

What memory holds is what will be shown: a new scene's pictures are drawn only if they push others out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoseg.evaluation.accumulate_counts import Reader
from geoseg.evaluation.result import Seen
from geoseg.grid.patches import plain_starts
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.metrics.scores import summary
from geoseg.plotting.images import Picture, error_map, shown_bands, stretch

CROP = 256
"""Side of a shown crop, pixels of the scene."""
CROPS = 8
"""So many crops of either kind are shown …"""
PER_SCENE = 2
"""… and so many of them of one scene."""
MAPS = 12
"""So many scenes are shown as maps, those with the most mistakes."""
MAP_SIDE = 1200
"""Longest side of a map, pixels."""
LABELLED = 0.5
"""A crop is shown if at least so much of it is labelled."""
SMALLEST = 0.03
"""A class that covers less of a crop makes it no more worth seeing."""

Cell = tuple[Window, float]
"""A window and the share of its labelled pixels that is wrong."""

Layers = Mapping[str, Picture]
"""Pictures of the same ground by what they show: image, reference, prediction, errors."""


@dataclass(frozen=True)
class ShownCrop:
    """A crop worth seeing."""

    scene: str
    """The scene's name."""
    window: Window
    """Where it lies, pixels of the scene."""
    wrong: float
    """Share of its labelled pixels that are wrong."""
    mistake: str
    """Its most frequent mistake in words; empty if there is none."""
    layers: Layers
    """How it looks."""


@dataclass(frozen=True)
class ShownScene:
    """A whole scene."""

    name: str
    """The scene's."""
    mean_iou: float
    """Over its classes."""
    wrong: float
    """Share of its labelled pixels that are wrong."""
    layers: Layers
    """How it looks."""


@dataclass
class Album:
    """What is to be shown of one evaluation; give it as ``watch``."""

    worst: list[ShownCrop] = field(default_factory=list)
    """Most mistakes first."""
    best: list[ShownCrop] = field(default_factory=list)
    """Fewest mistakes first, of crops with more than one class."""
    scenes: list[ShownScene] = field(default_factory=list)
    """Most mistakes first."""

    def __call__(self, seen: Seen) -> None:
        """Takes the pictures of a scene that are worth it."""
        self._take_map(seen)
        cells = sorted(_cells(seen), key=lambda cell: cell[1])
        for window, wrong in _apart(cells[::-1]):
            if wrong > 0 and (len(self.worst) < CROPS or wrong > self.worst[-1].wrong):
                self.worst = sorted([*self.worst, _crop(seen, window, wrong)], key=lambda c: -c.wrong)[:CROPS]
        for window, wrong in _apart(cell for cell in cells if _is_varied(seen, cell[0])):
            if len(self.best) < CROPS or wrong < self.best[-1].wrong:
                self.best = sorted([*self.best, _crop(seen, window, wrong)], key=lambda c: c.wrong)[:CROPS]

    def _take_map(self, seen: Seen) -> None:
        counts = next(iter(seen.tally.counts.values()), None)
        if counts is None or not counts.in_reference.any():
            return
        scores = summary(counts)
        wrong = 1 - scores["overall_accuracy"]
        if len(self.scenes) == MAPS and wrong <= self.scenes[-1].wrong:
            return
        height, width = seen.judged.shape
        factor = min(1.0, MAP_SIDE / max(height, width))
        shape = max(round(height * factor), 1), max(round(width * factor), 1)
        layers = _layers(seen, Window(0, 0, height, width), shape)
        shown = ShownScene(seen.judged.name, scores["mean_iou"], wrong, layers)
        self.scenes = sorted([*self.scenes, shown], key=lambda s: -s.wrong)[:MAPS]


def _apart(cells: Iterable[Cell]) -> list[Cell]:
    """The first cells that do not overlap."""
    found: list[Cell] = []
    for cell in cells:
        if all(cell[0].intersection(other).is_empty for other, _ in found):
            found.append(cell)
        if len(found) == PER_SCENE:
            break
    return found


def _cells(seen: Seen) -> Iterator[Cell]:
    """Windows of a regular grid with the share of their labelled pixels that is wrong; those with few labels left out."""
    height, width = seen.judged.shape
    size = min(CROP, height), min(CROP, width)
    for row in plain_starts(height, size[0], size[0]):
        strip = Window(row, 0, size[0], width)
        predicted, reference = seen.judged.predicted(strip), seen.judged.reference(strip)
        known = reference != IGNORE_INDEX
        wrong = (known & (predicted != reference)).sum(axis=0)
        for col in plain_starts(width, size[1], size[1]):
            cols = slice(col, col + size[1])
            labelled = int(known[:, cols].sum())
            if labelled >= LABELLED * size[0] * size[1]:
                yield Window(row, col, *size), int(wrong[cols].sum()) / labelled


def _is_varied(seen: Seen, window: Window) -> bool:
    """True if the reference shows more than one class there, none of them a speck."""
    reference = seen.judged.reference(window)
    pixels = np.bincount(reference[reference != IGNORE_INDEX].ravel(), minlength=2)
    return int((pixels >= SMALLEST * reference.size).sum()) > 1


def _crop(seen: Seen, window: Window, wrong: float) -> ShownCrop:
    predicted, reference = seen.judged.predicted(window), seen.judged.reference(window)
    layers = _layers(seen, window, window.shape)
    return ShownCrop(seen.judged.name, window, wrong, _mistake(predicted, reference, seen.legend), layers)


def _mistake(predicted: NDArray[np.uint8], reference: NDArray[np.uint8], legend: Legend) -> str:
    """The pair of classes that is most often taken for each other here."""
    wrong = (reference != IGNORE_INDEX) & (predicted != reference)
    if not wrong.any():
        return ""
    codes = reference[wrong].astype(np.int64) * 256 + predicted[wrong]
    pairs = np.bincount(codes)
    right, taken = divmod(int(pairs.argmax()), 256)
    known = (reference != IGNORE_INDEX).sum()
    what = "not predicted" if taken == IGNORE_INDEX else f"taken for {legend.names[taken]}"
    return f"{100 * pairs.max() / known:.1f} % is {legend.names[right]} {what}"


def _layers(seen: Seen, window: Window, shape: tuple[int, int]) -> Layers:
    """The pictures of a window in so many rows and columns."""
    predicted, reference = (_reduced(r, window, shape) for r in (seen.judged.predicted, seen.judged.reference))
    image = _image(seen, window, shape)
    base = np.full((*shape, 3), 235, np.uint8) if image is None else image
    found = {} if image is None else {"image": image}
    return {
        **found,
        "reference": seen.legend.draw(reference),
        "prediction": seen.legend.draw(predicted),
        "errors": error_map(base, predicted, reference),
    }


def _image(seen: Seen, window: Window, shape: tuple[int, int]) -> Picture | None:
    if seen.image is None:
        return None
    bands = shown_bands(seen.bands or seen.image.bands)
    chosen = [band for band in bands if band < len(seen.image.bands)] or [0]
    return stretch(seen.image.read(window, chosen, shape=shape))


def _reduced(reader: Reader, window: Window, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels nearest to those of a smaller raster over the same ground; read in strips."""
    if shape == window.shape:
        return reader(window)
    rows, cols = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(shape, window.shape, strict=True)
    )
    found = np.empty(shape, np.uint8)
    for strip in strips(*window.shape, 4 * CROP):
        mine = (rows >= strip.row) & (rows < strip.row_stop)
        if mine.any():
            found[mine] = reader(strip.shift(window.row, window.col))[rows[mine] - strip.row][:, cols]
    return found

"""Collect the images of a report while scenes are evaluated: maps, and the crops with the most and the fewest errors.

Only the images that the report shows are kept in memory. Images of a new scene are drawn only if there is room for them
or they replace others.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoseg.evaluation.accumulate_counts import WindowReader
from geoseg.evaluation.result import SceneContext
from geoseg.grid.patch_positions import plain_starts
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.metrics.scores import summarize_scores
from geoseg.plotting.images import ErrorColours, error_map
from geoseg.raster.display import RgbImage, choose_rgb_bands, render_rgb
from geoseg.raster.resampling_indices import nearest_indices

CROP_SIZE = 256
"""Side length of a crop in scene pixels."""
MAX_CROPS = 8
"""Maximum number of crops of each kind (most and fewest errors)."""
MAX_CROPS_PER_SCENE = 2
"""Maximum number of crops of each kind from one scene."""
MAX_MAPS = 12
"""Maximum number of scenes shown as maps; those with the most errors are selected."""
MAP_SIZE = 1200
"""Maximum side length of a map in pixels."""
MIN_LABELLED_SHARE = 0.5
"""Crops with a smaller fraction of labeled pixels are not shown."""
MIN_CLASS_SHARE = 0.03
"""Classes that cover a smaller fraction of a crop are ignored when deciding whether it shows more than one class."""

ScoredWindow = tuple[Window, float]
"""A window and the fraction of its labeled pixels that are wrong."""

Layers = Mapping[str, RgbImage]
"""Images of the same area, keyed by what they show: image, reference, prediction and errors."""


@dataclass(frozen=True)
class GalleryCrop:
    """A crop in the report."""

    scene: str
    """Name of the scene."""
    window: Window
    """Position in the scene in pixels."""
    wrong: float
    """Fraction of its labeled pixels that are wrong."""
    mistake: str
    """Description of its most frequent error; empty if there are no errors."""
    layers: Layers
    """The images to show."""


@dataclass(frozen=True)
class GalleryMap:
    """A whole scene in the report."""

    name: str
    """Name of the scene."""
    mean_iou: float
    """Mean IoU over its classes."""
    wrong: float
    """Fraction of its labeled pixels that are wrong."""
    layers: Layers
    """The images to show."""


@dataclass
class Gallery:
    """The images of one evaluation, collected by passing the gallery as ``on_scene``."""

    worst: list[GalleryCrop] = field(default_factory=list)
    """Crops with the most errors, in descending order."""
    best: list[GalleryCrop] = field(default_factory=list)
    """Crops with the fewest errors among those with more than one class, in ascending order."""
    scenes: list[GalleryMap] = field(default_factory=list)
    """Scenes with the most errors, in descending order."""

    def __call__(self, context: SceneContext) -> None:
        """Add the images of a scene that belong in the report."""
        self._add_map(context)
        windows = sorted(_score_windows(context), key=lambda scored: scored[1])
        for window, wrong in _without_overlap(windows[::-1]):
            if wrong > 0 and (len(self.worst) < MAX_CROPS or wrong > self.worst[-1].wrong):
                crops = [*self.worst, _draw_crop(context, window, wrong)]
                self.worst = sorted(crops, key=lambda crop: -crop.wrong)[:MAX_CROPS]
        for window, wrong in _without_overlap(scored for scored in windows if _is_varied(context, scored[0])):
            if len(self.best) < MAX_CROPS or wrong < self.best[-1].wrong:
                crops = [*self.best, _draw_crop(context, window, wrong)]
                self.best = sorted(crops, key=lambda crop: crop.wrong)[:MAX_CROPS]

    def _add_map(self, context: SceneContext) -> None:
        counts = next(iter(context.counts.by_protocol.values()), None)
        if counts is None or not counts.in_reference.any():
            return
        scores = summarize_scores(counts)
        wrong = 1 - scores["overall_accuracy"]
        if len(self.scenes) == MAX_MAPS and wrong <= self.scenes[-1].wrong:
            return
        height, width = context.pair.shape
        factor = min(1.0, MAP_SIZE / max(height, width))
        shape = max(round(height * factor), 1), max(round(width * factor), 1)
        layers = _draw_layers(context, Window(0, 0, height, width), shape)
        maps = [*self.scenes, GalleryMap(context.pair.name, scores["mean_iou"], wrong, layers)]
        self.scenes = sorted(maps, key=lambda scene: -scene.wrong)[:MAX_MAPS]


def _without_overlap(windows: Iterable[ScoredWindow]) -> list[ScoredWindow]:
    """Return the first windows that do not overlap each other, up to :data:`MAX_CROPS_PER_SCENE`."""
    kept: list[ScoredWindow] = []
    for scored in windows:
        if all(scored[0].intersection(other).is_empty for other, _ in kept):
            kept.append(scored)
        if len(kept) == MAX_CROPS_PER_SCENE:
            break
    return kept


def _score_windows(context: SceneContext) -> Iterator[ScoredWindow]:
    """Yield the windows of a regular grid that have enough labeled pixels, with the fraction of wrong pixels."""
    height, width = context.pair.shape
    size = min(CROP_SIZE, height), min(CROP_SIZE, width)
    for row in plain_starts(height, size[0], size[0]):
        strip = Window(row, 0, size[0], width)
        predicted, reference = context.pair.predicted(strip), context.pair.reference(strip)
        known = reference != IGNORE_INDEX
        wrong = (known & (predicted != reference)).sum(axis=0)
        for col in plain_starts(width, size[1], size[1]):
            cols = slice(col, col + size[1])
            labelled = int(known[:, cols].sum())
            if labelled >= MIN_LABELLED_SHARE * size[0] * size[1]:
                yield Window(row, col, *size), int(wrong[cols].sum()) / labelled


def _is_varied(context: SceneContext, window: Window) -> bool:
    """Return True if more than one class covers a sufficient fraction of the window."""
    reference = context.pair.reference(window)
    pixels = np.bincount(reference[reference != IGNORE_INDEX].ravel(), minlength=2)
    return int((pixels >= MIN_CLASS_SHARE * reference.size).sum()) > 1


def _draw_crop(context: SceneContext, window: Window, wrong: float) -> GalleryCrop:
    predicted, reference = context.pair.predicted(window), context.pair.reference(window)
    mistake = _describe_mistake(predicted, reference, context.legend)
    return GalleryCrop(context.pair.name, window, wrong, mistake, _draw_layers(context, window, window.shape))


def _describe_mistake(predicted: NDArray[np.uint8], reference: NDArray[np.uint8], legend: Legend) -> str:
    """Describe the most frequent confusion between two classes."""
    wrong = (reference != IGNORE_INDEX) & (predicted != reference)
    if not wrong.any():
        return ""
    codes = reference[wrong].astype(np.int64) * 256 + predicted[wrong]
    pixels = np.bincount(codes)
    reference_class, predicted_class = divmod(int(pixels.argmax()), 256)
    known = (reference != IGNORE_INDEX).sum()
    error = "not predicted" if predicted_class == IGNORE_INDEX else f"predicted as {legend.names[predicted_class]}"
    return f"{legend.names[reference_class]} {error} ({100 * pixels.max() / known:.1f}%)"


def _draw_layers(context: SceneContext, window: Window, shape: tuple[int, int]) -> Layers:
    """Draw the images of a window at a size of ``shape`` (rows, cols)."""
    predicted = _read_reduced(context.pair.predicted, window, shape)
    reference = _read_reduced(context.pair.reference, window, shape)
    image = _draw_image(context, window, shape)
    base = np.full((*shape, 3), 235, np.uint8) if image is None else image
    return {
        **({} if image is None else {"image": image}),
        "reference": context.legend.draw(reference),
        "prediction": context.legend.draw(predicted),
        "errors": error_map(base, predicted, reference, ErrorColours.for_legend(context.legend)),
    }


def _draw_image(context: SceneContext, window: Window, shape: tuple[int, int]) -> RgbImage | None:
    if context.image is None:
        return None
    bands = choose_rgb_bands(context.bands or context.image.bands)
    available = [band for band in bands if band < len(context.image.bands)] or [0]
    return render_rgb(context.image.read(window, available, shape=shape))


def _read_reduced(reader: WindowReader, window: Window, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a window at a reduced size with nearest-neighbor resampling, strip by strip."""
    if shape == window.shape:
        return reader(window)
    rows, cols = (nearest_indices(old, new) for new, old in zip(shape, window.shape, strict=True))
    reduced = np.empty(shape, np.uint8)
    for strip in strips(*window.shape, 4 * CROP_SIZE):
        in_strip = (rows >= strip.row) & (rows < strip.row_stop)
        if in_strip.any():
            pixels = reader(strip.shift(window.row, window.col))
            reduced[in_strip] = pixels[rows[in_strip] - strip.row][:, cols]
    return reduced

"""Sliding-window prediction of a scene: one stream of logits per variant, and their mean, as strips of the mask.

mmsegmentation slides windows over each variant of the full image and resizes the logits to the size of the image. Here,
every variant is a stream that reads its windows, averages their logits (averaged_windows.py) and yields them row by row;
the streams advance together, one strip of the mask at a time. An image is never completely in memory, at any scale. The
memory required is that of one row of windows per variant, 4 x classes x tile x width bytes times the sum of the scales
(1 without augmentation, 2 for ``flip``, 8 for ``d4``, 13.5 for ``ms+flip``), plus about three times as much for
intermediate results. With 7 classes, 512-pixel tiles and a scene width of 6,000 pixels, measured memory use is 0.6 GB
without augmentation and 4.3 GB for ``ms+flip``.

If the scene and the model have the same GSD, the computation is the same as in mmsegmentation. Otherwise, windows are
planned on the scene's grid, like tiles: the tile size and stride are converted to scene pixels, each window is
resampled to the model's GSD while it is read, and its logits are resampled back before they are averaged. Scales other
than 1 require that the GSDs are the same, because pixels would otherwise be resampled twice.
"""

import contextlib
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from geoseg._concurrency import BATCHES_AHEAD, prefetch
from geoseg.grid.tiling import Tile, strips
from geoseg.grid.window import Window
from geoseg.inference.compatibility import InputPlan
from geoseg.inference.prediction_area import PredictionArea
from geoseg.inference.resize import (
    InterpolationTaps,
    image_taps,
    logit_taps,
    resize_image,
    resize_logits,
    scale_shape,
)
from geoseg.inference.sliding.averaged_windows import WindowGrid, averaged_logits
from geoseg.inference.sliding.check_sliding import check_sliding, default_stride
from geoseg.inference.tile_pipeline import ScoreStrip, TileInput, TileRunner, read_tile
from geoseg.inference.tta import TTA, TtaVariant, mean_probabilities
from geoseg.model_card import ModelCard
from geoseg.raster.scene import Scene

STRIP_ROWS = 64
"""Number of rows in a strip of the mask."""

SCALED_READ_MARGIN = 2
"""Number of additional scene pixels to read around a scaled window, because its resized logits may extend to them."""

StripScores = tuple[Window, Float[Tensor, "class row col"]]
"""Position in the mask, and the mean probabilities there, or the mean logits if there is a single variant."""


@dataclass(frozen=True)
class VariantWindows:
    """One variant of a scene, and the windows over it."""

    scene: Scene
    """The scene to read from."""
    plan: InputPlan
    """How the pixels are read; its tile size is the side length of a window."""
    area: PredictionArea
    """Area that the mask covers."""
    card: ModelCard
    """The model card: fill values for nodata, and how the network resizes."""
    stride: int
    """Distance between windows in pixels at the model's GSD."""
    variant: TtaVariant
    """Scale and flips of the image over which the windows slide."""

    @cached_property
    def image(self) -> tuple[int, int]:
        """(height, width) of the scene at the variant's scale."""
        return scale_shape(*self.scene.grid.shape, self.variant.scale)

    @cached_property
    def taps(self) -> tuple[InterpolationTaps, InterpolationTaps]:
        """Taps along both axes that resize the logits of the image to the pixels of the mask."""
        (height, width), target, align = self.scene.grid.shape, self.area.window, self.card.model.align_corners
        return (
            logit_taps(target.row, target.row_stop, output=height, size=self.image[0], align_corners=align),
            logit_taps(target.col, target.col_stop, output=width, size=self.image[1], align_corners=align),
        )

    @cached_property
    def windows(self) -> WindowGrid:
        """The windows, in the image's pixels."""
        row_taps, col_taps = self.taps
        part = Window(row_taps.first, col_taps.first, row_taps.count, col_taps.count)
        down, across = (min(max(round(self.stride * side / self.plan.tile), 1), side) for side in self.plan.scene_tile)
        return WindowGrid(self.image, part, self.plan.scene_tile, (down, across), self.variant)

    def read(self, tile: Tile) -> TileInput:
        """Read the network's input for a window; there is none if the window contains no valid, requested pixels."""
        if self.variant.scale == 1:
            return read_tile(self.scene, self.plan, tile) if self._is_requested(tile.view) else _empty_input(tile)
        (height, width), (rows, cols), view = self.scene.grid.shape, self.image, tile.view
        row_taps = image_taps(view.row, view.row_stop, output=rows, size=height)
        col_taps = image_taps(view.col, view.col_stop, output=cols, size=width)
        source = Window(row_taps.first, col_taps.first, row_taps.count, col_taps.count)
        source = source.pad(SCALED_READ_MARGIN).clip_to(height, width)
        raster = self.scene.read(source, self.plan.bands) if self._is_requested(source) else None
        if raster is None or not raster.valid.any():
            return _empty_input(tile)
        taps = row_taps.relative_to(source.row), col_taps.relative_to(source.col)
        resized = resize_image(raster, *taps, fill=np.array(self.card.mean))
        return TileInput(tile, resized, resized.valid)

    def _is_requested(self, source: Window) -> bool:
        inside = self.area.inside
        return inside is None or bool(inside(self.scene.grid.crop(source)).any())

    def strip_logits(self, runner: TileRunner, inputs: Iterator[TileInput]) -> Iterator[Float[Tensor, "class _ _"]]:
        """Predict the logits of each strip of the mask."""
        forward = partial(runner.predictor.logits, variant=self.variant)
        predictions = runner.run(inputs, forward, group=lambda tile: tile.view.row)
        classes, device = len(runner.predictor.card.legend), runner.predictor.device
        return self._resize_rows(averaged_logits(predictions, self.windows, classes=classes, device=device))

    def _resize_rows(self, rows: Iterator[Float[Tensor, "class _ _"]]) -> Iterator[Float[Tensor, "class _ _"]]:
        """Resize the logits of the image, which arrive in blocks of any number of rows, to strips of the mask."""
        row_taps, col_taps = self.taps
        col_taps = col_taps.relative_to(self.windows.extent.col)
        held, first = next(rows), self.windows.extent.row
        for strip in strips(*self.area.window.shape, STRIP_ROWS):
            needed = row_taps.part(strip.row, strip.row_stop)
            while first + held.shape[1] < needed.first + needed.count:
                unused = min(max(needed.first - first, 0), held.shape[1])
                held, first = torch.cat([held[:, unused:], next(rows)], dim=1), first + unused
            yield resize_logits(held, needed.relative_to(first), col_taps)


@dataclass(frozen=True)
class SlidingWindow:
    """Sliding-window prediction of an area of a scene, made by :func:`make_sliding_window`.

    It is a :class:`~geoseg.inference.tiling_strategy.TilingStrategy`.
    """

    variants: tuple[VariantWindows, ...]
    """The variants of the scene, at least one."""

    @property
    def tiles(self) -> int:
        """Number of windows to predict, over all variants."""
        return sum(each.windows.count for each in self.variants)

    @property
    def edges(self) -> tuple[list[int], list[int]]:
        """Rows and columns of the mask at which windows of the first variant begin or end."""
        windows, target = self.variants[0].windows, self.variants[0].area.window
        (height, width), scale = windows.window_shape, self.variants[0].variant.scale
        rows = sorted({round(each / scale) - target.row for row in windows.rows for each in (row, row + height)})
        cols = sorted({round(each / scale) - target.col for col in windows.cols for each in (col, col + width)})
        return [row for row in rows if 0 < row < target.height], [col for col in cols if 0 < col < target.width]

    @property
    def held_bytes(self) -> int:
        """Bytes of memory for one row of windows per variant, plus three times as much for intermediate results."""
        classes = len(self.variants[0].card.legend)
        pixels = sum(each.windows.window_shape[0] * each.windows.extent.width for each in self.variants)
        return 4 * 4 * classes * pixels

    def part(self, rows: Window) -> "SlidingWindow":
        """Restrict the prediction to some rows of the mask; windows stay in the same batches."""
        return SlidingWindow(tuple(replace(each, area=each.area.part(rows)) for each in self.variants))

    def probabilities(self, scores: Float[Tensor, "class row col"]) -> Float[Tensor, "class row col"]:
        """Convert the scores of a strip, which are logits if there is a single variant, to probabilities."""
        return scores.softmax(dim=0) if len(self.variants) == 1 else scores

    def strips(self, runner: TileRunner) -> Generator[ScoreStrip, None, None]:
        """Predict strips of the mask from top to bottom, positioned relative to the area's first pixel."""
        scene, area, bands = self.variants[0].scene, self.variants[0].area, self.variants[0].plan.bands
        with contextlib.closing(self.scores(runner)) as scores:
            for strip, values in scores:
                source = strip.shift(area.window.row, area.window.col)
                # A second read, because validity cannot be derived from a rescaled window.
                valid = scene.read(source, bands).valid
                if area.inside is not None:
                    valid &= area.inside(scene.grid.crop(source))
                yield ScoreStrip(strip, values, valid)

    def scores(self, runner: TileRunner) -> Generator[StripScores, None, None]:
        """Predict the scores of the strips, regardless of validity."""
        threads = max(min(4, os.cpu_count() or 1) // len(self.variants), 1)
        with contextlib.ExitStack() as stack:
            streams = []
            for each in self.variants:
                windows, ahead = each.windows.tiles(), BATCHES_AHEAD * runner.batch
                inputs = stack.enter_context(prefetch(each.read, windows, threads=threads, ahead=ahead))
                streams.append(each.strip_logits(runner, inputs))
            for strip in strips(*self.variants[0].area.window.shape, STRIP_ROWS):
                yield strip, mean_probabilities((next(stream) for stream in streams), len(streams))


def make_sliding_window(
    scene: Scene, plan: InputPlan, area: PredictionArea, card: ModelCard, *, stride: int | None, tta: str
) -> SlidingWindow:
    """Plan sliding-window prediction.

    Args:
        scene: The scene.
        plan: How its pixels are read.
        area: The area that the mask covers.
        card: The model card.
        stride: Stride of the windows in pixels at the model's GSD; None for two thirds of a tile.
        tta: A name in :data:`~geoseg.inference.tta.TTA`.

    Raises:
        ConfigError: If windows with this stride would leave gaps.
        BundleError: If the scene and the model have different GSDs, and ``tta`` uses several scales.
    """
    check_sliding(plan, stride=stride, tta=tta)
    stride = default_stride(plan.tile) if stride is None else stride
    return SlidingWindow(tuple(VariantWindows(scene, plan, area, card, stride, variant) for variant in TTA[tta]))


def _empty_input(tile: Tile) -> TileInput:
    return TileInput(tile, None, np.zeros(tile.view.shape, np.bool_))

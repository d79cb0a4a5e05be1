"""From a scene to strips of its mask by slide inference: a stream of logits per variant, and their mean.

mmsegmentation slides over each variant of the image and brings the logits to the image's own size. Here every variant is a
stream that reads its windows, sums up their logits (inference/slide.py) and gives them away row by row; the streams are
drawn along together, a strip of the mask at a time. So no image is ever whole in memory, at no scale: what is held are the
sums of one row of windows per variant, 4 x class x tile x width bytes times the sum of the scales (1 without augmentation,
2 for ``flip``, 8 for ``d4``, 13.5 for ``ms+flip``), and about three times as much on the way through. Measured with 7
classes and tiles of 512 on a scene 6000 wide: 0.6 GB without augmentation, 4.3 GB for ``ms+flip``.

Where scene and model have the same GSD, this is mmsegmentation's computation on the scene. Otherwise windows are planned on
the scene's grid, as tiles are: tile and stride are brought to the scene's pixels, each window is resampled to the model's
while it is read, and its logits back before they are summed. Scales need equal GSDs, else pixels would be resampled twice.
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

from geoseg._concurrency import BATCHES_AHEAD, reading_ahead
from geoseg.bundle import ModelCard
from geoseg.errors import BundleError
from geoseg.grid.tiling import Tile, strips
from geoseg.grid.window import Window
from geoseg.inference.compatibility import Plan
from geoseg.inference.prediction_area import Area
from geoseg.inference.predictor import Predictor
from geoseg.inference.resize import Taps, interpolated, logit_taps, pixel_taps, scaled, scaled_shape
from geoseg.inference.sliding.averaged_windows import Windows, averaged_logits, check_stride, usual_stride
from geoseg.inference.tiled.tile_pipeline import Counted, predict_pieces, read_tile
from geoseg.inference.tiles import Reading, Strip
from geoseg.inference.tta import mean_probabilities
from geoseg.inference.tta_variants import TTA, Variant
from geoseg.raster.scene import Scene

ROWS = 64
"""Rows of a strip of the mask."""

NEAR = 2
"""How many pixels of the scene around a scaled window its logits may reach when they are resized."""

Scores = tuple[Window, Float[Tensor, "class row col"]]
"""Where in the mask, and mean probabilities there; of one variant alone, its mean logits."""


@dataclass(frozen=True)
class Slide:
    """One variant of a scene and the windows over it."""

    scene: Scene
    """Where pixels come from."""
    plan: Plan
    """How they are read; its tile is the side of a window."""
    area: Area
    """What the mask covers."""
    card: ModelCard
    """The model's: which colour stands for no data, and how the network resizes."""
    stride: int
    """From one window to the next; pixels as the network sees them."""
    variant: Variant
    """What the windows slide over."""

    @cached_property
    def image(self) -> tuple[int, int]:
        """Rows and columns of what is slid over: the scene at the variant's scale."""
        return scaled_shape(*self.scene.grid.shape, self.variant.scale)

    @cached_property
    def taps(self) -> tuple[Taps, Taps]:
        """Between which of the image's rows, and columns, the logits of the mask's pixels lie."""
        (height, width), target, align = self.scene.grid.shape, self.area.window, self.card.model.align_corners
        return (
            logit_taps(target.row, target.row_stop, output=height, size=self.image[0], align_corners=align),
            logit_taps(target.col, target.col_stop, output=width, size=self.image[1], align_corners=align),
        )

    @cached_property
    def windows(self) -> Windows:
        """The windows, in the image's pixels."""
        (down, across), size = self.taps, self.plan.scene_tile
        part = Window(down.first, across.first, down.count, across.count)
        stride = min(max(round(self.stride * size / self.plan.tile), 1), size)
        return Windows(self.image, part, size, stride, self.variant)

    def read(self, tile: Tile) -> Reading:
        """What the network sees of a window. Windows that no usable and wanted pixel hears are not shown to it."""
        if self.variant.scale == 1:
            return read_tile(self.scene, self.plan, tile) if self._is_wanted(tile.view) else _unseen(tile)
        (height, width), (rows, cols), view = self.scene.grid.shape, self.image, tile.view
        down = pixel_taps(view.row, view.row_stop, output=rows, size=height)
        across = pixel_taps(view.col, view.col_stop, output=cols, size=width)
        source = Window(down.first, across.first, down.count, across.count).pad(NEAR).clip_to(height, width)
        raster = self.scene.read(source, self.plan.bands) if self._is_wanted(source) else None
        if raster is None or not raster.valid.any():
            return _unseen(tile)
        places = down.from_pixel(source.row), across.from_pixel(source.col)
        seen = scaled(raster, *places, fill=np.array(self.card.mean))
        return Reading(tile, seen, seen.valid)

    def _is_wanted(self, source: Window) -> bool:
        inside = self.area.inside
        return inside is None or bool(inside(self.scene.grid.crop(source)).any())

    def resized(self, rows: Iterator[Float[Tensor, "class _ _"]]) -> Iterator[Float[Tensor, "class _ _"]]:
        """The logits of the mask's strips, out of those of the image's rows, which come in any number at a time."""
        down, across = self.taps
        across = across.from_pixel(self.windows.extent.col)
        held, first = next(rows), self.windows.extent.row
        for strip in strips(*self.area.window.shape, ROWS):
            needed = down.part(strip.row, strip.row_stop)
            while first + held.shape[1] < needed.first + needed.count:
                over = min(max(needed.first - first, 0), held.shape[1])
                held, first = torch.cat([held[:, over:], next(rows)], dim=1), first + over
            yield interpolated(held, needed.from_pixel(first), across)


@dataclass(frozen=True)
class Sliding:
    """Slide inference over an area of a scene; made by :func:`slide_over`."""

    slides: tuple[Slide, ...]
    """One for each variant of the scene, at least one."""

    @property
    def tiles(self) -> int:
        """How many windows there are to predict, over all variants."""
        return sum(slide.windows.count for slide in self.slides)

    @property
    def edges(self) -> tuple[list[int], list[int]]:
        """Rows and columns of the mask at which windows begin or end; those of the first variant."""
        windows, target = self.slides[0].windows, self.slides[0].area.window
        (height, width), scale = windows.window, self.slides[0].variant.scale
        rows = sorted({round(each / scale) - target.row for row in windows.rows for each in (row, row + height)})
        cols = sorted({round(each / scale) - target.col for col in windows.cols for each in (col, col + width)})
        return [row for row in rows if 0 < row < target.height], [col for col in cols if 0 < col < target.width]

    @property
    def held_bytes(self) -> int:
        """The sums of a row of windows for each variant, and three times that on the way through, as measured."""
        classes = len(self.slides[0].card.legend)
        sums = sum(slide.windows.window[0] * slide.windows.extent.width for slide in self.slides)
        return 4 * 4 * classes * sums

    @property
    def tags(self) -> dict[str, str]:
        """What the mask says of how it was made."""
        return {"GEOSEG_MODE": "slide", "GEOSEG_STRIDE": str(self.slides[0].stride)}

    def part(self, rows: Window) -> "Sliding":
        """The same for some rows of the mask; it shows the network its windows in the same batches."""
        return Sliding(tuple(replace(slide, area=slide.area.part(rows)) for slide in self.slides))

    def probabilities(self, scores: Float[Tensor, "class row col"]) -> Float[Tensor, "class row col"]:
        """What the scores of a strip mean: logits of one variant, mean probabilities of several."""
        return scores.softmax(dim=0) if len(self.slides) == 1 else scores

    def strips(self, predictor: Predictor, counted: Counted, *, batch: int) -> Generator[Strip, None, None]:
        """The mask from top to bottom, counted from the area's first pixel; ``counted`` sees every piece pass."""
        scene, area, bands = self.slides[0].scene, self.slides[0].area, self.slides[0].plan.bands
        with contextlib.closing(self.scores(predictor, counted, batch=batch)) as scores:
            for strip, values in scores:
                there = strip.shift(area.window.row, area.window.col)
                # Read once more: a scaled window does not tell which of the scene's own pixels are usable.
                valid = scene.read(there, bands).valid
                if area.inside is not None:
                    valid &= area.inside(scene.grid.crop(there))
                yield Strip(strip, values, valid)

    def scores(self, predictor: Predictor, counted: Counted, *, batch: int) -> Generator[Scores, None, None]:
        """What the classes are chosen by, in the same strips."""
        threads = max(min(4, os.cpu_count() or 1) // len(self.slides), 1)
        with contextlib.ExitStack() as stack:
            streams = []
            for slide in self.slides:
                windows, ahead = slide.windows.tiles(), BATCHES_AHEAD * batch
                readings = stack.enter_context(reading_ahead(slide.read, windows, threads=threads, ahead=ahead))
                streams.append(_logits(slide, readings, predictor, counted, batch=batch))
            for strip in strips(*self.slides[0].area.window.shape, ROWS):
                yield strip, mean_probabilities((next(stream) for stream in streams), len(streams))


def slide_over(
    scene: Scene, plan: Plan, area: Area, card: ModelCard, *, stride: int | None = None, tta: str = "none"
) -> Sliding:
    """Slide inference; without ``stride`` (pixels as the network sees them) it is two thirds of a tile.

    :class:`ConfigError` if windows at that stride leave pixels out, :class:`BundleError` if scene and model do not allow
    the scales of ``tta``.
    """
    stride = usual_stride(plan.tile) if stride is None else stride
    check_stride(stride, plan.tile)
    if plan.resamples and any(variant.scale != 1 for variant in TTA[tta]):
        raise BundleError(
            "windows cannot slide at several scales over a scene of another GSD than the model's",
            "leave out --mode slide, take --tta flip or d4, or resample the scene first (gdalwarp -tr)",
        )
    return Sliding(tuple(Slide(scene, plan, area, card, stride, variant) for variant in TTA[tta]))


def _logits(
    slide: Slide, readings: Iterator[Reading], predictor: Predictor, counted: Counted, *, batch: int
) -> Iterator[Float[Tensor, "class _ _"]]:
    """A variant's logits of each strip of the mask."""
    look = partial(predictor.logits, variant=slide.variant)
    pieces = predict_pieces(readings, look, batch=batch, group=lambda tile: tile.view.row)
    classes, device = len(predictor.card.legend), predictor.device
    return slide.resized(averaged_logits(counted(pieces), slide.windows, classes=classes, device=device))


def _unseen(tile: Tile) -> Reading:
    return Reading(tile, None, np.zeros(tile.view.shape, np.bool_))

"""Blended prediction of a scene: combine overlapping tiles into strips of class scores (the default mode)."""

import math
import os
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from jaxtyping import Float
from torch import Tensor

from geoseg._concurrency import BATCHES_AHEAD, prefetch
from geoseg.grid.tiling import Tile, tiles
from geoseg.grid.window import Window
from geoseg.inference.compatibility import InputPlan
from geoseg.inference.prediction_area import PredictionArea
from geoseg.inference.tile_pipeline import ScoreStrip, TileInput, TileRunner, read_tile
from geoseg.inference.tiled.blending import BLENDS, TileLayout
from geoseg.inference.tta import TTA
from geoseg.model_card import ModelCard
from geoseg.raster.scene import Scene

MIN_GROUP_TILES = 16
"""Minimum number of tiles in a group; only tiles of the same group may share a batch
(:func:`~geoseg.inference.tile_pipeline.predict_tiles`). Groups consist of complete rows of tiles."""

FLOAT32_BYTES = 4

MIN_SCORE_SUM = 1e-12
"""A value smaller than any sum of probabilities; avoids division by 0."""


@dataclass(frozen=True)
class BlendedTiles:
    """Blended prediction of an area of a scene; a :class:`~geoseg.inference.tiling_strategy.TilingStrategy`."""

    scene: Scene
    """The scene to read from."""
    plan: InputPlan
    """How the pixels are read."""
    area: PredictionArea
    """Area that the mask covers."""
    card: ModelCard
    """The model card."""
    blend: str
    """A name in :data:`~geoseg.inference.tiled.blending.BLENDS`."""
    window: str
    """A name in :data:`~geoseg.inference.tiled.blending.WINDOWS`."""
    tta: str
    """A name in :data:`~geoseg.inference.tta.TTA`."""
    full_area: PredictionArea
    """Area of the whole prediction, of which ``area`` may be a part."""

    @property
    def tiles(self) -> int:
        """Number of tiles to predict."""
        return self._layout(torch.device("cpu")).tiles

    @property
    def edges(self) -> tuple[list[int], list[int]]:
        """Rows and columns of the mask at which cores begin."""
        region, window = self._tile_region(self.area), self.area.window
        down, across = self._steps
        rows = range(region.row - window.row, window.height, down)
        cols = range(region.col - window.col, window.width, across)
        return [row for row in rows if row > 0], [col for col in cols if col > 0]

    @property
    def held_bytes(self) -> int:
        """Bytes of memory for the probabilities of one row of tiles."""
        layout = self._layout(torch.device("cpu"))
        return FLOAT32_BYTES * layout.classes * layout.sizes[0] * layout.padded_width

    def part(self, rows: Window) -> "BlendedTiles":
        """Restrict the prediction to some rows of the mask; tiles stay in the same batches."""
        return replace(self, area=self.area.part(rows))

    def probabilities(self, scores: Float[Tensor, "class row col"]) -> Float[Tensor, "class row col"]:
        """Normalize the scores of a strip to probabilities."""
        return scores / scores.sum(dim=0).clamp_min(MIN_SCORE_SUM)

    def strips(self, runner: TileRunner) -> Generator[ScoreStrip, None, None]:
        """Predict strips of the mask from top to bottom, positioned relative to the area's first pixel."""
        layout = self._layout(runner.predictor.device)
        inputs = prefetch(
            self._read,
            tiles(layout.height, layout.width, layout.size, layout.halo),
            threads=min(4, os.cpu_count() or 1),
            ahead=BATCHES_AHEAD * runner.batch,
        )
        forward = partial(runner.predictor.probabilities, variants=TTA[self.tta])
        with inputs as ordered:
            predictions = runner.run(ordered, forward, self._group)
            yield from self.area.crop_strips(BLENDS[self.blend](predictions, layout), self._region)

    @cached_property
    def _region(self) -> Window:
        """Window of the tiles that contribute to the area, in complete groups."""
        region, full, rows = (
            self._tile_region(self.area),
            self._tile_region(self.full_area),
            self._group_rows * self._steps[0],
        )
        row = region.row - (region.row - full.row) % rows
        stop = min(full.row + math.ceil((region.row_stop - full.row) / rows) * rows, full.row_stop)
        return Window(row, region.col, stop - row, region.width)

    def _tile_region(self, area: PredictionArea) -> Window:
        size, halo = self.plan.scene_tile, self.plan.scene_halo
        return area.region(self.scene.grid, size=size, halo=halo, reach=(0, 0) if self.blend == "crop" else halo)

    def _group(self, tile: Tile) -> int:
        return tile.core.row // (self._group_rows * self._steps[0])

    @cached_property
    def _group_rows(self) -> int:
        """Number of rows of tiles in a group: enough for :data:`MIN_GROUP_TILES` tiles."""
        return math.ceil(MIN_GROUP_TILES / math.ceil(self._tile_region(self.full_area).width / self._steps[1]))

    @property
    def _steps(self) -> tuple[int, int]:
        (height, width), (above, left) = self.plan.scene_tile, self.plan.scene_halo
        return height - 2 * above, width - 2 * left

    def _layout(self, device: torch.device) -> TileLayout:
        size, halo = self.plan.scene_tile, self.plan.scene_halo
        return TileLayout(*self._region.shape, size, halo, len(self.card.legend), device, self.window)

    def _read(self, tile: Tile) -> TileInput:
        read = partial(read_tile, self.scene, self.plan)
        return self.area.read(tile, self._region, self.scene.grid, read)

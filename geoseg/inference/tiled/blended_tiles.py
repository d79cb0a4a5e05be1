"""From a scene to strips of its mask by tiles that are blended: the usual way of prediction."""

import math
import os
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from jaxtyping import Float
from torch import Tensor

from geoseg._concurrency import BATCHES_AHEAD, reading_ahead
from geoseg.bundle import ModelCard
from geoseg.grid.tiling import Tile, tiles
from geoseg.grid.window import Window
from geoseg.inference.compatibility import Plan
from geoseg.inference.prediction_area import Area
from geoseg.inference.predictor import Predictor
from geoseg.inference.tiled.blending import BLENDS, Layout
from geoseg.inference.tiled.tile_pipeline import Counted, predict_pieces, read_tile
from geoseg.inference.tiles import Reading, Strip
from geoseg.inference.tta import tile_probabilities
from geoseg.inference.tta_variants import TTA
from geoseg.raster.scene import Scene

GROUP = 16
"""How many tiles may share batches (:func:`~geoseg.inference.tiled.tile_pipeline.predict_pieces`): at least so many, in
whole rows."""

FLOAT = 4
"""Bytes of a float32."""

TINY = 1e-12
"""Smaller than any sum of probabilities."""


@dataclass(frozen=True)
class Blended:
    """Blended prediction of an area of a scene."""

    scene: Scene
    """Where pixels come from."""
    plan: Plan
    """How they are read."""
    area: Area
    """What the mask covers."""
    card: ModelCard
    """The model's."""
    blend: str
    """A name in :data:`~geoseg.inference.tiled.blending.BLENDS`."""
    window: str
    """A name in :data:`~geoseg.inference.tiled.blending.WINDOWS`."""
    tta: str
    """A name in :data:`~geoseg.inference.tta_variants.TTA`."""
    whole: Area
    """The area that ``area`` is all of, or a part."""

    @property
    def tiles(self) -> int:
        """How many tiles there are to predict."""
        return self._layout(torch.device("cpu")).tiles

    @property
    def edges(self) -> tuple[list[int], list[int]]:
        """Rows and columns of the mask at which cores begin."""
        region, window = self._tiles_of(self.area), self.area.window
        rows = range(region.row - window.row, window.height, self._step)
        cols = range(region.col - window.col, window.width, self._step)
        return [row for row in rows if row > 0], [col for col in cols if col > 0]

    @property
    def held_bytes(self) -> int:
        """The probabilities of a row of tiles."""
        layout = self._layout(torch.device("cpu"))
        return FLOAT * layout.classes * layout.size * layout.padded_width

    @property
    def tags(self) -> dict[str, str]:
        """What the mask says of how it was made."""
        window = {"GEOSEG_WINDOW": self.window} if self.blend == "weighted" else {}
        return {"GEOSEG_HALO": str(self.plan.halo), "GEOSEG_BLEND": self.blend, **window}

    def part(self, rows: Window) -> "Blended":
        """The same for some rows of the mask; it shows the network its tiles in the same batches."""
        return replace(self, area=self.area.part(rows))

    def probabilities(self, scores: Float[Tensor, "class row col"]) -> Float[Tensor, "class row col"]:
        """What the scores of a strip mean."""
        return scores / scores.sum(dim=0).clamp_min(TINY)

    def strips(self, predictor: Predictor, counted: Counted, *, batch: int) -> Generator[Strip, None, None]:
        """The mask from top to bottom, counted from the area's first pixel; ``counted`` sees every piece pass."""
        layout = self._layout(predictor.device)
        readings = reading_ahead(
            self._read,
            tiles(layout.height, layout.width, layout.size, layout.halo),
            threads=min(4, os.cpu_count() or 1),
            ahead=BATCHES_AHEAD * batch,
        )
        look = partial(tile_probabilities, predictor, variants=TTA[self.tta])
        with readings as in_order:
            pieces = counted(predict_pieces(in_order, look, batch=batch, group=self._group))
            yield from self.area.strips(BLENDS[self.blend](pieces, layout), self._region)

    @cached_property
    def _region(self) -> Window:
        """The tiles with a say in the area, in whole groups."""
        region, whole, rows = self._tiles_of(self.area), self._tiles_of(self.whole), self._group_rows * self._step
        row = region.row - (region.row - whole.row) % rows
        stop = min(whole.row + math.ceil((region.row_stop - whole.row) / rows) * rows, whole.row_stop)
        return Window(row, region.col, stop - row, region.width)

    def _tiles_of(self, area: Area) -> Window:
        size, halo = self.plan.scene_tile, self.plan.scene_halo
        return area.region(self.scene.grid, size=size, halo=halo, reach=0 if self.blend == "crop" else halo)

    def _group(self, tile: Tile) -> int:
        return tile.core.row // (self._group_rows * self._step)

    @cached_property
    def _group_rows(self) -> int:
        """How many rows of tiles are a group: enough to fill a batch."""
        return math.ceil(GROUP / math.ceil(self._tiles_of(self.whole).width / self._step))

    @property
    def _step(self) -> int:
        return self.plan.scene_tile - 2 * self.plan.scene_halo

    def _layout(self, device: torch.device) -> Layout:
        size, halo = self.plan.scene_tile, self.plan.scene_halo
        return Layout(*self._region.shape, size, halo, len(self.card.legend), device, self.window)

    def _read(self, tile: Tile) -> Reading:
        read = partial(read_tile, self.scene, self.plan)
        return self.area.read(tile, self._region, self.scene.grid, read)

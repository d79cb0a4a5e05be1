"""From a scene to strips of its mask by tiles that are blended: the usual way of prediction."""

import os
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

import torch

from geoseg.bundle import ModelCard
from geoseg.grid.tiling import Tile, tiles
from geoseg.grid.window import Window
from geoseg.inference.area import Area
from geoseg.inference.blend import BLENDS, Layout, Strip
from geoseg.inference.flow import Counted, Reading, predict_pieces, read_tile
from geoseg.inference.plan import Plan
from geoseg.inference.predictor import Predictor
from geoseg.inference.reading import BATCHES_AHEAD, reading_ahead
from geoseg.inference.tta import tile_probabilities
from geoseg.inference.variants import TTA
from geoseg.raster.scene import Scene


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
    """A name in :data:`~geoseg.inference.blend.BLENDS`."""
    tta: str
    """A name in :data:`~geoseg.inference.variants.TTA`."""

    @property
    def tiles(self) -> int:
        """How many tiles there are to predict."""
        return self._layout(torch.device("cpu")).tiles

    @property
    def tags(self) -> dict[str, str]:
        """What the mask says of how it was made."""
        return {"GEOSEG_HALO": str(self.plan.halo), "GEOSEG_BLEND": self.blend}

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
            pieces = counted(predict_pieces(in_order, look, batch=batch))
            yield from self.area.strips(BLENDS[self.blend](pieces, layout), self._region)

    @property
    def _region(self) -> Window:
        size, halo = self.plan.scene_tile, self.plan.scene_halo
        return self.area.region(self.scene.grid, size=size, halo=halo, reach=0 if self.blend == "crop" else halo)

    def _layout(self, device: torch.device) -> Layout:
        size, halo = self.plan.scene_tile, self.plan.scene_halo
        return Layout(*self._region.shape, size, halo, len(self.card.legend), device)

    def _read(self, tile: Tile) -> Reading:
        read = partial(read_tile, self.scene, self.plan)
        return self.area.read(tile, self._region, self.scene.grid, read)

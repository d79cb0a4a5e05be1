"""Every part of every scene exactly once: for validation, or to train on all of it in a new order each time round."""

from collections.abc import Sequence

import numpy as np

from geoseg.data.prepared import PreparedScene
from geoseg.data.samplers import samplers
from geoseg.data.samplers.base import CropPlan
from geoseg.grid.tiling import tiles


@samplers.register
class GridSampler:
    """Tiles of all scenes, with ``halo`` pixels of context around each core; only cores count.

    Cores cover every pixel once, so counts over all tiles are counts over the scenes. With a seed the order is a new
    permutation each time round, without one it is scene by scene, row by row.
    """

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        size: int,
        scale: tuple[float, float] = (1.0, 1.0),  # noqa: ARG002 (all samplers are built alike; tiles keep their scale)
        *,
        seed: int | None = None,
        halo: int = 0,
    ) -> None:
        self.seed = seed
        self.plans = [
            CropPlan(index, tile.view, size, tile.core.relative_to(tile.view))
            for index, scene in enumerate(scenes)
            for tile in tiles(scene.height, scene.width, size, halo)
        ]

    def __len__(self) -> int:
        """Number of tiles in all scenes."""
        return len(self.plans)

    def plan(self, number: int) -> CropPlan:
        """The plan of crop ``number``; after the last tile it begins again."""
        turn, place = divmod(number, len(self.plans))
        if self.seed is None:
            return self.plans[place]
        order = np.random.default_rng((self.seed, turn)).permutation(len(self.plans))
        return self.plans[int(order[place])]

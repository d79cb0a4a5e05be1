"""Scenes in regular windows: every pixel exactly once, or as published cutters cut them."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from geoseg.data.crops.crop import CropPlan
from geoseg.data.crops.samplers import samplers
from geoseg.data.crops.samplers.base import in_turn
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import ConfigError
from geoseg.grid.patches import Rule, cuts
from geoseg.grid.tiling import tiles


@samplers.register
class GridSampler:
    """All windows of all scenes; with a seed in a new order each time round, without one scene by scene, row by row.

    ``rule`` ``tiles``: windows overlap by ``halo`` pixels of context on every side, and only their cores count, so that
    counts over all windows are counts over the scenes, each pixel once. Other rules are those of
    :mod:`geoseg.grid.patches`: windows every ``stride`` pixels (``plain``; the size if not given), or those that the
    published converters cut (``isprs``, ``isaid``); where they overlap, pixels count as often as they are cut.
    """

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        size: int,
        scale: tuple[float, float] = (1.0, 1.0),  # noqa: ARG002 (all samplers are built alike; windows keep their scale)
        *,
        seed: int | None = None,
        classes: Sequence[str] = (),  # noqa: ARG002
        rule: Literal["tiles"] | Rule = "tiles",
        stride: Annotated[int, Field(ge=1)] | None = None,
        halo: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        if rule == "tiles" and stride is not None:
            raise ConfigError("tiles have no stride", "say rule: plain beside it, or a halo instead")
        self.seed = seed
        if rule == "tiles":
            self.plans = [
                CropPlan(index, tile.view, size, tile.core.relative_to(tile.view))
                for index, scene in enumerate(scenes)
                for tile in tiles(scene.height, scene.width, size, halo)
            ]
        else:
            self.plans = [
                CropPlan(index, window, size)
                for index, scene in enumerate(scenes)
                for window in cuts(scene.height, scene.width, rule, size=size, stride=stride)
            ]

    def __len__(self) -> int:
        """Number of windows in all scenes."""
        return len(self.plans)

    def plan(self, number: int) -> CropPlan:
        """The plan of crop ``number``; after the last window it begins again."""
        if self.seed is None:
            return self.plans[number % len(self.plans)]
        return self.plans[in_turn(number, len(self.plans), self.seed)]

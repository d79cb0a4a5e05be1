"""Crops from regular windows, which cover every pixel exactly once or follow published converters."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from geoseg.data.crops.read_crop import CropPlan
from geoseg.data.crops.samplers import samplers
from geoseg.data.crops.samplers.base import draw_without_replacement
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import ConfigError
from geoseg.grid.patch_positions import PatchRule, patch_windows
from geoseg.grid.tiling import tiles


@samplers.register
class GridSampler:
    """Regular windows of all scenes: with a seed, in random order; otherwise scene by scene and row by row.

    Args:
        scenes: Prepared scenes.
        size: Side length of a window in pixels.
        scale: Unused; windows are not resized.
        seed: Random seed for the order, which changes in each epoch; None for the fixed order.
        classes: Unused.
        rule: With ``tiles``, windows overlap by ``halo`` pixels on every side and only their cores count, so that sums
            over all windows count each pixel once. The rules in :mod:`geoseg.grid.patch_positions` place windows every
            ``stride`` pixels (``plain``) or as in the published converters (``isprs``, ``isaid``); pixels in overlaps
            count more than once.
        stride: Distance between windows in pixels; by default, that of the rule.
        halo: Width of the context on every side of a tile, in pixels.
    """

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        size: int,
        scale: tuple[float, float] = (1.0, 1.0),  # noqa: ARG002 (all samplers have the same arguments)
        *,
        seed: int | None = None,
        classes: Sequence[str] = (),  # noqa: ARG002
        rule: Literal["tiles"] | PatchRule = "tiles",
        stride: Annotated[int, Field(ge=1)] | None = None,
        halo: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        if rule == "tiles" and stride is not None:
            raise ConfigError("tiles have no stride", "add rule: plain, or use halo instead of stride")
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
                for window in patch_windows(scene.height, scene.width, rule, size=size, stride=stride)
            ]

    def __len__(self) -> int:
        """Return the number of windows in all scenes."""
        return len(self.plans)

    def plan(self, number: int) -> CropPlan:
        """Return the plan for crop ``number``; the last window is followed by the first."""
        if self.seed is None:
            return self.plans[number % len(self.plans)]
        return self.plans[draw_without_replacement(number, len(self.plans), self.seed)]

"""Crops at random locations, resized by random factors."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geoseg.data.crops.read_crop import CropPlan, draw_plan
from geoseg.data.crops.samplers import samplers
from geoseg.data.crops.samplers.base import draw_without_replacement
from geoseg.data.preparation.class_locations import CELL_SIZE
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.grid.patch_positions import patch_windows
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX

RegionKind = Literal["scene", "image", "isprs", "isaid"]

MAX_EMPTY_ATTEMPTS = 100
"""Maximum number of windows to draw in search of one with labeled pixels."""


@samplers.register
class RandomSampler:
    """Windows at uniformly random locations in regions, resized by a uniformly random factor.

    A window never extends beyond its region; a crop that is larger than its region is padded. A window is redrawn if a
    single class covers more than ``largest_share`` of its labeled pixels, as in OpenMMLab's pipelines
    (``cat_max_ratio`` 0.75, ten attempts). The last attempt is accepted unless it has no labeled pixels (in scenes
    without labels: no valid pixels). In that case, other regions are tried, and finally a window around a labeled pixel
    is used.

    Args:
        scenes: Prepared scenes.
        size: Side length of a crop in pixels.
        scale: Smallest and largest resize factor.
        seed: Random seed.
        classes: Unused.
        pieces: Regions from which windows are cut. ``scene`` draws scenes in proportion to their number of labeled
            pixels. As in published training pipelines, ``image`` uses each scene once per epoch, and ``isprs`` and
            ``isaid`` use each patch of the published converters once per epoch.
        largest_share: Largest accepted fraction of a single class.
        attempts: Number of draws before a window with a larger fraction is accepted.
    """

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        size: int,
        scale: tuple[float, float],
        *,
        seed: int,
        classes: Sequence[str] = (),  # noqa: ARG002 (all samplers have the same arguments)
        pieces: RegionKind = "scene",
        largest_share: Annotated[float, Field(gt=0, le=1)] = 0.75,
        attempts: Annotated[int, Field(ge=1)] = 10,
    ) -> None:
        self.scenes, self.size, self.scale, self.seed = scenes, size, scale, seed
        self.largest_share, self.attempts = largest_share, attempts
        self.regions = [
            (index, region) for index, scene in enumerate(scenes) for region in _list_regions(scene, pieces)
        ]
        pixels = np.array([sum(scene.class_pixels) if scene.labelled else scene.valid_pixels for scene in scenes]) + 1.0
        self.probabilities = pixels / pixels.sum() if pieces == "scene" else None
        """Probability of each scene; None to use each region once per epoch."""

    def plan(self, number: int) -> CropPlan:
        """Return the plan for crop ``number``."""
        rng = np.random.default_rng((self.seed, number))
        index, region = self._draw_region(number, rng)
        for attempt in range(max(self.attempts, MAX_EMPTY_ATTEMPTS)):
            plan = draw_plan(rng, index, region, size=self.size, scale=self.scale)
            counts = self._count_pixels(plan)
            is_last = attempt + 1 >= self.attempts
            if counts.any() and (is_last or self._is_varied(counts)):
                break
            if is_last:
                index, region = self.regions[int(rng.choice(len(self.regions), p=self.probabilities))]
        else:
            return self._plan_at_label(rng, index) or plan
        return plan

    def _plan_at_label(self, rng: np.random.Generator, index: int) -> CropPlan | None:
        """Return a window of a scene around a labeled pixel; None if the scene has none."""
        scene = self.scenes[index]
        if not scene.labelled or not len(scene.class_locations.cells):
            return None
        row, col = (int(position) * CELL_SIZE for position in rng.choice(scene.class_locations.cells))
        rows, cols = np.nonzero(scene.read_mask(Window(row, col, CELL_SIZE, CELL_SIZE)) != IGNORE_INDEX)
        full = Window(0, 0, scene.height, scene.width)
        pixel = row + int(rows[0]), col + int(cols[0])
        return draw_plan(rng, index, full, size=self.size, scale=self.scale, containing=pixel)

    def _draw_region(self, number: int, rng: np.random.Generator) -> tuple[int, Window]:
        if self.probabilities is not None:
            return self.regions[int(rng.choice(len(self.regions), p=self.probabilities))]
        return self.regions[draw_without_replacement(number, len(self.regions), self.seed)]

    def _count_pixels(self, plan: CropPlan) -> NDArray[np.int64]:
        """Return the number of labeled pixels per class in a window, or of valid pixels if there are no labels."""
        scene = self.scenes[plan.scene]
        if not scene.labelled:
            return np.array([scene.read_valid(plan.window).sum()])
        return np.bincount(scene.read_mask(plan.window).ravel(), minlength=IGNORE_INDEX + 1)[:IGNORE_INDEX]

    def _is_varied(self, counts: NDArray[np.int64]) -> bool:
        return len(counts) == 1 or bool(counts.max() <= self.largest_share * counts.sum())


def _list_regions(scene: PreparedScene, kind: RegionKind) -> Iterator[Window]:
    full = Window(0, 0, scene.height, scene.width)
    if kind in ("isprs", "isaid"):
        yield from (patch.intersection(full) for patch in patch_windows(scene.height, scene.width, kind))
    else:
        yield full

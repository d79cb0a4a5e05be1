"""Crops at random places and magnifications."""

from collections.abc import Sequence

import numpy as np

from geoseg.data.prepared import PreparedScene
from geoseg.data.samplers import samplers
from geoseg.data.samplers.base import CropPlan
from geoseg.errors import ConfigError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX


@samplers.register
class RandomSampler:
    """Scenes by their number of valid pixels, windows uniformly, magnification uniformly within ``scale``.

    A window is drawn again, up to ``attempts`` times, while one class fills more than ``largest_share`` of its labelled
    pixels or nothing in it is labelled: the rule of the OpenMMLab pipelines (``cat_max_ratio`` 0.75, ten attempts). The
    last one drawn is then taken as it is.
    """

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        size: int,
        scale: tuple[float, float],
        *,
        seed: int,
        largest_share: float = 0.75,
        attempts: int = 10,
    ) -> None:
        if not 0 < largest_share <= 1 or attempts < 1:
            raise ConfigError(
                f"largest_share {largest_share} and attempts {attempts} make no sampler", "try 0.75 and 10"
            )
        self.scenes, self.size, self.scale, self.seed = scenes, size, scale, seed
        self.largest_share, self.attempts = largest_share, attempts
        pixels = np.array([max(scene.valid_pixels, 1) for scene in scenes], np.float64)
        self._chances = pixels / pixels.sum()

    def plan(self, number: int) -> CropPlan:
        """The plan of crop ``number``."""
        rng = np.random.default_rng((self.seed, number))
        for _ in range(self.attempts):
            plan = self._drawn(rng)
            if self._is_varied(plan):
                break
        return plan

    def _drawn(self, rng: np.random.Generator) -> CropPlan:
        index = int(rng.choice(len(self.scenes), p=self._chances))
        scene = self.scenes[index]
        side = max(round(self.size / rng.uniform(*self.scale)), 1)
        row, col = (self._start(rng, length, side) for length in (scene.height, scene.width))
        return CropPlan(index, Window(row, col, side, side), self.size)

    @staticmethod
    def _start(rng: np.random.Generator, length: int, side: int) -> int:
        """A first pixel so that the window lies inside the axis, or holds all of it if the axis is shorter."""
        return int(rng.integers(min(length - side, 0), max(length - side, 0) + 1))

    def _is_varied(self, plan: CropPlan) -> bool:
        labels = self.scenes[plan.scene].labels(plan.window)
        counts = np.bincount(labels.ravel(), minlength=IGNORE_INDEX + 1)[:IGNORE_INDEX]
        return bool(0 < counts.max() <= self.largest_share * counts.sum())

"""Crops around pixels of randomly drawn classes, so that rare classes are sampled often enough."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geoseg._text import did_you_mean
from geoseg.data.crops.read_crop import CropPlan, draw_plan
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.class_locations import CELL_SIZE
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import ConfigError
from geoseg.grid.window import Window


@samplers.register
class BalancedSampler:
    """Windows that contain a random pixel of a randomly drawn class.

    By default, the probability of a class with frequency f is proportional to exp((1 - f) / ``temperature``), as in
    DAFormer (Hoyer et al. 2022, arXiv 2111.14887, equation 9).

    Args:
        scenes: Prepared scenes.
        size: Side length of a crop in pixels.
        scale: Smallest and largest resize factor; the factor is drawn uniformly.
        seed: Random seed.
        classes: Class names in the order of their indices.
        shares: Fractions of the crops to draw for individual classes, keyed by class name; the rest is split equally
            among the other classes.
        temperature: Smaller values favor rare classes more strongly.
    """

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        size: int,
        scale: tuple[float, float],
        *,
        seed: int,
        classes: Sequence[str],
        shares: Mapping[str, Annotated[float, Field(ge=0, le=1)]] | None = None,
        temperature: Annotated[float, Field(gt=0)] = 0.2,
    ) -> None:
        self.scenes, self.size, self.scale, self.seed = scenes, size, scale, seed
        locations = [scene.class_locations for scene in scenes]
        self.scene_of_cell = np.repeat(np.arange(len(scenes)), [len(each.cells) for each in locations])
        self.cells = np.concatenate([each.cells for each in locations])
        self.cumulative_counts = np.concatenate([each.counts for each in locations]).cumsum(axis=0, dtype=np.int64)
        totals = self.cumulative_counts[-1]
        self.probabilities = (
            _shares_to_probabilities(totals, shares, classes) if shares else _prefer_rare_classes(totals, temperature)
        )

    def plan(self, number: int) -> CropPlan:
        """Return the plan for crop ``number``."""
        rng = np.random.default_rng((self.seed, number))
        class_index = int(rng.choice(len(self.probabilities), p=self.probabilities))
        cumulative = self.cumulative_counts[:, class_index]
        cell = int(np.searchsorted(cumulative, rng.integers(cumulative[-1]), side="right"))
        index = int(self.scene_of_cell[cell])
        scene = self.scenes[index]
        pixel = self._draw_pixel(rng, scene, class_index, self.cells[cell] * CELL_SIZE)
        full = Window(0, 0, scene.height, scene.width)
        return draw_plan(rng, index, full, size=self.size, scale=self.scale, containing=pixel)

    @staticmethod
    def _draw_pixel(
        rng: np.random.Generator, scene: PreparedScene, class_index: int, corner: NDArray[np.int32]
    ) -> tuple[int, int]:
        """Return a random pixel (row, col) of a class in the cell that starts at ``corner``."""
        row, col = int(corner[0]), int(corner[1])
        rows, cols = np.nonzero(scene.read_mask(Window(row, col, CELL_SIZE, CELL_SIZE)) == class_index)
        drawn = int(rng.integers(len(rows)))
        return row + int(rows[drawn]), col + int(cols[drawn])


def _prefer_rare_classes(totals: NDArray[np.int64], temperature: float) -> NDArray[np.float64]:
    """Compute the probabilities of classes from their pixel counts; 0 for classes that do not occur."""
    frequency = totals / totals.sum()
    # The 1 in the formula cancels out in the normalization.
    weights: NDArray[np.float64] = np.where(totals > 0, np.exp(-frequency / temperature), 0.0)
    weights /= weights.sum()
    return weights


def _shares_to_probabilities(
    totals: NDArray[np.int64], shares: Mapping[str, float], classes: Sequence[str]
) -> NDArray[np.float64]:
    """Return the given shares, with the rest split equally among the other classes that occur."""
    probabilities = np.zeros(len(totals))
    for name, share in shares.items():
        if name not in classes:
            raise ConfigError(f"unknown class {name!r} in shares", did_you_mean(name, classes))
        probabilities[classes.index(name)] = share
    absent = [name for name in shares if not totals[classes.index(name)] and shares[name]]
    if absent:
        message = f"shares requests crops of {absent[0]}, but no training pixel has this class"
        raise ConfigError(message, f"remove {absent[0]} from shares")
    others = (totals > 0) & ~np.isin(np.arange(len(totals)), [classes.index(name) for name in shares])
    rest = 1 - probabilities.sum()
    if rest < -1e-9 or (rest > 1e-9 and not others.any()):
        message = f"the shares add up to {probabilities.sum():g}, not 1"
        raise ConfigError(message, "the shares of all classes must add up to 1")
    probabilities[others] = max(rest, 0) / max(others.sum(), 1)
    probabilities /= probabilities.sum()
    return probabilities

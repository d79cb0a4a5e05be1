"""Crops around pixels of chosen classes, so that rare ones are seen as often as wanted."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geoseg.data.crops.crop import CropPlan, drawn
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.class_locations import CELL
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import ConfigError, did_you_mean
from geoseg.grid.window import Window


@samplers.register
class BalancedSampler:
    """First a class is drawn, then a pixel of it somewhere in the scenes, then a window that holds this pixel.

    ``shares`` gives the share of crops that are cut around a class, by name; classes that are not named divide the rest.
    By default rare classes come first: the chance of a class of frequency f is proportional to exp((1 - f) /
    ``temperature``), as in DAFormer (Hoyer et al. 2022, arXiv 2111.14887, equation 9); the smaller the temperature, the
    rarer the classes that are preferred. Magnification is drawn uniformly within ``scale``.
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
        cells = [scene.cells for scene in scenes]
        self.scene_of_cell = np.repeat(np.arange(len(scenes)), [len(each.place) for each in cells])
        self.places = np.concatenate([each.place for each in cells])
        self.pixels = np.concatenate([each.pixels for each in cells]).cumsum(axis=0, dtype=np.int64)
        totals = self.pixels[-1]
        self.chances = _chances(totals, shares, classes) if shares else _rare_first(totals, temperature)

    def plan(self, number: int) -> CropPlan:
        """The plan of crop ``number``."""
        rng = np.random.default_rng((self.seed, number))
        wanted = int(rng.choice(len(self.chances), p=self.chances))
        upto = self.pixels[:, wanted]
        cell = int(np.searchsorted(upto, rng.integers(upto[-1]), side="right"))
        index = int(self.scene_of_cell[cell])
        scene = self.scenes[index]
        pixel = self._pixel(rng, scene, wanted, self.places[cell] * CELL)
        whole = Window(0, 0, scene.height, scene.width)
        return drawn(rng, index, whole, size=self.size, scale=self.scale, through=pixel)

    @staticmethod
    def _pixel(
        rng: np.random.Generator, scene: PreparedScene, wanted: int, corner: NDArray[np.int32]
    ) -> tuple[int, int]:
        """A random pixel of a class in a cell."""
        row, col = int(corner[0]), int(corner[1])
        rows, cols = np.nonzero(scene.labels(Window(row, col, CELL, CELL)) == wanted)
        chosen = int(rng.integers(len(rows)))
        return row + int(rows[chosen]), col + int(cols[chosen])


def _rare_first(totals: NDArray[np.int64], temperature: float) -> NDArray[np.float64]:
    """Chances of the classes that occur, from their frequencies."""
    frequency = totals / totals.sum()
    weights: NDArray[np.float64] = np.where(
        totals > 0, np.exp(-frequency / temperature), 0.0
    )  # without the 1, which cancels
    weights /= weights.sum()
    return weights


def _chances(totals: NDArray[np.int64], shares: Mapping[str, float], classes: Sequence[str]) -> NDArray[np.float64]:
    """Chances as wanted; what is left is divided among the other classes that occur."""
    chances = np.zeros(len(totals))
    for name, share in shares.items():
        if name not in classes:
            raise ConfigError(f"shares names {name!r}, which is no class", did_you_mean(name, classes))
        chances[classes.index(name)] = share
    absent = [name for name in shares if not totals[classes.index(name)] and shares[name]]
    if absent:
        raise ConfigError(f"shares wants crops around {absent[0]}, which no training pixel shows", "leave it out")
    others = (totals > 0) & ~np.isin(np.arange(len(totals)), [classes.index(name) for name in shares])
    rest = 1 - chances.sum()
    if rest < -1e-9 or (rest > 1e-9 and not others.any()):
        raise ConfigError(f"the shares make {chances.sum():g}", "shares of all classes add up to 1")
    chances[others] = max(rest, 0) / max(others.sum(), 1)
    chances /= chances.sum()
    return chances

"""Crops at random places and magnifications."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geoseg.data.crops.crop import CropPlan, drawn
from geoseg.data.crops.samplers import samplers
from geoseg.data.crops.samplers.base import in_turn
from geoseg.data.preparation.class_locations import CELL
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.grid.patches import cuts
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX

Pieces = Literal["scene", "image", "isprs", "isaid"]

EMPTY_ATTEMPTS = 100
"""So often a window is drawn again because it holds nothing at all."""


@samplers.register
class RandomSampler:
    """Windows at uniformly random places, magnified uniformly within ``scale``.

    ``pieces`` says what windows are cut from: scenes, chosen by their number of labelled pixels (``scene``); or, as
    published training pipelines do, each scene as one piece (``image``) or the pieces that the published converters
    make of them (``isprs``, ``isaid``), every piece once before any comes again. A window never leaves its piece; what
    is missing to the size of a crop is padding.

    A window is drawn again, up to ``attempts`` times, while one class fills more than ``largest_share`` of its labelled
    pixels: the rule of the OpenMMLab pipelines (``cat_max_ratio`` 0.75, ten attempts). The last one drawn is then taken
    as it is, unless it holds no labelled pixel (in scenes without labels: no valid one); then other pieces are tried,
    and in the end a window around a labelled pixel is taken.
    """

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        size: int,
        scale: tuple[float, float],
        *,
        seed: int,
        classes: Sequence[str] = (),  # noqa: ARG002 (all samplers are built alike)
        pieces: Pieces = "scene",
        largest_share: Annotated[float, Field(gt=0, le=1)] = 0.75,
        attempts: Annotated[int, Field(ge=1)] = 10,
    ) -> None:
        self.scenes, self.size, self.scale, self.seed = scenes, size, scale, seed
        self.largest_share, self.attempts = largest_share, attempts
        self.pieces = [(index, piece) for index, scene in enumerate(scenes) for piece in _pieces(scene, pieces)]
        pixels = np.array([sum(scene.class_pixels) if scene.labelled else scene.valid_pixels for scene in scenes]) + 1.0
        self.chances = pixels / pixels.sum() if pieces == "scene" else None
        """Of each scene to be chosen; None if all pieces come in turn."""

    def plan(self, number: int) -> CropPlan:
        """The plan of crop ``number``."""
        rng = np.random.default_rng((self.seed, number))
        index, piece = self._piece(number, rng)
        for attempt in range(max(self.attempts, EMPTY_ATTEMPTS)):
            plan = drawn(rng, index, piece, size=self.size, scale=self.scale)
            counts = self._counts(plan)
            if counts.any() and (attempt + 1 >= self.attempts or self._is_varied(counts)):
                break
            if attempt + 1 >= self.attempts:
                index, piece = self.pieces[int(rng.choice(len(self.pieces), p=self.chances))]
        else:
            return self._on_a_label(rng, index) or plan
        return plan

    def _on_a_label(self, rng: np.random.Generator, index: int) -> CropPlan | None:
        """A window of a scene around a labelled pixel, wherever that is; None if it has none."""
        scene = self.scenes[index]
        if not scene.labelled or not len(scene.cells.place):
            return None
        row, col = (int(place) * CELL for place in rng.choice(scene.cells.place))
        rows, cols = np.nonzero(scene.labels(Window(row, col, CELL, CELL)) != IGNORE_INDEX)
        whole = Window(0, 0, scene.height, scene.width)
        pixel = row + int(rows[0]), col + int(cols[0])
        return drawn(rng, index, whole, size=self.size, scale=self.scale, through=pixel)

    def _piece(self, number: int, rng: np.random.Generator) -> tuple[int, Window]:
        if self.chances is not None:
            return self.pieces[int(rng.choice(len(self.pieces), p=self.chances))]
        return self.pieces[in_turn(number, len(self.pieces), self.seed)]

    def _counts(self, plan: CropPlan) -> NDArray[np.int64]:
        """Labelled pixels of each class in a window; without labels, valid pixels."""
        scene = self.scenes[plan.scene]
        if not scene.labelled:
            return np.array([scene.validity(plan.window).sum()])
        return np.bincount(scene.labels(plan.window).ravel(), minlength=IGNORE_INDEX + 1)[:IGNORE_INDEX]

    def _is_varied(self, counts: NDArray[np.int64]) -> bool:
        return len(counts) == 1 or bool(counts.max() <= self.largest_share * counts.sum())


def _pieces(scene: PreparedScene, pieces: Pieces) -> Iterator[Window]:
    whole = Window(0, 0, scene.height, scene.width)
    if pieces in ("isprs", "isaid"):
        yield from (cut.intersection(whole) for cut in cuts(scene.height, scene.width, pieces))
    else:
        yield whole

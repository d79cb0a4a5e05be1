"""Tiling strategies: blended tiles, or mmsegmentation's sliding windows."""

from collections.abc import Generator
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from geoseg.grid.window import Window
from geoseg.inference.compatibility import InputPlan
from geoseg.inference.options import PredictOptions
from geoseg.inference.prediction_area import PredictionArea
from geoseg.inference.sliding.slide_inference import make_sliding_window
from geoseg.inference.tile_pipeline import ScoreStrip, TileRunner
from geoseg.inference.tiled.blended_tiles import BlendedTiles
from geoseg.model_card import ModelCard
from geoseg.raster.scene import Scene


class TilingStrategy(Protocol):
    """Defines how a scene is divided into tiles and how tile predictions are combined; the network is passed in later."""

    @property
    def tiles(self) -> int:
        """Number of tiles to predict."""

    @property
    def edges(self) -> tuple[list[int], list[int]]:
        """Rows and columns of the mask at which the contribution of a tile begins or ends, where seams could appear."""

    @property
    def held_bytes(self) -> int:
        """Bytes of memory for the part of the scene being processed, excluding the memory of the network."""

    def part(self, rows: Window) -> "TilingStrategy":
        """Restrict the prediction to some rows of the mask; the result in these rows is unchanged.

        Args:
            rows: A window as wide as the mask, relative to its first pixel.
        """

    def probabilities(self, scores: Float[Tensor, "class row col"]) -> Float[Tensor, "class row col"]:
        """Convert the scores of a strip to probabilities."""

    def strips(self, runner: TileRunner) -> Generator[ScoreStrip, None, None]:
        """Predict strips of the mask from top to bottom, positioned relative to the area's first pixel."""


def make_strategy(
    scene: Scene, plan: InputPlan, area: PredictionArea, card: ModelCard, options: PredictOptions
) -> TilingStrategy:
    """Create the tiling strategy for a scene, as selected by ``options.mode``.

    Args:
        scene: The scene.
        plan: How its pixels are read.
        area: The area that the mask covers.
        card: The model card.
        options: Options for blending, window, stride and test-time augmentation.
    """
    if options.mode == "slide":
        return make_sliding_window(scene, plan, area, card, stride=options.stride, tta=options.tta)
    return BlendedTiles(scene, plan, area, card, options.blend, options.window, options.tta, full_area=area)

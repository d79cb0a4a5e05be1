"""Save the bundle (weights and model card) when the monitored score improves."""

import logging
import math
import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import geoseg
from geoseg.bundle import BEST_NAME, Bundle
from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.model_card import ModelCard
from geoseg.models.backbones.base import Scaling
from geoseg.models.network import SegmentationNetwork
from geoseg.training.checkpoint import RunState
from geoseg.training.run_folder import update_latest_link
from geoseg.training.validation import PROTOCOL_DESCRIPTIONS, Validation

logger = logging.getLogger(__name__)


class BestBundleSaver:
    """Saves the bundle after each validation whose monitored score is the best so far.

    Args:
        run: Folder of the run.
        card: Card of the bundle, without scores.
        monitor: Name of the monitored score.
        state: State of the run, updated by :meth:`update`.
        is_main: Whether this process writes files; only one of several processes does.
    """

    def __init__(self, run: Path, card: ModelCard, monitor: str, state: RunState, *, is_main: bool = True) -> None:
        self.run, self.card, self.monitor, self.state, self.is_main = run, card, monitor, state, is_main

    @property
    def path(self) -> Path:
        """Path of the bundle."""
        return self.run / BEST_NAME

    def update(self, network: SegmentationNetwork, validation: Validation) -> bool:
        """Save the network if its score is the best so far.

        As long as the score is undefined (NaN), every network is considered the best.

        Returns:
            True if the network is the best so far.
        """
        scores = validation.scores()
        score = scores[self.monitor]
        is_defined = not math.isnan(score)
        if not is_defined:
            logger.warning("%s is undefined on the validation scenes and cannot select the best model", self.monitor)
        is_best = self.state.best is None or (is_defined and score > self.state.best)
        self.state.waited = 0 if is_best else self.state.waited + 1
        if not is_best:
            return False
        self.state.best, self.state.best_iteration = score if is_defined else None, self.state.iteration
        if self.is_main:
            self._write(network, scores)
        return True

    def _write(self, network: SegmentationNetwork, scores: Mapping[str, float]) -> None:
        defined = {name: value for name, value in scores.items() if not math.isnan(value)}
        provenance = {**self.card.provenance, "iteration": str(self.state.iteration)}
        Bundle(network, replace(self.card, scores=defined, provenance=provenance)).save(self.path)
        update_latest_link(self.run)


def build_card(recipe: Recipe, prepared: PreparedDataset, normalization: Scaling) -> ModelCard:
    """Build the model card of a bundle, without scores.

    Args:
        recipe: The recipe of the run.
        prepared: The prepared dataset.
        normalization: Input normalization of the network.
    """
    statistics = prepared.statistics
    return ModelCard(
        model=recipe.model,
        legend=prepared.legend,
        bands=prepared.bands,
        mean=normalization.mean,
        std=normalization.std,
        minimum=tuple(band.minimum for band in statistics),
        maximum=tuple(band.maximum for band in statistics),
        dtype=prepared.dtype,
        gsd=prepared.gsd,
        crop=recipe.train.crop,
        tile=recipe.predict.tile,
        halo=recipe.predict.halo,
        protocol=PROTOCOL_DESCRIPTIONS[recipe.train.validation],
        recipe=recipe.model_dump(mode="json"),
        data={"digest": prepared.digest, **prepared.about},
        provenance=_provenance(recipe),
    )


def _provenance(recipe: Recipe) -> dict[str, Any]:
    return {
        "seed": str(recipe.train.seed),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "geoseg": geoseg.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }

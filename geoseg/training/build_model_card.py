"""Build the model card of a training run."""

import platform
from datetime import UTC, datetime
from typing import Any

import torch

import geoseg
from geoseg.bundle import ModelCard
from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.models.backbones.base import Scaling
from geoseg.training.validation import PROTOCOL_DESCRIPTIONS


def build_card(recipe: Recipe, prepared: PreparedDataset, normalization: Scaling) -> ModelCard:
    """Build the card of a bundle, without scores.

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

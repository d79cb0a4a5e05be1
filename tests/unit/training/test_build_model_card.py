"""Tests of the model card of a training run."""

from datetime import datetime

import torch

import geoseg
from geoseg.models.backbones.base import Scaling
from geoseg.training.build_model_card import build_card
from geoseg.training.validation import PROTOCOL_DESCRIPTIONS


def test_card_describes_recipe_data_and_normalization(recipe, prepared):
    card = build_card(recipe, prepared, Scaling((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    assert (card.model, card.legend, card.bands) == (recipe.model, prepared.legend, prepared.bands)
    assert (card.mean, card.std) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert card.minimum == tuple(band.minimum for band in prepared.statistics)
    assert card.maximum == tuple(band.maximum for band in prepared.statistics)
    assert (card.dtype, card.gsd) == (prepared.dtype, prepared.gsd)
    assert (card.crop, card.tile, card.halo) == (recipe.train.crop, recipe.predict.tile, recipe.predict.halo)
    assert card.protocol == PROTOCOL_DESCRIPTIONS["scenes"] == "scenes"
    assert card.recipe == recipe.model_dump(mode="json")
    assert card.data == {"digest": prepared.digest, **prepared.about}
    assert not card.scores


def test_provenance_has_seed_date_and_versions(recipe, prepared):
    seeded = recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": 7})})
    provenance = build_card(seeded, prepared, Scaling((0.0,) * 3, (1.0,) * 3)).provenance
    assert set(provenance) == {"seed", "date", "geoseg", "torch", "python"}
    assert (provenance["seed"], provenance["geoseg"]) == ("7", geoseg.__version__)
    assert provenance["torch"] == torch.__version__
    assert datetime.fromisoformat(provenance["date"]).tzinfo is not None

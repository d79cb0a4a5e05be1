import logging

import numpy as np
import pytest
import torch
from integration_settings import FAST

from geoseg.bundle import load, read_card
from geoseg.config.load import load_recipe
from geoseg.errors import ConfigError, DataError, GeosegError
from geoseg.training.fit import train


def test_a_run_leaves_recipe_log_and_bundle(trained):
    assert {path.name for path in trained.run.iterdir()} == {"recipe.yaml", "log", "best.safetensors"}
    assert (trained.run.parent / "latest").resolve() == trained.run.resolve()
    assert load_recipe(trained.run / "recipe.yaml").train.iterations == 3
    assert "mean_iou" in (trained.run / "log" / "metrics.csv").read_text()


def test_the_card_says_what_the_model_learnt_from(trained):
    card = read_card(trained.path)
    assert card.bands == ("red", "green", "blue")
    assert card.legend.names[1] == "building"
    assert card.dtype == "uint8"
    assert card.gsd == pytest.approx(0.3, rel=1e-3)
    assert 0 <= card.scores["mean_iou"] <= 1
    assert card.protocol == "scenes"
    assert card.recipe == load_recipe(trained.run / "recipe.yaml").model_dump(mode="json")
    assert len(card.data["digest"]) >= 8
    assert {"seed", "geoseg", "torch", "python"} <= set(card.provenance)


def test_the_same_seed_gives_the_same_weights_whoever_cuts_the_crops(trained, tmp_path):
    prepared = trained.run.parent.parent / "prepared"
    recipe = load_recipe("sample.yaml", [*FAST, f"data.prepared={prepared}", "train.workers=2"])
    again = train(recipe, runs=tmp_path)
    for name, weight in trained.bundle.network.state_dict().items():
        assert torch.equal(weight, again.bundle.network.state_dict()[name]), name


def test_prepared_scenes_are_used_again(trained, tmp_path, caplog):
    prepared = trained.run.parent.parent / "prepared"
    with caplog.at_level(logging.INFO, "geoseg"):
        train(load_recipe("sample.yaml", [*FAST, f"data.prepared={prepared}", "train.seed=7"]), runs=tmp_path)
    assert "using the prepared scenes" in caplog.text


def test_a_loss_that_is_no_number_ends_the_run_in_one_sentence(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.losses.build.WeightedSum.forward", lambda *_: torch.tensor(np.nan, requires_grad=True))
    prepared = trained.run.parent.parent / "prepared"
    with pytest.raises(GeosegError, match="the loss is nan at iteration 0"):
        train(load_recipe("sample.yaml", [*FAST, f"data.prepared={prepared}"]), runs=tmp_path)
    assert not (tmp_path / "latest").exists()


def test_a_recipe_without_validation_scenes_is_refused_before_training(tmp_path):
    recipe = load_recipe("sample.yaml", [*FAST, f"data.prepared={tmp_path}", "data.splits={train: rest}"])
    with pytest.raises(DataError, match="'val'"):
        train(recipe, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_batch_too_small_for_the_head_is_refused_before_the_run_begins(trained, tmp_path):
    prepared = trained.run.parent.parent / "prepared"
    recipe = load_recipe("sample.yaml", [*FAST, f"data.prepared={prepared}", "train.batch=1"])
    with pytest.raises(ConfigError, match="1 crop at a time") as caught:
        train(recipe, runs=tmp_path / "runs")
    assert "train.batch=2" in caught.value.hint
    assert not (tmp_path / "runs").exists()


def test_a_bundle_that_was_saved_gives_the_same_logits(trained):
    images = torch.randn(1, 3, 40, 56)
    with torch.no_grad():
        assert torch.equal(load(trained.path).network(images), trained.bundle.network(images))

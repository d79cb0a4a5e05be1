"""Whole trainings of a second: what a run leaves behind, what it repeats, and what it is refused for."""

import logging
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.runs import painted_town, tiny
from helpers.sample import FAST
from PIL import Image
from torch import nn

from geoseg.bundle import load, read_card
from geoseg.config.load import load_recipe, parse_recipe
from geoseg.config.recipe import Recipe
from geoseg.errors import ConfigError, DataError, GeosegError
from geoseg.losses.build import WeightedSum
from geoseg.training.checkpoint import Checkpoint
from geoseg.training.loggers import read_metrics
from geoseg.training.module import TrainingModule
from geoseg.training.train import TrainingResult, train
from geoseg.training.validation import Validation, Validator
from geoseg.training.weight_average import AveragedNetwork

torch.set_num_threads(1)  # what is computed in parts is added up in another order
pytestmark = [
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),  # Python 3.12 on forks
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # more workers than cores
]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return painted_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def plain(root, tmp_path_factory) -> TrainingResult:
    """The tiny recipe as it is."""
    return train(tiny(root), runs=tmp_path_factory.mktemp("plain"))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Curves take half of the time, and are drawn from nothing but the log; ``plain`` has drawn some."""
    monkeypatch.setattr("geoseg.training.trainer.draw_curves", lambda *_, **__: None)


def weights(training: TrainingResult) -> dict[str, torch.Tensor]:
    """All that a run came to: the last weights and those of the best bundle."""
    best = {f"best {name}": value for name, value in training.bundle.network.state_dict().items()}
    return {**Checkpoint.load(training.run).network, **best}


def is_equal(one: TrainingResult, other: TrainingResult) -> bool:
    mine, theirs = weights(one), weights(other)
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def rows(training: TrainingResult, column: str) -> list[float]:
    return [float(row[column]) for row in read_metrics(training.run / "log" / "metrics.csv") if row[column]]


def test_a_run_leaves_recipe_logs_pictures_checkpoint_and_bundle(plain, root):
    assert {path.name for path in plain.run.iterdir()} == {
        ".lock", "recipe.yaml", "log", "last.ckpt", "best.safetensors", "curves.png", "validation.png",
    }  # fmt: skip
    assert {path.name for path in (plain.run / "log").iterdir()} == {"metrics.csv", "tensorboard"}
    assert (plain.run.parent / "latest").resolve() == plain.run.resolve()
    assert load_recipe(str(plain.run / "recipe.yaml")) == tiny(root)
    assert Checkpoint.load(plain.run).finished
    for name in ("curves.png", "validation.png"):
        with Image.open(plain.run / name) as picture:
            assert picture.format == "PNG"


def test_the_log_tells_of_every_validation(plain):
    assert rows(plain, "iteration") == [4, 8, 12]
    assert rows(plain, "learning_rate")[-1] == pytest.approx(1e-4)
    for column in ("loss", "images_per_second", "memory_gb", "mean_iou", "iou road", "mean_iou dry", "mean_iou wet"):
        assert len(rows(plain, column)) == 3
        assert all(math.isfinite(value) for value in rows(plain, column))


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


@pytest.mark.parametrize("workers", [0, 2, 4])
def test_the_same_seed_gives_the_same_weights_whoever_cuts_the_crops(plain, root, tmp_path, workers):
    assert is_equal(plain, train(tiny(root, train={"workers": workers}), runs=tmp_path))


def test_another_seed_gives_other_weights(plain, root, tmp_path):
    assert not is_equal(plain, train(tiny(root, train={"seed": 1}), runs=tmp_path))


def test_how_often_is_saved_and_validated_changes_no_weight(plain, root, tmp_path):
    other = train(tiny(root, train={"checkpoint_every": 1, "validate_every": 12}), runs=tmp_path)
    last = [Checkpoint.load(each.run).network for each in (plain, other)]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[0])


def test_a_batch_in_parts_trains_like_a_whole_one_where_no_norm_sees_the_batch(root, tmp_path, monkeypatch):
    """Without dropout, and without padding: a mean over labelled pixels is that of its parts if all are labelled."""
    monkeypatch.setattr(nn.BatchNorm2d, "train", lambda norm, _mode=True: nn.Module.train(norm, mode=False))
    still = {"head": {"name": "fcn", "channels": 8, "dropout": 0.0}}
    whole, parts = (
        train(
            tiny(
                root,
                model={"backbone": "lcnet_050", "output_stride": 16, "auxiliary_weight": 0} | still,
                augment={"scale": [1.0, 1.0]},
                train={"accumulate": accumulate, "validate_every": 2},
            ),
            runs=tmp_path,
            name=f"in {accumulate}",
        )
        for accumulate in (1, 2)
    )
    assert rows(parts, "loss") == pytest.approx(rows(whole, "loss"), rel=1e-4)
    assert len(set(rows(whole, "loss"))) == 6
    last, same = (Checkpoint.load(each.run).network for each in (whole, parts))
    assert all(torch.allclose(last[name], same[name], rtol=1e-3, atol=1e-5) for name in last)


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_narrow_arithmetic_trains_nearly_the_same(plain, root, tmp_path, precision):
    narrow = train(tiny(root, train={"precision": precision}), runs=tmp_path)
    assert rows(narrow, "loss") == pytest.approx(rows(plain, "loss"), rel=0.05)
    assert {value.dtype for value in weights(narrow).values() if value.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("channels_last", [None, False, True])
def test_channels_lie_last_where_requested_and_the_loss_is_the_same(plain, root, tmp_path, monkeypatch, channels_last):
    seen, forward = [], TrainingModule.forward

    def watched(step, *batch):
        weight = next(each.weight for each in step.network.modules() if isinstance(each, nn.Conv2d))
        seen.append(weight.is_contiguous(memory_format=torch.channels_last))
        return forward(step, *batch)

    monkeypatch.setattr(TrainingModule, "forward", watched)
    other = train(tiny(root, train={"channels_last": channels_last}), runs=tmp_path)
    assert set(seen) == {channels_last is True}  # this is a CPU
    assert rows(other, "loss") == pytest.approx(rows(plain, "loss"), rel=1e-3)


def test_adamw_with_a_cosine_a_warm_up_and_a_limit_brings_the_loss_down(root, tmp_path):
    settings = {
        "optimizer": "adamw", "learning_rate": 0.01, "schedule": "cosine", "warmup": 3, "clip_gradient": 1.0,
        "iterations": 120, "validate_every": 20,
    }  # fmt: skip
    still = {"hue": 0, "saturation": 0, "contrast": 0, "brightness": 0, "scale": (1, 1)}
    training = train(tiny(root, train=settings, augment=still), runs=tmp_path)
    assert rows(training, "iteration") == [20, 40, 50, 60, 80, 100, 120]
    assert rows(training, "learning_rate")[-1] == pytest.approx(1e-4)
    assert max(rows(training, "loss")[-2:]) < 0.99 * math.log(3)  # of a network that knows nothing


def test_the_averaged_weights_are_those_that_are_kept(root, tmp_path, monkeypatch):
    """The average is made again, step by step, from what the network was before it and after each."""
    seen, update = [], AveragedNetwork.update

    def noted(averaged, network, iteration):
        networks = (averaged.network, network) if iteration == 1 else (network,)
        seen.extend({name: value.double() for name, value in each.state_dict().items()} for each in networks)
        update(averaged, network, iteration)

    monkeypatch.setattr(AveragedNetwork, "update", noted)
    training = train(tiny(root, train={"average": 0.8, "validate_every": 12}), runs=tmp_path)
    held, kept = Checkpoint.load(training.run), training.bundle.network.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in held.average.items())
    assert any(not torch.equal(kept[name], value) for name, value in held.network.items())
    for name, value in kept.items():
        expected = seen[0][name]
        for t, after in enumerate(seen[1:], start=1):
            keep = min(0.8, (1 + t) / (10 + t))
            expected = keep * expected + (1 - keep) * after[name]
        if value.is_floating_point():
            assert torch.allclose(value.double(), expected, rtol=1e-4, atol=1e-5), name


def scored(monkeypatch, scores: list[float], name: str = "mean_iou") -> None:
    """Validations come to these scores, one after another, whatever the network is."""
    coming, run, real = iter(scores), Validator.run, Validation.scores

    def validated(validator, *given):
        found = run(validator, *given)
        object.__setattr__(found, "wanted", next(coming))
        return found

    monkeypatch.setattr(Validator, "run", validated)
    monkeypatch.setattr(
        Validation, "scores", lambda found: real(found) | ({name: found.wanted} if hasattr(found, "wanted") else {})
    )


def test_a_run_without_a_better_score_ends_early(root, tmp_path, monkeypatch, caplog):
    scored(monkeypatch, [0.1, 0.3, 0.2, 0.3, 0.9])
    with caplog.at_level(logging.INFO, "geoseg"):
        training = train(tiny(root, train={"validate_every": 2, "patience": 2}), runs=tmp_path)
    assert "Stopped early: mean_iou did not improve in 2 validations." in caplog.text
    assert rows(training, "mean_iou") == [0.1, 0.3, 0.2, 0.3]
    held = Checkpoint.load(training.run)
    assert (held.finished, held.state.iteration, held.state.best_iteration) == (True, 8, 4)
    assert training.bundle.card.provenance["iteration"] == "4"


def test_the_best_is_chosen_by_the_score_that_the_recipe_names(root, tmp_path, monkeypatch):
    scored(monkeypatch, [0.2, 0.5, 0.4], "iou road")
    training = train(tiny(root, train={"monitor": "iou road"}), runs=tmp_path)
    assert training.bundle.card.scores["iou road"] == 0.5
    assert training.bundle.card.provenance["iteration"] == "8"


def test_a_score_that_is_none_is_refused_before_anything_is_prepared(tmp_path):
    town = painted_town(tmp_path / "town", height=40, width=40)
    with pytest.raises(ConfigError, match=r"train\.monitor: unknown score 'iou roads'") as caught:
        train(tiny(town, train={"monitor": "iou roads"}), runs=tmp_path / "runs")
    assert "iou road" in caught.value.hint
    assert {path.name for path in tmp_path.iterdir()} == {"town"}
    assert not (town / "prepared").exists()


def test_a_log_that_is_not_installed_is_refused_before_anything_is_prepared(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    town = painted_town(tmp_path / "town", height=40, width=40)
    with pytest.raises(ConfigError, match="wandb, which is not installed"):
        train(tiny(town, train={"loggers": ["wandb"]}), runs=tmp_path / "runs")
    assert not (town / "prepared").exists()


def test_prepared_scenes_are_used_again(plain, root, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "geoseg"):
        train(tiny(root, train={"iterations": 1}), runs=tmp_path)
    assert "using the prepared scenes" in caplog.text


def test_a_loss_that_is_no_number_ends_the_run_and_names_scenes_and_windows(root, tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.losses.build.WeightedSum.forward", lambda *_: torch.tensor(np.nan, requires_grad=True))
    with pytest.raises(
        GeosegError, match=r"the loss is nan at iteration 0, on (dry|wet)/a \(row .*pixels\); "
    ) as caught:
        train(tiny(root), runs=tmp_path)
    assert caught.value.message.count("pixels)") == 4
    assert not list(tmp_path.iterdir())


def test_a_loss_that_becomes_no_number_leaves_the_last_good_checkpoint(root, tmp_path, monkeypatch):
    forward, steps = WeightedSum.forward, iter(range(100))
    monkeypatch.setattr(WeightedSum, "forward", lambda *given: forward(*given) * (np.nan if next(steps) == 7 else 1.0))
    with pytest.raises(GeosegError, match="the loss is nan at iteration 7, "):
        train(tiny(root), runs=tmp_path)
    held = Checkpoint.load(tmp_path / "tiny")
    assert held.state.iteration == 6
    assert read_metrics(tmp_path / "tiny/log/metrics.csv")[-1]["iteration"] == "8"
    assert all(value.isfinite().all() for value in held.network.values())


def test_weights_that_become_no_numbers_are_neither_saved_nor_validated(root, tmp_path, monkeypatch):
    step, steps = torch.optim.SGD.step, iter(range(100))

    def spoiling(optimizer, *given, **named):
        step(optimizer, *given, **named)
        if next(steps) == 5:
            optimizer.param_groups[0]["params"][0].data.fill_(np.nan)

    monkeypatch.setattr(torch.optim.SGD, "step", spoiling)
    with pytest.raises(GeosegError, match=r"weights are not finite after iteration 6, on (dry|wet)/a \(row"):
        train(tiny(root), runs=tmp_path)
    assert Checkpoint.load(tmp_path / "tiny").state.iteration == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": {"head": {"name": "fcn", "chanels": 8}}}, "the head fcn has no option 'chanels'"),
        ({"train": {"sampler": {"name": "balanced", "share": {}}}}, "the sampler balanced has no option 'share'"),
    ],
)
def test_what_is_wrong_with_parts_is_said_before_anything_is_prepared(tmp_path, changes, sentence):
    town = painted_town(tmp_path / "town", height=40, width=40)
    with pytest.raises(ConfigError, match=sentence):
        train(tiny(town, **changes), runs=tmp_path / "runs")
    assert not (town / "prepared").exists()


def test_a_sampler_that_asks_too_much_is_refused_before_the_run_has_a_folder(root, tmp_path):
    sampler = {"name": "balanced", "shares": {"roof": 0.9, "road": 0.5}}
    with pytest.raises(ConfigError, match=r"the shares add up to 1\.4"):
        train(tiny(root, train={"sampler": sampler}), runs=tmp_path)
    assert not list(tmp_path.iterdir())


def test_want_of_memory_is_one_sentence(root, tmp_path, monkeypatch):
    def spent(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("geoseg.losses.build.WeightedSum.forward", spent)
    with pytest.raises(GeosegError, match="out of memory while running the network") as caught:
        train(tiny(root), runs=tmp_path)
    assert "train.accumulate" in caught.value.hint
    assert not list(tmp_path.iterdir())


def without(recipe: Recipe, **splits: str) -> Recipe:
    content = recipe.model_dump(mode="json")
    content["data"]["splits"] = splits
    return parse_recipe(content)


def test_a_recipe_without_validation_scenes_is_refused_before_training(root, tmp_path):
    with pytest.raises(DataError, match="'val'"):
        train(without(tiny(root), train="*/a"), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_batch_too_small_for_the_head_is_refused_before_the_run_begins(trained, tmp_path):
    prepared = trained.run.parent.parent / "prepared"
    recipe = load_recipe("sample.yaml", [*FAST, f"data.prepared={prepared}", "train.batch=1"])
    with pytest.raises(ConfigError, match="cannot train on 1 crop per forward pass") as caught:
        train(recipe, runs=tmp_path / "runs")
    assert "train.batch=2" in caught.value.hint
    assert not (tmp_path / "runs").exists()


def test_a_bundle_that_was_saved_gives_the_same_logits(trained):
    images = torch.randn(1, 3, 40, 56)
    with torch.no_grad():
        assert torch.equal(load(trained.path).network(images), trained.bundle.network(images))

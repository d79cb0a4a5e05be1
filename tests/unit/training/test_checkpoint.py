"""Checkpoints: whole or not there, and good only for the run they are of."""

import errno
import tempfile
from functools import reduce
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies_training import tiny

from geoseg.config.recipe import Recipe
from geoseg.errors import BundleError, ConfigError, DataError, OutputError
from geoseg.training.checkpoint import FREE, NAME, Checkpoint, Standing

RECIPE = tiny(Path("town"))


def checkpoint(recipe=RECIPE, **changes) -> Checkpoint:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.rand(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    values = {
        "recipe": recipe.model_dump(mode="json"),
        "data": "digest",
        "standing": Standing(7, 0.5, 4, 1),
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": {"weight": torch.rand(3, dtype=torch.float64)},
        "precision": {"scale": 65536.0},
    }
    return Checkpoint(**(values | changes))


def same(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


@pytest.mark.parametrize("standing", [Standing(), Standing(7, float("-inf"), 4, 1)])
def test_what_is_loaded_is_what_was_saved(tmp_path, standing):
    saved = checkpoint(standing=standing, finished=True)
    saved.save(tmp_path)
    assert same(vars(Checkpoint.load(tmp_path)), {**vars(saved), "network": dict(saved.network)})
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("unexpected pos 64 vs 0\nat inline_container")],
)
def test_a_checkpoint_that_cannot_be_written_leaves_the_older_one(tmp_path, monkeypatch, error):
    older = checkpoint()
    older.save(tmp_path)

    def half(_content, file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OutputError, match=r"last\.ckpt cannot be written: (No space left|unexpected pos 64 vs 0$)"):
        checkpoint().save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert same(Checkpoint.load(tmp_path).network, dict(older.network))


def test_a_folder_without_a_checkpoint_says_so(tmp_path):
    with pytest.raises(BundleError, match=r"has no last\.ckpt to go on from"):
        Checkpoint.load(tmp_path)


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("checkpoint")
    checkpoint().save(folder)
    return (folder / NAME).read_bytes()


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_checkpoint_that_was_cut_off_is_one_sentence(content, share):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NAME).write_bytes(content[: int(share * len(content))])
        with pytest.raises(BundleError, match="cannot be read") as caught:
            Checkpoint.load(Path(folder))
        assert "--fresh" in caught.value.hint


class Harm:
    """Does something when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_in_a_checkpoint_is_run(tmp_path):
    torch.save({"format": 1, "network": Harm(tmp_path / "harm")}, tmp_path / NAME)
    with pytest.raises(BundleError, match="cannot be read"):
        Checkpoint.load(tmp_path)
    assert not (tmp_path / "harm").exists()


def test_a_checkpoint_of_another_version_is_not_guessed_at(tmp_path):
    checkpoint().save(tmp_path)
    content = torch.load(tmp_path / NAME, weights_only=True)
    torch.save(content | {"format": 0}, tmp_path / NAME)
    with pytest.raises(BundleError, match="cannot be read"):
        Checkpoint.load(tmp_path)


def changed(name: str, value: object) -> Recipe:
    """The recipe with another value at a dotted name."""
    content = RECIPE.model_dump(mode="json")
    *sections, last = name.split(".")
    reduce(dict.__getitem__, sections, content)[last] = value
    return Recipe.model_validate(content)


OTHERS = {
    "name": "other", "description": "other", "data.root": "other", "data.prepared": "other", "train.device": "auto",
    "train.workers": 5, "train.checkpoint_every": 77, "train.loggers": ["wandb"],
}  # fmt: skip
DECISIVE = {
    "train.seed": 5, "train.iterations": 99, "train.average": 0.9, "train.precision": "bfloat16", "data.gsd": 0.5,
    "model.head.channels": 9, "loss": [{"name": "dice"}], "augment.hue": 0.0, "predict.halo": 4, "data.splits.val": "*/a",
}  # fmt: skip


def test_every_free_key_is_a_key_of_recipes():
    assert OTHERS.keys() == FREE


@pytest.mark.parametrize(("name", "value"), OTHERS.items())
def test_what_does_not_change_the_outcome_may_differ(name, value):
    assert changed(name, value) != RECIPE
    checkpoint().require_same(changed(name, value), "digest")


@pytest.mark.parametrize(("name", "value"), DECISIVE.items())
def test_what_changes_the_outcome_is_named(name, value):
    with pytest.raises(ConfigError, match=rf"the recipe has changed since the run was interrupted: {name}(\.\w+)?$"):
        checkpoint().require_same(changed(name, value), "digest")


def test_everything_that_has_changed_is_named():
    other = tiny(Path("town"), train={"seed": 1, "batch": 8, "workers": 3})
    with pytest.raises(ConfigError, match=r": train\.batch, train\.seed$"):
        checkpoint().require_same(other, "digest")


def test_other_data_is_another_run():
    with pytest.raises(DataError, match="the training data has changed"):
        checkpoint().require_same(RECIPE, "other digest")

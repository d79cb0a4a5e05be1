"""Tests of checkpoints: atomic writes, damage, and comparison of recipe and data on resume."""

import errno
import tempfile
from functools import reduce
from pathlib import Path

import pytest
import torch
from helpers.runs import tiny
from hypothesis import given
from hypothesis import strategies as st

from geoseg.config.recipe import Recipe
from geoseg.errors import BundleError, ConfigError, DataError, OutputError
from geoseg.training.checkpoint import CHECKPOINT_NAME, RESUMABLE_KEYS, Checkpoint, RunState

RECIPE = tiny(Path("town"))


def checkpoint(recipe=RECIPE, **changes) -> Checkpoint:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.rand(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    values = {
        "recipe": recipe.model_dump(mode="json"),
        "data": "digest",
        "state": RunState(7, 0.5, 4, 1),
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


@pytest.mark.parametrize("state", [RunState(), RunState(7, float("-inf"), 4, 1)])
def test_checkpoint_round_trip(tmp_path, state):
    saved = checkpoint(state=state, finished=True)
    saved.save(tmp_path)
    assert same(vars(Checkpoint.load(tmp_path)), {**vars(saved), "network": dict(saved.network)})
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("unexpected pos 64 vs 0\nat inline_container")],
)
def test_failed_write_keeps_older_checkpoint(tmp_path, monkeypatch, error):
    older = checkpoint()
    older.save(tmp_path)

    def write_half(_content, file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", write_half)
    with pytest.raises(OutputError, match=r"last\.ckpt cannot be written: (No space left|unexpected pos 64 vs 0$)"):
        checkpoint().save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]
    assert same(Checkpoint.load(tmp_path).network, dict(older.network))


def test_missing_checkpoint_is_an_error(tmp_path):
    with pytest.raises(BundleError, match=r"has no last\.ckpt to resume from"):
        Checkpoint.load(tmp_path)


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("checkpoint")
    checkpoint().save(folder)
    return (folder / CHECKPOINT_NAME).read_bytes()


@given(share=st.floats(0, 1, exclude_max=True))
def test_truncated_checkpoint_is_an_error(content, share):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / CHECKPOINT_NAME).write_bytes(content[: int(share * len(content))])
        with pytest.raises(BundleError, match="cannot be read") as caught:
            Checkpoint.load(Path(folder))
        assert "--fresh" in caught.value.hint


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save({"format": 1, "network": Malicious(tmp_path / "harm")}, tmp_path / CHECKPOINT_NAME)
    with pytest.raises(BundleError, match="cannot be read"):
        Checkpoint.load(tmp_path)
    assert not (tmp_path / "harm").exists()


def test_checkpoint_of_another_version_is_refused(tmp_path):
    checkpoint().save(tmp_path)
    content = torch.load(tmp_path / CHECKPOINT_NAME, weights_only=True)
    torch.save(content | {"format": 0}, tmp_path / CHECKPOINT_NAME)
    with pytest.raises(BundleError, match="cannot be read"):
        Checkpoint.load(tmp_path)


def changed(name: str, value: object) -> Recipe:
    """Return the recipe with another value at a dotted name."""
    content = RECIPE.model_dump(mode="json")
    *sections, last = name.split(".")
    reduce(dict.__getitem__, sections, content)[last] = value
    return Recipe.model_validate(content)


RESUMABLE = {
    "name": "other", "description": "other", "data.root": "other", "data.prepared": "other", "train.device": "auto",
    "train.workers": 5, "train.checkpoint_every": 77, "train.loggers": ["wandb"],
}  # fmt: skip
RELEVANT = {
    "train.seed": 5, "train.iterations": 99, "train.average": 0.9, "train.precision": "bfloat16", "data.gsd": 0.5,
    "model.head.channels": 9, "loss": [{"name": "dice"}], "augment.hue": 0.0, "predict.halo": 4, "data.splits.val": "*/a",
}  # fmt: skip


def test_all_resumable_keys_are_tested():
    assert RESUMABLE.keys() == RESUMABLE_KEYS


@pytest.mark.parametrize(("name", "value"), RESUMABLE.items())
def test_keys_that_do_not_affect_the_result_may_differ(name, value):
    assert changed(name, value) != RECIPE
    checkpoint().require_same(changed(name, value), "digest")


@pytest.mark.parametrize(("name", "value"), RELEVANT.items())
def test_changed_key_is_named(name, value):
    with pytest.raises(ConfigError, match=rf"the recipe has changed since the run was interrupted: {name}(\.\w+)?$"):
        checkpoint().require_same(changed(name, value), "digest")


def test_all_changed_keys_are_named():
    other = tiny(Path("town"), train={"seed": 1, "batch": 8, "workers": 3})
    with pytest.raises(ConfigError, match=r": train\.batch, train\.seed$"):
        checkpoint().require_same(other, "digest")


def test_changed_data_are_refused():
    with pytest.raises(DataError, match="the training data has changed"):
        checkpoint().require_same(RECIPE, "other digest")

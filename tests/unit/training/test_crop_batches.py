"""Tests of training crops: independent of the number of processes and of resuming."""

import pytest
import torch
from helpers.prepared import data_section, labelled_folder, striped
from helpers.rasters import noise
from hypothesis import given
from hypothesis import strategies as st

from geoseg.config.recipe import Recipe
from geoseg.data.crops.build_augmentation import build_augmentation
from geoseg.data.preparation.prepare import prepare
from geoseg.training.crop_batches import CropNumbers, TrainingCrops

shares = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))
"""Processes, crops of each per iteration, iterations."""


@given(shares, st.data())
def test_processes_share_the_crops_of_each_iteration(share, data):
    processes, each, iterations = share
    batch, done = processes * each, data.draw(st.integers(0, iterations))
    all_shares = [CropNumbers(iterations, batch, rank=r, processes=processes, done=done) for r in range(processes)]
    assert {len(mine) for mine in all_shares} == {(iterations - done) * each}
    for step in range(iterations - done):
        cut = [number for mine in all_shares for number in mine[step * each : (step + 1) * each]]
        assert sorted(cut) == list(range((done + step) * batch, (done + step + 1) * batch))


@given(shares, st.data())
def test_resumed_numbers_are_the_rest_of_all_numbers(share, data):
    processes, each, iterations = share
    rank, done = data.draw(st.integers(0, processes - 1)), data.draw(st.integers(0, iterations))
    given_ = {"rank": rank, "processes": processes}
    whole = list(CropNumbers(iterations, processes * each, **given_))
    assert list(CropNumbers(iterations, processes * each, **given_, done=done)) == whole[done * each :]


@given(shares)
def test_process_takes_every_nth_crop_from_its_rank(share):
    """Which process takes which is said in the docstring, and holds for checkpoints' sake."""
    processes, each, iterations = share
    for rank in range(processes):
        mine = CropNumbers(iterations, processes * each, rank=rank, processes=processes)
        assert list(mine) == list(range(rank, iterations * processes * each, processes))


@pytest.mark.parametrize("place", [-1, 6])
def test_index_out_of_range_is_an_error(place):
    with pytest.raises(IndexError):
        CropNumbers(3, 4, processes=2)[place]


def of(recipe, **changes) -> Recipe:
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=changes)})


def stacked(loader) -> torch.Tensor:
    return torch.cat([crop.image for crop in loader])


def test_micro_batches_of_two_processes_equal_those_of_one(recipe, prepared):
    whole = stacked(TrainingCrops(of(recipe, iterations=2), prepared).loader(0))
    halves = [
        TrainingCrops(of(recipe, iterations=2, accumulate=2), prepared, rank=rank, processes=2).loader(0)
        for rank in (0, 1)
    ]
    assert [len(loader) for loader in halves] == [4, 4]
    assert torch.equal(torch.stack([stacked(loader) for loader in halves], dim=1).flatten(0, 1), whole)


def test_crops_continue_after_completed_iterations(recipe, prepared):
    crops = TrainingCrops(of(recipe, iterations=3), prepared)
    assert torch.equal(stacked(crops.loader(2)), stacked(crops.loader(0))[8:])


def test_description_has_scene_and_window_of_crops(recipe, prepared):
    crops = TrainingCrops(of(recipe, batch=6), prepared)
    named = crops.describe(3)
    plan = crops.sampler.plan(18)
    window = f"(row {plan.window.row}, column {plan.window.col}, {plan.window.height} x {plan.window.width} pixels)"
    assert named.startswith(f"{crops.scenes[plan.scene].name} {window}; ")
    assert named.endswith(" and 2 more")
    assert named.count("pixels)") == 4
    assert "more" not in TrainingCrops(recipe, prepared).describe(0)


def test_augmentation_uses_the_measured_value_range(recipe, prepared, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr("geoseg.data.crops.build_augmentation.Augmentation", lambda _, **given: made.append(given))
    image = noise(3, 40, 48, low=100, high=3000, dtype="uint16")
    section = data_section(labelled_folder(tmp_path, label=striped(40, 48), image=image))
    for data in (prepared, prepare(section, "wide")):
        build_augmentation(recipe.augment, data)
    bytes_range, measured = ((given["smallest"], given["largest"]) for given in made)
    assert bytes_range == (0, 255)
    assert measured == (image.min(), image.max())

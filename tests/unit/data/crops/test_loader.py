"""Batches: crop i is the same in every process and at every time."""

import gc
import multiprocessing

import numpy as np
import pytest
import torch
from helpers.prepared import prepared_scene, striped

from geoseg.augment import Augmentation
from geoseg.config.recipe import AugmentSection
from geoseg.data.crops.loader import TERMINATION_GRACE_S, CropDataset, CropLoader
from geoseg.data.crops.read_crop import Crop
from geoseg.data.crops.samplers.random import RandomSampler
from geoseg.errors import SceneError

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two small scenes."""
    folder = tmp_path_factory.mktemp("prepared")
    return [prepared_scene(folder, striped(40 + 9 * n, 50), name=f"scene {n}") for n in range(2)]


def crops(scenes, *, seed=0, changed=True, count=10) -> CropDataset:
    change = Augmentation(AugmentSection(rotate90=0.5), largest=255, is_rgb=True) if changed else None
    return CropDataset(
        scenes, RandomSampler(scenes, 16, (0.5, 2.0), seed=seed), range(count), transform=change, seed=seed
    )


def equal(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def all_end(processes) -> bool:
    """Whether all end by and by: on a busy machine the end of a fork of a large process takes its time."""
    for process in processes:
        process.join(3 * TERMINATION_GRACE_S)
    return not any(process.is_alive() for process in processes)


def test_a_crop_is_the_same_whenever_it_is_asked_for(scenes) -> None:
    first, again = crops(scenes), crops(scenes)
    backwards = {number: again[number] for number in reversed(range(10))}
    assert all(equal(first[number], backwards[number]) for number in range(10))


def test_another_seed_gives_other_crops(scenes) -> None:
    assert not any(torch.equal(crops(scenes)[n].image, crops(scenes, seed=1)[n].image) for n in range(10))


def test_changes_differ_from_crop_to_crop(scenes) -> None:
    drawn = []

    def noted(image, target, valid, rng):
        drawn.append(rng.random())
        return image, target, valid

    made = CropDataset(scenes, RandomSampler(scenes, 16, (1, 1), seed=0), range(5), transform=noted)
    for number in (0, 1, 2, 0):
        made[number]
    assert drawn[0] == drawn[3]
    assert len(set(drawn)) == 3


def test_without_change_crops_are_as_they_were_cut(scenes) -> None:
    made = crops(scenes, changed=False)
    plan = made.sampler.plan(3)
    inside = plan.window.clip_to(scenes[plan.scene].height, 50)
    assert made[3].valid.any() == (not inside.is_empty)
    assert set(np.unique(made[3].target)) <= {0, 1, 2, 255}


def test_batches_are_crops_in_order_with_their_fields_stacked(scenes) -> None:
    made = crops(scenes)
    assert len(made) == 10
    found = list(CropLoader(made, batch=4, workers=0))
    assert [tuple(each.image.shape) for each in found] == [(4, 3, 16, 16), (4, 3, 16, 16), (2, 3, 16, 16)]
    assert torch.equal(found[1].target[2], made[6].target)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 on forks of threaded processes
def test_worker_processes_change_nothing_but_the_time(scenes) -> None:
    alone, together = (list(CropLoader(crops(scenes), batch=4, workers=workers)) for workers in (0, 2))
    assert len(alone) == len(together) == 3
    assert all(equal(a, b) for a, b in zip(alone, together, strict=True))


class Broken:
    """Crops of which the third cannot be read."""

    numbers = range(10)

    def __len__(self) -> int:
        return 10

    def __getitem__(self, place):
        if place == 3:
            raise SceneError("b.tif cannot be read", "is its disk there?")
        return Crop(*(torch.full((2, 2), place) for _ in range(3)))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_what_goes_wrong_with_a_crop_is_raised_as_it_is(workers) -> None:
    others = set(multiprocessing.active_children())
    batches = iter(CropLoader(Broken(), batch=2, workers=workers))
    assert torch.equal(next(batches).image[1], torch.full((2, 2), 1))
    processes = set(multiprocessing.active_children()) - others
    assert len(processes) == workers
    with pytest.raises(SceneError) as caught:
        next(batches)
    assert (caught.value.message, caught.value.hint) == ("b.tif cannot be read", "is its disk there?")
    del caught, batches
    gc.collect()  # what the error's traceback holds, too
    assert all_end(processes)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_workers_end_with_the_iterator(scenes) -> None:
    others = set(multiprocessing.active_children())
    batches = iter(CropLoader(crops(scenes), batch=2, workers=2))
    next(batches)
    processes = set(multiprocessing.active_children()) - others
    assert len(processes) == 2
    del batches
    gc.collect()
    assert all_end(processes)


def test_batches_are_counted(scenes) -> None:
    assert len(CropLoader(crops(scenes), batch=4, workers=0)) == 3


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_torchs_random_numbers_are_left_alone_once_batches_have_begun(scenes, workers) -> None:
    batches = iter(CropLoader(crops(scenes), batch=2, workers=workers))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for _ in batches:
        assert torch.equal(torch.get_rng_state(), before)

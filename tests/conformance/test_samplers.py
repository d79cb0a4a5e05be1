"""What every sampler promises. A sampler is tested by being there."""

import numpy as np
import pytest
import torch
from helpers.prepared import prepared_scene, striped

from geoseg.data.crops.loader import CropDataset, CropLoader
from geoseg.data.crops.read_crop import cut_crop
from geoseg.data.crops.samplers import samplers
from geoseg.grid.window import Window

every_sampler = pytest.mark.parametrize("name", samplers.names())

SHAPES = [(21, 34), (9, 40)]
SIZE = 12
CLASSES = ("field", "wood", "town")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two scenes, one of them lower than a crop."""
    folder = tmp_path_factory.mktemp("prepared")
    return [prepared_scene(folder, striped(*shape, side=2), name=str(n)) for n, shape in enumerate(SHAPES)]


def built(name, scenes, *, seed=0, scale=(1.0, 1.0)):
    return samplers.build(name, {}, scenes=scenes, size=SIZE, scale=scale, seed=seed, classes=CLASSES)


@every_sampler
def test_windows_lie_where_they_promise(name, scenes) -> None:
    for number in range(60):
        plan = built(name, scenes, scale=(0.5, 2.0)).plan(number)
        scene = scenes[plan.scene]
        assert plan.size == SIZE
        assert not plan.window.clip_to(scene.height, scene.width).is_empty
        assert plan.shape is None or max(plan.shape) <= SIZE
        assert plan.core is None or Window(0, 0, SIZE, SIZE).contains(plan.core)
        assert cut_crop(scene, plan).image.shape == (3, SIZE, SIZE)


@every_sampler
def test_every_pixel_of_every_scene_is_reached(name, scenes) -> None:
    sampler, count = built(name, scenes), [np.zeros(shape, int) for shape in SHAPES]
    for plan in map(sampler.plan, range(4000)):
        part = plan.window if plan.core is None else plan.core.shift(plan.window.row, plan.window.col)
        count[plan.scene][part.clip_to(*SHAPES[plan.scene]).slices()] += 1
    assert all((each > 0).all() for each in count)


@every_sampler
def test_a_seed_repeats_its_plans_in_any_order_and_another_gives_others(name, scenes) -> None:
    first, again, other = built(name, scenes), built(name, scenes), built(name, scenes, seed=1)
    plans = [first.plan(number) for number in range(40)]
    assert [again.plan(number) for number in reversed(range(40))] == plans[::-1]
    assert [other.plan(number) for number in range(40)] != plans


@every_sampler
def test_plans_go_on_without_end(name, scenes) -> None:
    assert built(name, scenes).plan(10**9).size == SIZE


@every_sampler
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 on forks of threaded processes
def test_batches_do_not_depend_on_the_number_of_workers(name, scenes) -> None:
    crops = CropDataset(scenes, built(name, scenes, scale=(0.5, 2.0)), range(12))
    alone, together = (list(CropLoader(crops, batch=5, workers=workers)) for workers in (0, 2))
    assert len(alone) == len(together) == 3
    for a, b in zip(alone, together, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_the_grid_reaches_every_pixel_exactly_once_a_round(scenes) -> None:
    sampler, count = built("grid", scenes), [np.zeros(shape, int) for shape in SHAPES]
    for plan in map(sampler.plan, range(len(sampler))):
        count[plan.scene][plan.core.shift(plan.window.row, plan.window.col).slices()] += 1
    assert all((each == 1).all() for each in count)

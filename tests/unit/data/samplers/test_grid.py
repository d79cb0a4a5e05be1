"""The grid sampler: every pixel once, in order or in a new order each time round."""

import pytest
from strategies_data import prepared_scene, striped

from geoseg.data.crop import cut
from geoseg.data.samplers.grid import GridSampler
from geoseg.errors import ConfigError
from geoseg.legend import IGNORE_INDEX


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two scenes, one narrower than a tile."""
    folder = tmp_path_factory.mktemp("prepared")
    return [prepared_scene(folder, striped(*shape), name=str(n)) for n, shape in enumerate([(30, 41), (25, 9)])]


@pytest.mark.parametrize("halo", [0, 3])
def test_counts_over_all_crops_are_counts_over_the_scenes(scenes, halo) -> None:
    sampler = GridSampler(scenes, 16, halo=halo)
    targets = [cut(scenes[plan.scene], plan).target for plan in map(sampler.plan, range(len(sampler)))]
    assert sum(int((target != IGNORE_INDEX).sum()) for target in targets) == 30 * 41 + 25 * 9
    assert all(target.shape == (16, 16) for target in targets)


def test_without_a_seed_tiles_come_scene_by_scene_and_begin_again(scenes) -> None:
    sampler = GridSampler(scenes, 16)
    assert [sampler.plan(n).scene for n in range(len(sampler))] == [0] * 6 + [1] * 2
    assert sampler.plan(len(sampler) + 3) == sampler.plan(3)


def test_with_a_seed_every_round_is_a_new_order_of_all_tiles(scenes) -> None:
    sampler = GridSampler(scenes, 8, seed=4)
    rounds = [[sampler.plan(turn * len(sampler) + n) for n in range(len(sampler))] for turn in range(2)]
    assert rounds[0] != rounds[1]
    assert all(set(each) == set(sampler.plans) and len(each) == len(sampler) for each in rounds)


def test_a_halo_that_leaves_no_core_is_refused(scenes) -> None:
    with pytest.raises(ConfigError, match="leaves nothing"):
        GridSampler(scenes, 16, halo=8)

"""The grid sampler: every pixel once, or the windows of a published cutter, in order or in a new order each time round."""

import numpy as np
import pytest
from helpers.prepared import prepared_scene, striped

from geoseg.data.crops.loader import CropDataset, CropLoader
from geoseg.data.crops.read_crop import cut_crop
from geoseg.data.crops.samplers import samplers
from geoseg.data.crops.samplers.grid import GridSampler
from geoseg.errors import ConfigError
from geoseg.grid.patch_positions import PATCH_RULES, patch_windows
from geoseg.legend import IGNORE_INDEX


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two scenes, one narrower than a tile."""
    folder = tmp_path_factory.mktemp("prepared")
    return [prepared_scene(folder, striped(*shape), name=str(n)) for n, shape in enumerate([(30, 41), (25, 9)])]


@pytest.mark.parametrize("halo", [0, 3])
def test_counts_over_all_crops_are_counts_over_the_scenes(scenes, halo) -> None:
    sampler = GridSampler(scenes, 16, halo=halo)
    targets = [cut_crop(scenes[plan.scene], plan).target for plan in map(sampler.plan, range(len(sampler)))]
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


@pytest.mark.parametrize("rule", PATCH_RULES)
@pytest.mark.parametrize("seed", [None, 3])
def test_windows_of_a_rule_are_those_of_the_cutter_each_once_a_round(scenes, rule, seed) -> None:
    sampler = GridSampler(scenes, 16, rule=rule, seed=seed)
    planned = [(plan.scene, plan.window) for plan in map(sampler.plan, range(len(sampler)))]
    cut = [(n, w) for n, scene in enumerate(scenes) for w in patch_windows(scene.height, scene.width, rule, size=16)]
    assert sorted(planned) == sorted(cut)
    assert (planned == cut) == (seed is None)


def test_windows_of_a_rule_count_whole_and_are_padded_beyond_the_scene(scenes) -> None:
    sampler = GridSampler(scenes[1:], 16, rule="isprs")
    for plan in map(sampler.plan, range(len(sampler))):
        crop = cut_crop(scenes[1], plan)
        assert np.array_equal(crop.target[:, :9], scenes[1].mask[plan.window.row : plan.window.row_stop])
        assert (crop.target[:, 9:] == IGNORE_INDEX).all()
        assert not crop.valid[:, 9:].any()


def test_a_stride_is_kept(scenes) -> None:
    sampler = GridSampler(scenes[:1], 16, rule="plain", stride=5)
    rows = sorted({plan.window.row for plan in sampler.plans})
    assert rows == [0, 5, 10, 14]


def test_no_window_is_left_out_when_batches_do_not_come_out_even(scenes) -> None:
    sampler = GridSampler(scenes, 16)
    found = list(CropLoader(CropDataset(scenes, sampler, range(len(sampler))), batch=3, workers=0))
    assert [len(batch.target) for batch in found] == [3, 3, 2]
    assert sum(int((batch.target != IGNORE_INDEX).sum()) for batch in found) == 30 * 41 + 25 * 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 8}, "tiles have no stride"),
        ({"rule": "isrps"}, "sampler grid: rule: 'isrps' is not valid"),
        ({"rule": "plain", "stride": 0}, "sampler grid: stride: 0 is not valid"),
        ({"halo": -1}, "sampler grid: halo: -1 is not valid"),
    ],
)
def test_options_that_make_no_grid_are_refused(scenes, options, message) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        samplers.build("grid", options, scenes=scenes, size=16, scale=(1, 1), seed=0, classes="abc")
    assert error.value.hint


def test_a_halo_that_leaves_no_core_is_refused(scenes) -> None:
    with pytest.raises(ConfigError, match="leaves no pixels"):
        GridSampler(scenes, 16, halo=8)

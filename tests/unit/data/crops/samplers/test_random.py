"""The random sampler: where it looks, how often, and what it turns down."""

import tempfile

import numpy as np
import pytest
from helpers.prepared import prepared_scene, striped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoseg.data.crops.samplers import samplers
from geoseg.data.crops.samplers.random import RandomSampler
from geoseg.errors import ConfigError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX


def scenes_of(folder, *masks, **options):
    return [prepared_scene(folder, mask, name=str(n), **options) for n, mask in enumerate(masks)]


@given(height=st.integers(1, 60), width=st.integers(1, 60), size=st.integers(1, 40), number=st.integers(0, 2**40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_a_window_lies_in_its_scene_and_is_as_large_as_its_magnification_allows(
    tmp_path, height, width, size, number
) -> None:
    folder = tempfile.mkdtemp(dir=tmp_path)  # replacing files makes disks wait
    scenes = scenes_of(folder, striped(height, width))
    plan = RandomSampler(scenes, size, (0.5, 2.0), seed=1).plan(number)
    assert Window(0, 0, height, width).contains(plan.window)
    for read, length, filled in zip(plan.window.shape, (height, width), plan.shape or (size, size), strict=True):
        assert filled <= size
        assert read == length or (filled == size and size / 2 - 1 <= read <= size * 2 + 1)


def test_larger_scenes_are_drawn_more_often(tmp_path) -> None:
    scenes = scenes_of(tmp_path, striped(60, 60), striped(20, 60))
    sampler = RandomSampler(scenes, 8, (1, 1), seed=0)
    share = np.mean([sampler.plan(number).scene == 0 for number in range(400)])
    assert share == pytest.approx(0.75, abs=0.08)


def test_magnifications_fill_their_range(tmp_path) -> None:
    sampler = RandomSampler(scenes_of(tmp_path, striped(99, 99)), 32, (0.5, 2.0), seed=0)
    sides = [sampler.plan(number).window.height for number in range(300)]
    assert min(sides) < 18
    assert max(sides) > 55
    assert np.mean(np.array(sides) < 32 / 1.25) == pytest.approx(0.5, abs=0.1)


def share_of_commonest(scene, window: Window) -> float:
    labels = scene.read_mask(window)
    counts = np.bincount(labels[labels != IGNORE_INDEX], minlength=1)
    return counts.max() / max(counts.sum(), 1)


def test_windows_of_one_class_are_turned_down_where_others_can_be_found(tmp_path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 1
    scene = scenes_of(tmp_path, mask)[0]
    windows = [RandomSampler([scene], 16, (1, 1), seed=0, attempts=50).plan(number).window for number in range(60)]
    assert all(share_of_commonest(scene, window) <= 0.75 for window in windows)
    lazy = [RandomSampler([scene], 16, (1, 1), seed=0, attempts=1).plan(number).window for number in range(60)]
    assert sum(share_of_commonest(scene, window) > 0.75 for window in lazy) > 20


def test_windows_without_labels_are_turned_down(tmp_path) -> None:
    mask = np.full((64, 64), IGNORE_INDEX, np.uint8)
    mask[24:40, 24:40] = striped(16, 16)
    sampler = RandomSampler(scenes_of(tmp_path, mask), 16, (1, 1), seed=0, attempts=100)
    found = [sampler.scenes[0].read_mask(sampler.plan(number).window) for number in range(40)]
    assert all((labels != IGNORE_INDEX).any() for labels in found)


def test_a_scene_of_one_class_is_taken_as_it_is(tmp_path) -> None:
    sampler = RandomSampler(scenes_of(tmp_path, np.zeros((32, 32), np.uint8)), 16, (1, 1), seed=0)
    assert sampler.plan(0).window.shape == (16, 16)


@pytest.mark.parametrize(
    "options", [{"largest_share": 0}, {"largest_share": 1.5}, {"attempts": 0}, {"pieces": "potsdam"}]
)
def test_options_that_make_no_sampler_are_refused(tmp_path, options) -> None:
    with pytest.raises(ConfigError, match=r"sampler random: .* is not valid"):
        samplers.build(
            "random", options, scenes=scenes_of(tmp_path, striped(9, 9)), size=8, scale=(1, 1), seed=0, classes="abc"
        )


LARGE = [(600, 1300), (512, 512), (300, 700)]
PIECES = {
    "image": [Window(0, 0, *shape) for shape in LARGE],
    "isprs": [
        *(Window(row, col, 512, 512) for row in (0, 88) for col in (0, 512, 788)),
        *(Window(0, 0, 512, 512), Window(0, 0, 300, 512), Window(0, 188, 300, 512)),
    ],
    "isaid": [Window(0, 0, 600, 896), Window(0, 404, 600, 896), Window(0, 0, 512, 512), Window(0, 0, 300, 700)],
}


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Scenes larger than published pieces, as large, and smaller."""
    return scenes_of(tmp_path_factory.mktemp("large"), *(striped(*shape, side=16) for shape in LARGE))


@pytest.mark.parametrize("pieces", PIECES)
def test_every_piece_comes_once_before_any_comes_again(large, pieces) -> None:
    sampler = RandomSampler(large, 64, (0.5, 2.0), seed=5, pieces=pieces)
    assert [piece for _, piece in sampler.regions] == PIECES[pieces]
    count, rounds = len(PIECES[pieces]), []
    for turn in range(3):
        numbers = range(turn * count, (turn + 1) * count)
        rounds.append([sampler._draw_region(number, None) for number in numbers])
        assert sorted(rounds[-1]) == sorted(sampler.regions)
        for number, (index, piece) in zip(numbers, rounds[-1], strict=True):
            plan = sampler.plan(number)
            assert plan.scene == index
            assert piece.contains(plan.window)
    assert len({tuple(each) for each in rounds}) > 1


@pytest.mark.parametrize("pieces", PIECES)
def test_no_window_looks_over_the_edge_of_its_piece(large, pieces) -> None:
    sampler = RandomSampler(large, 300, (0.5, 2.0), seed=0, pieces=pieces)
    count = len(sampler.regions)
    for number in range(4 * count):
        plan = sampler.plan(number)
        assert any(index == plan.scene and piece.contains(plan.window) for index, piece in sampler.regions)
    edges = {plan.window.col_stop for plan in map(sampler.plan, range(8 * count)) if plan.scene == 0}
    assert max(edges) <= 1300


def holed(folder, share, *, labelled=True, side=400):
    """A scene of which a share holds nothing; what holds something is one square."""
    valid = np.zeros((side, side), bool)
    kept = round(side * (1 - share) ** 0.5)
    valid[30 : 30 + kept, 200 : 200 + kept] = True
    mask = np.where(valid, striped(side, side), IGNORE_INDEX).astype(np.uint8)
    return prepared_scene(folder, mask, valid=valid, labelled=labelled)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("pieces", ["scene", "image"])
def test_windows_of_nothing_are_turned_down_even_where_nearly_everything_is_nothing(tmp_path, pieces, labelled) -> None:
    scene = holed(tmp_path, 0.95, labelled=labelled)
    sampler = RandomSampler([scene], 32, (0.5, 2.0), seed=0, pieces=pieces)
    assert all(scene.read_valid(sampler.plan(number).window).any() for number in range(300))


def test_a_scene_of_nothing_gives_way_to_others_even_if_its_turn_has_come(tmp_path) -> None:
    nothing = np.full((40, 40), IGNORE_INDEX, np.uint8)
    sampler = RandomSampler(scenes_of(tmp_path, nothing, striped(40, 40)), 16, (1, 1), seed=0, pieces="image")
    assert {sampler.plan(number).scene for number in range(20)} == {1}


def test_scenes_of_nothing_but_nothing_give_a_crop_all_the_same(tmp_path) -> None:
    sampler = RandomSampler(scenes_of(tmp_path, np.full((40, 40), IGNORE_INDEX, np.uint8)), 16, (1, 1), seed=0)
    assert sampler.plan(3).window.shape == (16, 16)


def test_as_many_attempts_are_made_as_are_asked_for(tmp_path) -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[150, 150] = 1  # in 16 of some 80,000 windows
    sampler = RandomSampler(scenes_of(tmp_path, mask), 4, (1, 1), seed=0, attempts=60_000, largest_share=0.99)
    plan = sampler.plan(0)
    assert 1 in sampler.scenes[0].read_mask(plan.window)


def test_scenes_without_labels_are_drawn_from_by_what_is_valid(tmp_path) -> None:
    scenes = scenes_of(tmp_path, striped(40, 40), striped(40, 120), labelled=False)
    sampler = RandomSampler(scenes, 16, (0.5, 2.0), seed=0)
    share = np.mean([sampler.plan(number).scene for number in range(400)])
    assert share == pytest.approx(0.75, abs=0.08)

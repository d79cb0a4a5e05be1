"""The random sampler: where it looks, how often, and what it turns down."""

import tempfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies_data import prepared_scene, striped

from geoseg.data.samplers.random import RandomSampler
from geoseg.errors import ConfigError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX


def scenes_of(folder, *masks, **options):
    return [prepared_scene(folder, mask, name=str(n), **options) for n, mask in enumerate(masks)]


@given(height=st.integers(1, 60), width=st.integers(1, 60), size=st.integers(1, 40), number=st.integers(0, 2**40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_lies_inside_or_holds_the_whole_axis(tmp_path, height, width, size, number) -> None:
    folder = tempfile.mkdtemp(dir=tmp_path)  # replacing files makes disks wait
    scenes = scenes_of(folder, striped(height, width))
    plan = RandomSampler(scenes, size, (0.5, 2.0), seed=1).plan(number)
    window = plan.window
    assert size / 2 - 1 <= window.height == window.width <= size * 2 + 1
    assert (window.row >= 0 and window.row_stop <= height) or (window.row <= 0 and window.row_stop >= height)
    assert (window.col >= 0 and window.col_stop <= width) or (window.col <= 0 and window.col_stop >= width)


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
    labels = scene.labels(window)
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
    found = [sampler.scenes[0].labels(sampler.plan(number).window) for number in range(40)]
    assert all((labels != IGNORE_INDEX).any() for labels in found)


def test_a_scene_of_one_class_is_taken_as_it_is(tmp_path) -> None:
    sampler = RandomSampler(scenes_of(tmp_path, np.zeros((32, 32), np.uint8)), 16, (1, 1), seed=0)
    assert sampler.plan(0).window.shape == (16, 16)


@pytest.mark.parametrize("options", [{"largest_share": 0}, {"largest_share": 1.5}, {"attempts": 0}])
def test_options_that_make_no_sampler_are_refused(tmp_path, options) -> None:
    with pytest.raises(ConfigError, match="make no sampler"):
        RandomSampler(scenes_of(tmp_path, striped(9, 9)), 8, (1, 1), seed=0, **options)

"""The balanced sampler: classes are met as often as wanted, and a crop around a class holds it."""

import numpy as np
import pytest
from helpers.prepared import prepared_scene, striped

from geoseg.data.crops.read_crop import cut_crop
from geoseg.data.crops.samplers import samplers
from geoseg.data.crops.samplers.balanced import BalancedSampler
from geoseg.data.preparation.class_locations import CELL_SIZE
from geoseg.errors import ConfigError
from geoseg.legend import IGNORE_INDEX

CLASSES = ("field", "wood", "town", "sea")
COUNT = 600


def rare(side=200, *, town=6) -> np.ndarray:
    """Fields, a fifth of wood, and a town of a few pixels in one place; no sea."""
    mask = np.zeros((side, side), np.uint8)
    mask[:, : side // 5] = 1
    mask[side - 20 : side - 20 + town, side - 30 : side - 30 + town] = 2
    return mask


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A scene with all but the sea, one of fields alone, and one in which nothing is labelled."""
    folder = tmp_path_factory.mktemp("prepared")
    masks = [rare(), np.zeros((90, 130), np.uint8), np.full((70, 70), IGNORE_INDEX, np.uint8)]
    return [prepared_scene(folder, mask, name=str(n), classes=4) for n, mask in enumerate(masks)]


def built(scenes, size=24, scale=(0.5, 2.0), *, seed=0, **options) -> BalancedSampler:
    return samplers.build("balanced", options, scenes=scenes, size=size, scale=scale, seed=seed, classes=CLASSES)


def share_with(sampler, scenes, index) -> float:
    """Share of the crops in which a class is seen."""
    windows = [(plan.scene, plan.window) for plan in map(sampler.plan, range(COUNT))]
    return float(np.mean([(scenes[number].read_mask(window) == index).any() for number, window in windows]))


@pytest.mark.parametrize("wanted", [0.1, 0.5, 0.9, 1.0])
def test_the_share_of_crops_around_a_class_is_the_wanted_one(scenes, wanted) -> None:
    sampler = built(scenes, shares={"town": wanted})
    assert share_with(sampler, scenes, 2) == pytest.approx(wanted, abs=0.06)  # chance alone meets it in 1 of 100


def test_classes_that_are_not_named_divide_the_rest(scenes) -> None:
    assert built(scenes, shares={"town": 0.5}).probabilities == pytest.approx([0.25, 0.25, 0.5, 0])
    assert built(scenes, shares={"town": 0.5, "field": 0.5}).probabilities == pytest.approx([0.5, 0, 0.5, 0])
    assert built(scenes, shares={"field": 0.0}).probabilities == pytest.approx([0, 0.5, 0.5, 0])


@pytest.mark.parametrize("temperature", [0.01, 0.2, 5.0])
def test_without_shares_rare_classes_come_first_as_in_daformer(scenes, temperature) -> None:
    chances = built(scenes, temperature=temperature).probabilities
    counts = np.array([200 * 160 - 36 + 90 * 130, 200 * 40, 36])
    weights = np.exp((1 - counts / counts.sum()) / temperature)
    assert chances == pytest.approx([*(weights / weights.sum()), 0])
    assert chances[0] < chances[1] < chances[2]


@pytest.mark.parametrize("scale", [(1.0, 1.0), (0.1, 4.0)])
@pytest.mark.parametrize("size", [1, 24, 500])
def test_the_class_a_crop_is_cut_around_lies_in_its_window(scenes, size, scale) -> None:
    sampler = built(scenes, size, scale, shares={"town": 1.0})
    for plan in map(sampler.plan, range(60)):
        assert (scenes[plan.scene].read_mask(plan.window) == 2).any()


def test_at_its_own_scale_the_crop_itself_holds_the_class(scenes) -> None:
    sampler = built(scenes, scale=(1.0, 1.0), shares={"town": 1.0})
    assert all((cut_crop(scenes[plan.scene], plan).target == 2).any() for plan in map(sampler.plan, range(60)))


def test_every_pixel_of_a_class_is_met_equally_often(tmp_path) -> None:
    mask = np.full((200, 300), IGNORE_INDEX, np.uint8)
    places = [(0, 0), (CELL_SIZE - 1, CELL_SIZE - 1), (CELL_SIZE, CELL_SIZE), (199, 299), (199, 298), (150, 10)]
    for place in places:
        mask[place] = 3
    sampler = built([prepared_scene(tmp_path, mask, classes=4)], size=1, scale=(1, 1), shares={"sea": 1.0})
    windows = [sampler.plan(number).window for number in range(1200)]
    found = [(window.row, window.col) for window in windows]
    assert set(found) == set(places)
    assert all(140 < found.count(place) < 260 for place in places)


def test_scenes_are_met_by_how_much_of_the_class_they_hold(tmp_path) -> None:
    scenes = [
        prepared_scene(tmp_path, np.full(shape, 1, np.uint8), name=str(n), classes=4)
        for n, shape in enumerate([(100, 100), (100, 300)])
    ]
    sampler = built(scenes, shares={"wood": 1.0})
    assert np.mean([plan.scene for plan in map(sampler.plan, range(COUNT))]) == pytest.approx(0.75, abs=0.06)


def test_windows_never_leave_their_scene(scenes) -> None:
    for plan in map(built(scenes, 150).plan, range(200)):
        scene = scenes[plan.scene]
        assert plan.window.clip_to(scene.height, scene.width) == plan.window


def test_compressed_scenes_are_planned_alike(tmp_path) -> None:
    masks = [rare(), striped(80, 90)]
    plans = []
    for compressed in (False, True):
        folder = tmp_path / str(compressed)
        scenes = [prepared_scene(folder, m, name=str(n), classes=4, compressed=compressed) for n, m in enumerate(masks)]
        plans.append([built(scenes).plan(number) for number in range(50)])
    assert plans[0] == plans[1]


@pytest.mark.parametrize(
    ("shares", "message", "hint"),
    [
        ({"twon": 0.5}, "unknown class 'twon' in shares", "did you mean town?"),
        ({"sea": 0.5}, "shares requests crops of sea, but no training pixel has this class", "remove sea from shares"),
        ({"town": 0.7, "wood": 0.7}, "the shares add up to 1.4, not 1", "must add up to 1"),
        ({"town": 0.2, "wood": 0.2, "field": 0.2, "sea": 0}, "the shares add up to 0.6, not 1", "must add up to 1"),
        ({"town": 1.5}, "sampler balanced: shares: .* is not valid", ""),
    ],
)
def test_shares_that_cannot_be_are_refused_in_a_sentence(scenes, shares, message, hint) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        built(scenes, shares=shares)
    assert hint in error.value.hint


def test_a_temperature_is_positive(scenes) -> None:
    with pytest.raises(ConfigError, match="sampler balanced: temperature: 0 is not valid"):
        built(scenes, temperature=0)

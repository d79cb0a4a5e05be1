"""Cutting: windows are those that the published converters cut, and cover what they promise."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.data.datasets.vaihingen import TRAIN, VAL
from geoseg.errors import ConfigError
from geoseg.grid.patch_positions import PATCH_RULES, STARTS, patch_windows
from geoseg.grid.window import Window

lengths, sizes, strides = st.integers(1, 400), st.integers(1, 60), st.integers(1, 90)
every_rule = pytest.mark.parametrize("rule", PATCH_RULES)


@pytest.fixture(scope="module")
def cases(golden):
    """What OpenMMLab's converters cut from images of several sizes."""
    return json.loads((golden / "tiling_cases.json").read_text())


def as_cut(name: str) -> Window:
    """The window in a file name of the ISPRS converters, (left, top, right, bottom)."""
    left, top, right, bottom = map(int, name.removesuffix(".png").split("_")[-4:])
    return Window(top, left, bottom - top, right - left)


@pytest.mark.parametrize("city", ["potsdam", "vaihingen"])
def test_isprs_windows_are_those_of_the_published_converter(cases, city) -> None:
    assert cases[city]
    for case in cases[city]:
        found = list(patch_windows(case["h"], case["w"], "isprs", size=case["clip"], stride=case["stride"]))
        assert sorted(found) == sorted(as_cut(window["file"]) for window in case["windows"])
        assert len(found) == case["n_files"]


def test_isaid_windows_are_those_of_the_published_converter(cases) -> None:
    for case in cases["isaid"]:
        named = [re.search(r"_(\d+)_(\d+)_(\d+)_(\d+)\.png", image["file"]).groups() for image in case["images"]]
        expected = [Window(top, left, bottom - top, right - left) for top, bottom, left, right in np.int_(named)]
        found = list(patch_windows(case["h"], case["w"], "isaid", size=case["patch"]))
        assert sorted(found) == sorted(expected)


def test_vaihingen_gives_the_344_and_398_patches_of_the_literature(cases) -> None:
    totals = cases["vaihingen_totals_from_literature_sizes"]
    count = {
        name: sum(1 for _ in patch_windows(height, width, "isprs"))
        for name, (width, height) in totals["sizes_wh"].items()
    }
    splits = {"train": TRAIN, "val": VAL}
    found = {split: sum(count[f"area{area}"] for (area,) in areas) for split, areas in splits.items()}
    assert found == totals["documented"] == {"train": 344, "val": 398}


@every_rule
@given(length=lengths, size=sizes, stride=strides)
def test_windows_lie_inside_an_axis_that_is_long_enough_and_no_two_are_alike(rule, length, size, stride) -> None:
    starts = STARTS[rule](length, size, stride)
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] + size <= max(length, size)


@every_rule
@given(length=lengths, size=sizes, stride=strides)
def test_every_pixel_is_covered_and_the_last_window_ends_with_the_axis(rule, length, size, stride) -> None:
    starts = STARTS[rule](length, size, min(stride, size))
    covered = set().union(*(range(start, start + size) for start in starts))
    assert covered >= set(range(length))
    assert starts[-1] == max(length - size, 0)


@every_rule
@given(size=sizes, stride=strides, share=st.floats(0, 1))
def test_an_axis_that_is_not_longer_than_the_window_gives_one_window_from_its_first_pixel(
    rule, size, stride, share
) -> None:
    assert STARTS[rule](max(round(size * share), 1), size, stride) == [0]


@given(length=lengths, size=sizes, stride=strides)
def test_plain_windows_keep_their_stride_up_to_the_last(length, size, stride) -> None:
    starts = STARTS["plain"](length, size, stride)
    steps = np.diff(starts)
    assert (steps[:-1] == stride).all()
    assert (steps <= stride).all()


@given(length=lengths, size=sizes, stride=strides)
def test_isprs_windows_touch_whatever_the_stride(length, size, stride) -> None:
    steps = np.diff(STARTS["isprs"](length, size, stride))
    assert (steps[:-1] == size).all()


@every_rule
@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(4, 60))
def test_windows_of_a_scene_are_all_pairs_row_by_row(rule, height, width, size) -> None:
    found = list(patch_windows(height, width, rule, size=size))
    assert found == sorted(found)
    assert {window.shape for window in found} == {(size, size)}
    assert len(found) == len({window.row for window in found}) * len({window.col for window in found})


@pytest.mark.parametrize(
    ("rule", "size", "stride", "same"),
    [("isprs", 512, 256, {}), ("isaid", 896, 512, {}), ("plain", 512, 512, {}), ("isaid", 448, 256, {"size": 448})],
)
def test_published_sizes_and_strides_are_the_usual_ones(rule, size, stride, same) -> None:
    assert list(patch_windows(2000, 3000, rule, **same)) == list(
        patch_windows(2000, 3000, rule, size=size, stride=stride)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "isrps"}, "unknown patch rule 'isrps'"),
        ({"size": 0}, "invalid patch size 0"),
        ({"stride": 0}, "invalid patch size 512 or stride 0"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_a_sentence(options, message) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        list(patch_windows(100, 100, **options))
    assert error.value.hint

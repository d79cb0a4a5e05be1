"""Published files: found by their names wherever they lie, once each, in the order of their numbers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg._text import join_names
from geoseg.data.datasets._benchmark_files import MAX_NAMES, find_files, pair_scenes, require_complete
from geoseg.errors import DataError
from geoseg.raster.archive import FileEntry, zip_member_path


def entry(place: str) -> FileEntry:
    archive, zipped, member = place.partition(".zip/")
    return FileEntry(place, zip_member_path(Path(f"{archive}.zip"), member) if zipped else Path(place))


@given(st.sets(st.integers(0, 3000), max_size=30), st.sampled_from(["", "deep/er/", "all.zip/", "x/all.zip/top/"]))
def test_files_are_known_by_their_numbers_in_whatever_folder_they_lie(numbers, folder) -> None:
    found = find_files([entry(f"{folder}area{number:03}.tif") for number in numbers], r"(?:.*/)?area(\d+)\.tif")
    assert {int(key[0]) for key in found} == numbers
    assert [scene.name for scene in pair_scenes(found, {}, lambda key: key[0]).values()] == [
        str(n) for n in sorted(numbers)
    ]


def test_capitals_do_not_matter_and_the_whole_name_has_to_fit() -> None:
    places = ["Area1.TIF", "myarea2.tif", "area3.tif.xml", "area4.tif/x"]
    assert set(find_files([entry(place) for place in places], r"(?:.*/)?area(\d+)\.tif")) == {("1",)}


@given(st.permutations(["b.zip/area1.tif", "a.zip/area1.tif", "z/area1.tif", "y/area1.tif"]))
def test_of_many_copies_an_unpacked_one_is_taken_and_always_the_same(places) -> None:
    (path,) = find_files([entry(place) for place in places], r"(?:.*/)?area(\d+)\.tif").values()
    assert path == Path("y/area1.tif")


@given(st.permutations(["worse/area1.tif", "good.zip/area1.tif"]))
def test_a_worse_copy_is_taken_only_if_there_is_no_other(places) -> None:
    found = [entry(place) for place in places]
    choose = {"pattern": r"(?:.*/)?area(\d+)\.tif", "is_fallback": lambda each: "worse" in each.relative_path}
    assert list(find_files(found, **choose).values()) == [entry("good.zip/area1.tif").path]
    assert list(find_files([entry("worse/area1.tif")], **choose).values()) == [Path("worse/area1.tif")]


def test_scenes_have_the_label_of_their_own_key_or_none() -> None:
    scenes = pair_scenes(
        {("2",): Path("i2"), ("10",): Path("i10")}, {("10",): Path("l10"), ("3",): Path("l3")}, "".join, gsd=2
    )
    assert [(scene.name, scene.label, scene.gsd) for scene in scenes.values()] == [
        ("2", None, 2),
        ("10", Path("l10"), 2),
    ]


@pytest.mark.parametrize(
    ("missing", "text"), [(1, "0"), (MAX_NAMES, "0, 1, 2, 3"), (MAX_NAMES + 2, "0, 1, 2, 3 and 2 more")]
)
def test_what_is_missing_is_named_up_to_a_few(missing, text) -> None:
    wanted = [(str(number),) for number in range(20)]
    with pytest.raises(DataError, match=f"^{missing} of 20 tiles are missing: {text}$"):
        require_complete(wanted, wanted[missing:], "tiles", "".join)
    require_complete(wanted, wanted, "tiles", "".join)
    assert join_names((str(number) for number in range(missing)), limit=MAX_NAMES) == text

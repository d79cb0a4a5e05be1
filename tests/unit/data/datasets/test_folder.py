"""The folder dataset: images found by pattern, paired with labels, and shared out to splits."""

import time

import numpy as np
import pytest
from helpers.prepared import striped
from helpers.rasters import UTM, make_raster
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geoseg.data.dataset import LabelledScene
from geoseg.data.datasets import datasets
from geoseg.data.datasets.folder import _assign_splits, folder
from geoseg.errors import ConfigError, DataError

NAMED = {"images": "{group}/images/{name}.jpg", "labels": "{group}/masks/{name}.png", "legend": ["land", "water"]}


@pytest.fixture
def tiles(tmp_path):
    """Empty files: Tile 1 … Tile 4, each with the images part_1 and part_2 and their masks."""
    for group in range(1, 5):
        for part in (1, 2):
            for path in (f"images/part_{part}.jpg", f"masks/part_{part}.png"):
                file = tmp_path / f"Tile {group}" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
    return tmp_path


def split(root, splits, **options) -> dict[str, set[str]]:
    """Names of the scenes in each split."""
    made = folder(root, **(NAMED | {"encoding_kind": "index"} | options), splits=splits)
    return {name: {scene.name for scene in scenes} for name, scenes in made.splits.items()}


def named(*groups) -> set[str]:
    return {f"Tile {group}/part_{part}" for group in groups for part in (1, 2)}


def test_images_are_paired_with_labels_by_their_placeholders(tiles) -> None:
    made = folder(tiles, **NAMED, encoding_kind="index", splits={"train": "*"})
    scene = next(scene for scene in made.scenes("train") if scene.name == "Tile 3/part_2")
    assert scene.image == tiles / "Tile 3/images/part_2.jpg"
    assert scene.label == tiles / "Tile 3/masks/part_2.png"
    assert scene.groups == {"group": "Tile 3", "name": "part_2"}
    assert len(made.scenes("train")) == 8


def test_the_dataset_is_reached_by_its_name(tiles) -> None:
    made = datasets.build("folder", NAMED | {"encoding_kind": "index", "splits": {"train": ["*"]}}, root=tiles)
    assert made.legend.names == ("land", "water")


def test_a_placeholder_used_twice_must_agree(tmp_path) -> None:
    for name in ("a/a_1.tif", "a/b_1.tif", "b/b_1.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    options = {"images": "{area}/{area}_{name}.tif", "labels": "{area}/{area}_{name}.tif"}
    assert split(tmp_path, {"train": "*"}, **options) == {"train": {"a/1", "b/1"}}


def test_a_star_stands_for_anything_inside_one_folder_name(tiles) -> None:
    options = {"images": "Tile*/im*/{name}.jpg", "labels": "Tile 1/masks/{name}.png"}
    with pytest.raises(DataError, match="two scenes are named part_1"):
        split(tiles, {"train": "*"}, **options)
    assert split(tiles, {"train": "*"}, **options | {"images": "* 2/images/{name}.jpg"}) == {
        "train": {"part_1", "part_2"}
    }


def test_signs_that_mean_something_in_patterns_are_only_signs_in_names(tmp_path) -> None:
    (tmp_path / "a+b (1).tif").touch()
    assert split(tmp_path, {"train": "a+b (1)"}, images="{name}.tif", labels="{name}.tif") == {"train": {"a+b (1)"}}


def test_one_label_file_may_serve_all_scenes(tiles) -> None:
    (tiles / "labels.gpkg").touch()
    made = folder(tiles, **(NAMED | {"labels": "labels.gpkg"}), splits={"train": "*"})
    assert {scene.label for scene in made.scenes("train")} == {tiles / "labels.gpkg"}
    assert made.encoding.kind == "polygon"


@pytest.mark.parametrize(("kind", "suffix"), [("index", "tif"), ("colour", "png"), ("colour", "gif")])
def test_the_kind_of_labels_is_guessed_from_the_first(tmp_path, kind, suffix) -> None:
    mask = striped(8, 8)
    if suffix == "tif":
        make_raster(tmp_path / "a.tif", mask[None], **UTM)
    else:
        picture = Image.fromarray(np.stack([mask * 99] * 3, axis=-1))
        picture.save(tmp_path / f"a.{suffix}")  # GIF is always a palette
    (tmp_path / "a.jpg").touch()
    made = folder(
        tmp_path, "{name}.jpg", f"{{name}}.{suffix}", legend={"a": "#000000", "b": None}, splits={"train": "*"}
    )
    assert made.encoding.kind == kind


def test_splits_are_made_of_patterns(tiles) -> None:
    found = split(tiles, {"train": ["Tile 1/*", "Tile 2/*"], "val": "Tile 3/part_1"})
    assert found == {"train": named(1, 2), "val": {"Tile 3/part_1"}}


def test_splits_are_made_of_lists(tiles) -> None:
    (tiles / "val.txt").write_text("Tile 4/part_1\n\n  Tile 4/part_2  \r\n")
    assert split(tiles, {"val": "val.txt", "train": "rest"}) == {"val": named(4), "train": named(1, 2, 3)}


def test_splits_are_made_of_groups(tiles) -> None:
    found = split(tiles, {"train": {"group": ["Tile 1", "Tile 2"]}, "val": {"group": "Tile 4"}})
    assert found == {"train": named(1, 2), "val": named(4)}


def test_the_rest_is_what_no_other_split_takes_wherever_it_stands(tiles) -> None:
    found = split(tiles, {"train": "rest", "val": {"share": 0.25, "by": "group"}, "test": "Tile 2/*"})
    assert found["test"] == named(2)
    assert len(found["val"]) == 2
    assert found["train"] == named(1, 2, 3, 4) - found["val"] - found["test"]


def test_a_split_may_be_made_of_several_rules(tiles) -> None:
    found = split(tiles, {"train": ["Tile 1/*", {"group": ["Tile 1", "Tile 2"]}, "Tile 2/part_1"]})
    assert found == {"train": named(1, 2)}


def test_scenes_that_no_split_takes_are_left_out(tiles) -> None:
    assert split(tiles, {"train": "Tile 1/*"}) == {"train": named(1)}


def scenes(groups: dict[str, int]) -> list[LabelledScene]:
    return [
        LabelledScene(f"{group}/{n}", f"{group}/{n}.tif", f"{group}/{n}.png", {"group": group, "name": str(n)})
        for group, count in groups.items()
        for n in range(count)
    ]


areas = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 4), min_size=1, max_size=12)


@given(areas, st.integers(1, 100))
def test_a_share_takes_whole_groups_and_as_many_as_it_says(groups, percent) -> None:
    made = _assign_splits(None, scenes(groups), {"val": {"share": percent / 100, "by": "group"}, "train": "rest"})
    taken = {split: {scene.groups["group"] for scene in members} for split, members in made.items()}
    assert not taken["val"] & taken["train"]
    assert len(taken["val"]) == -(-percent * len(groups) // 100)
    assert sum(map(len, made.values())) == sum(groups.values())


@given(areas, st.randoms())
def test_a_share_is_the_same_whatever_the_order_of_the_files(groups, random) -> None:
    found = scenes(groups)
    shuffled = random.sample(found, len(found))
    first, second = (
        _assign_splits(None, each, {"val": {"share": 0.3, "by": "group"}})["val"] for each in (found, shuffled)
    )
    assert {scene.name for scene in first} == {scene.name for scene in second}


def test_a_share_is_the_same_on_every_machine(tiles) -> None:
    assert split(tiles, {"val": {"share": 0.25, "by": "group"}}) == {"val": named(3)}


def test_a_scene_in_two_splits_is_refused(tiles) -> None:
    with pytest.raises(DataError, match="the scene Tile 1/part_1 is in two splits, train and val"):
        split(tiles, {"train": "Tile 1/*", "val": "*/part_1"})


def test_missing_labels_are_counted_and_the_first_is_named(tiles) -> None:
    (tiles / "Tile 2/masks/part_1.png").unlink()
    with pytest.raises(DataError, match=r"Tile 2/images/part_1.jpg has no label .*Tile 2/masks/part_1.png$"):
        split(tiles, {"train": "*"})
    for part in (1, 2):
        (tiles / f"Tile 3/masks/part_{part}.png").unlink()
    with pytest.raises(DataError, match=r"part_1.png \(and 2 more\)$"):
        split(tiles, {"train": "*"})


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"images": "{group}/images/{name}.bmp"}, "no file in .* matches '{group}/images/{name}.bmp'", "data.images"),
        ({"images": "/data/{name}.tif"}, "data.images is '/data/{name}.tif'", "below data.root"),
        ({"images": ""}, "data.images is ''", "below data.root"),
        ({"labels": "{gruop}/{name}.png"}, "data.labels uses {gruop}, which data.images does not have", "same names"),
        (
            {"splits": {"train": "Tile 9/*"}},
            "no scene is named 'Tile 9/[*]'",
            "the first scene is named 'Tile 1/part_1'",
        ),
        ({"splits": {"train": "train.txt"}}, "the list of scenes .*train.txt", "data.splits"),
        (
            {"splits": {"train": {"group": ["Tile 1", "Tile1"]}}},
            "no scene has the group 'Tile1'",
            "did you mean Tile 1?",
        ),
        ({"splits": {"train": {"town": ["a"]}}}, "uses the group 'town'", "{group}, {name}"),
        ({"splits": {"train": {}}}, "data.splits has {}", "{group: [members]}"),
        ({"splits": {"train": {"group": "Tile 1", "name": "part_1"}}}, "data.splits has", "{group: [members]}"),
        ({"splits": {"train": {"share": 0.5, "by": "town"}}}, "takes a share by 'town'", "{group}, {name}"),
        ({"splits": {"train": {"share": 20, "by": "group"}}}, "has the share 20", "greater than 0 and at most 1"),
        ({"splits": {"train": {"share": "half"}}}, "has the share 'half'", "greater than 0 and at most 1"),
    ],
)
def test_what_fits_no_file_is_refused_in_a_sentence(tiles, options, message, hint) -> None:
    with pytest.raises((DataError, ConfigError), match=message) as error:
        split(tiles, **({"splits": {"train": "*"}} | options))
    assert hint in error.value.hint


def test_a_root_that_is_no_folder_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match=r"the folder .*nowhere does not exist"):
        split(tmp_path / "nowhere", {"train": "*"})


def test_ten_thousand_scenes_are_shared_out_in_seconds(tmp_path) -> None:
    many = scenes({f"area {n}": 100 for n in range(100)})
    (tmp_path / "train.txt").write_text("\n".join(scene.name for scene in many[:8000]))
    begin = time.perf_counter()
    made = _assign_splits(tmp_path, many, {"train": "train.txt", "val": {"share": 0.5, "by": "group"}, "test": "rest"})
    assert time.perf_counter() - begin < 10  # a look at every pair takes minutes
    assert [len(members) for members in made.values()] == [8000, 1000, 1000]


def test_hidden_files_are_no_scenes(tmp_path):
    (tmp_path / "labels").mkdir()
    for name in ("town.tif", "._town.tif", "labels/town.tif"):
        make_raster(tmp_path / name, striped(8, 8)[None], **UTM)
    dataset = folder(tmp_path, "{name}.tif", "labels/{name}.tif", ["a", "b"], {"train": "rest"})
    assert [scene.name for scene in dataset.scenes("train")] == ["town"]


def test_a_class_named_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="two classes"):
        folder(tmp_path, "{name}.tif", "{name}.tif", ["a", "b", "a"], {"train": "rest"})

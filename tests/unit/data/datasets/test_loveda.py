"""LoveDA: domains survive, labels mean what they say, and a shift keeps the target's labels to itself."""

import itertools

import numpy as np
import pytest
from helpers.archives import DARK, archive_section, loveda_archives, painted

from geoseg.data.datasets.loveda import IDS, LEGEND, loveda
from geoseg.data.label_encoding import build_encoding
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import ConfigError, DataError
from geoseg.legend import IGNORE_INDEX

LAYOUTS = {"zipped": {}, "unpacked": {"zipped": False}, "merged": {"merged": True}}
SHIFTS = ["rural-to-urban", "urban-to-rural"]
OPTIONS = list(
    itertools.product(SHIFTS, ["official", "train-target"], ["source", "target"], [None, "source-only", "oracle"])
)


@pytest.fixture(scope="module", params=LAYOUTS)
def archives(request, tmp_path_factory):
    """Three images of each split and domain."""
    return loveda_archives(tmp_path_factory.mktemp("archives") / "a", size=32, **LAYOUTS[request.param])


def named(dataset) -> dict[str, list[str]]:
    return {split: [scene.name for scene in scenes] for split, scenes in dataset.splits.items()}


def test_the_published_numbers_are_2522_1669_and_1796() -> None:
    counts = {split: sum(len(ids) for ids in domains.values()) for split, domains in IDS.items()}
    assert counts == {"train": 2522, "val": 1669, "test": 1796}
    ranges = [ids for domains in IDS.values() for ids in domains.values()]
    assert list(itertools.chain(*ranges)) == list(range(5987))


def test_scenes_know_their_domain_in_every_layout(archives) -> None:
    made = loveda(archives, complete=False)
    assert named(made)["train"] == [
        *("train/urban/1366", "train/urban/1367", "train/urban/1368"),
        *("train/rural/0", "train/rural/1", "train/rural/2"),
    ]
    for split, scenes in made.splits.items():
        for scene in scenes:
            domain, number = scene.name.split("/")[1:]
            assert int(number) in IDS[split][domain]
            assert scene.groups == {"domain": domain}
            assert (scene.label is None) == (split == "test")
            assert scene.gsd == 0.3


@pytest.mark.parametrize("domain", ["urban", "rural"])
def test_one_domain_alone_is_that_domain_in_every_split(archives, domain) -> None:
    made = loveda(archives, domain, complete=False)
    assert {scene.groups["domain"] for scenes in made.splits.values() for scene in scenes} == {domain}
    assert [len(scenes) for scenes in made.splits.values()] == [3, 3, 3]
    assert not made.hidden


def test_raw_labels_one_to_seven_are_classes_and_nought_is_not_labelled(archives) -> None:
    prepared = prepare(archive_section("loveda", archives, complete=False), "x")
    assert prepared.legend.names == (
        *("background", "building", "road", "water"),
        *("barren", "forest", "agricultural"),
    )
    for scene in (*prepared.scenes("train"), *prepared.scenes("val")):
        number, brightness = int(scene.name.rpartition("/")[2]), DARK if "rural" in scene.name else 1
        mask, spectrum = painted(("loveda", number), 32, 32, 7, side=4, brightness=brightness)
        assert (scene.mask[:2] == IGNORE_INDEX).all()
        assert np.array_equal(scene.mask[2:], mask[2:])
        assert np.array_equal(scene.image.transpose(2, 0, 1), spectrum[:3])
    assert {scene.split for scene in prepared.all_scenes} == {"train", "val"}  # the test images have no labels


def test_the_encoding_is_index_plus_one(archives) -> None:
    values = loveda(archives, complete=False).encoding.values
    assert values == {0: IGNORE_INDEX, **{raw: raw - 1 for raw in range(1, 8)}, 255: IGNORE_INDEX}
    assert values != build_encoding(LEGEND, "index").values


@pytest.mark.parametrize(("domain", "protocol", "validate_on", "baseline"), OPTIONS)
def test_every_shift_learns_from_the_source_and_is_judged_on_the_target(
    archives, domain, protocol, validate_on, baseline
) -> None:
    made = loveda(archives, domain, protocol, validate_on, baseline, complete=False)
    source, target = domain.split("-to-")
    domains = {split: {scene.groups["domain"] for scene in scenes} for split, scenes in made.splits.items()}
    published = {split: {name.rpartition("/")[0] for name in names} for split, names in named(made).items()}
    assert made.hidden == {"test"}
    assert published["test"] == {f"val/{target}"}  # labels of the published test split are not public
    assert domains["train"] == {target if baseline == "oracle" else source}
    assert domains["val"] == {target if baseline == "oracle" or validate_on == "target" else source}
    if baseline is None:
        which = "val" if protocol == "official" else "train"
        assert published["unlabelled"] == {f"unlabelled/{which}/{target}"}
        assert [scene.label for scene in made.scenes("unlabelled")] == [None] * 3
    else:
        assert "unlabelled" not in made.splits
    assert made.about["domain"] == domain
    assert all(word in made.about["protocol"] for word in (protocol, validate_on, baseline or ""))


@pytest.mark.parametrize("domain", SHIFTS)
def test_hidden_scenes_are_not_prepared(archives, domain) -> None:
    prepared = prepare(archive_section("loveda", archives, domain=domain, complete=False), "x")
    assert {scene.split for scene in prepared.all_scenes} == {"train", "val", "unlabelled"}
    assert not any(scene.labelled for scene in prepared.scenes("unlabelled"))
    assert prepared.about["licence"].startswith("LoveDA")


@pytest.mark.parametrize("options", [{"protocol": "train-target"}, {"validate_on": "target"}, {"baseline": "oracle"}])
def test_options_of_a_shift_are_refused_without_one(archives, options) -> None:
    with pytest.raises(ConfigError, match="require a domain shift") as error:
        loveda(archives, "urban", complete=False, **options)
    assert "data.domain=rural-to-urban" in error.value.hint


def test_zipped_unpacked_and_merged_give_the_same_pixels(tmp_path) -> None:
    digests = set()
    for name, layout in LAYOUTS.items():
        root = loveda_archives(tmp_path / name, size=32, **layout)
        digests.add(prepare(archive_section("loveda", root, complete=False), "x").digest)
    assert len(digests) == 1


def test_images_that_lie_there_in_every_layout_count_once(tmp_path) -> None:
    for layout in LAYOUTS.values():
        loveda_archives(tmp_path, size=8, **layout)
    assert [len(scenes) for scenes in loveda(tmp_path, complete=False).splits.values()] == [6, 6, 6]


def test_missing_images_are_counted_and_the_test_archive_may_be_left_away(archives) -> None:
    with pytest.raises(DataError, match="1153 of the 1156 urban images of Train are missing") as error:
        loveda(archives)
    assert "data.complete=false" in error.value.hint


def test_without_the_test_archive_there_is_no_test_split(tmp_path) -> None:
    (loveda_archives(tmp_path, size=8) / "Test.zip").unlink()
    assert set(loveda(tmp_path, complete=False).splits) == {"train", "val"}


def test_a_number_that_was_never_published_in_a_merged_folder_has_no_domain(tmp_path) -> None:
    loveda_archives(tmp_path, size=8, merged=True)
    (tmp_path / "img_dir/train/2522.png").write_bytes((tmp_path / "img_dir/train/0.png").read_bytes())
    with pytest.raises(DataError, match="LoveDA's split train has no image 2522"):
        loveda(tmp_path, complete=False)


@pytest.mark.parametrize("complete", [True, False])
def test_an_image_without_its_label_is_refused_and_named(tmp_path, complete) -> None:
    loveda_archives(tmp_path, size=8, zipped=False)
    (tmp_path / "Train/Urban/masks_png/1367.png").unlink()
    with pytest.raises(DataError, match="train/urban/1367 has no label in masks_png"):
        loveda(tmp_path, complete=complete)


def test_a_folder_of_something_else_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="contains no images Train") as error:
        loveda(tmp_path, complete=False)
    assert "Train.zip and Val.zip" in error.value.hint

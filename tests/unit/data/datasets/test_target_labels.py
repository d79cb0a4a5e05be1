"""Labels of a target domain cannot be learnt from: training sees the same pixels, whatever stands in them.

Every label file of the target is replaced by bytes that no program can read, and every raster that is opened is noted.
"""

from itertools import product

import numpy as np
import pytest
import rasterio
from helpers.archives import archive_section, loveda_archives, potsdam_archives, vaihingen_archives

from geoseg.data.crops.loader import CropDataset, CropLoader
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation import conversion_pool as conversion
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import SceneError
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene

SECRET = b"nobody may look at this"


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Names of the rasters that are opened from now on."""
    names = []
    by_rasterio, by_scene = rasterio.open, Scene.open.__func__

    def open_by_rasterio(path, *arguments, **options):
        names.append(str(path))
        return by_rasterio(path, *arguments, **options)

    def open_by_scene(cls, path, **options):
        names.append(str(path))
        return by_scene(cls, path, **options)

    monkeypatch.setattr(rasterio, "open", open_by_rasterio)
    monkeypatch.setattr(Scene, "open", classmethod(open_by_scene))
    return names


def one_epoch(prepared) -> dict[str, np.ndarray]:
    """The targets of as many crops of each split as it has scenes, by every sampler that can cut it."""
    targets = {}
    for split in dict.fromkeys(scene.split for scene in prepared.all_scenes):
        scenes = prepared.scenes(split)
        given = {"scenes": scenes, "size": 16, "scale": (0.5, 2.0), "seed": 0, "classes": prepared.legend.names}
        names = [name for name in samplers.names() if name != "balanced" or scenes[0].labelled]
        crops = [CropDataset(scenes, samplers.build(name, {}, **given), range(len(scenes))) for name in names]
        targets[split] = np.concatenate(
            [batch.target for each in crops for batch in CropLoader(each, batch=4, workers=0)]
        )
    return targets


def require_secret(prepared, opened, is_secret) -> None:
    """Nothing of the target's labels is in crops to train on, and no file of them was ever opened."""
    targets = one_epoch(prepared)
    assert opened
    assert [name for name in opened if is_secret(name.lower())] == []
    assert (targets["train"] != IGNORE_INDEX).any()
    assert (targets.get("unlabelled", np.array(IGNORE_INDEX)) == IGNORE_INDEX).all()
    assert "test" not in targets


LOVEDA = list(product(["rural-to-urban", "urban-to-rural"], ["official", "train-target"], [None, "source-only"]))


@pytest.mark.parametrize(("domain", "protocol", "baseline"), LOVEDA)
def test_loveda_labels_of_the_target_are_never_opened(tmp_path, opened, domain, protocol, baseline) -> None:
    target, zipped = domain.partition("-to-")[2], protocol == "official"
    options = {"domain": domain, "protocol": protocol, "baseline": baseline, "complete": False}

    def secret(kind, key):
        return SECRET if kind == "masks" and key[1] == target else None

    known, hidden = (
        loveda_archives(tmp_path / name, size=32, zipped=zipped, content=content)
        for name, content in (("known", None), ("hidden", secret))
    )
    expected = prepare(archive_section("loveda", known, **options), "x")
    opened.clear()
    prepared = prepare(archive_section("loveda", hidden, **options), "x")
    assert prepared.digest == expected.digest
    require_secret(prepared, opened, lambda name: f"{target}/masks_png" in name)


@pytest.mark.parametrize(("source", "target"), [("potsdam", "vaihingen"), ("vaihingen", "potsdam")])
@pytest.mark.parametrize("baseline", [None, "source-only"])
def test_isprs_labels_of_the_other_city_are_never_opened(tmp_path, opened, source, target, baseline) -> None:
    def secret(kind, _):
        return SECRET if kind == "no_boundary" else None

    contents = {source: None, target: secret}
    for city, build, image in (("potsdam", potsdam_archives, "irrg"), ("vaihingen", vaihingen_archives, "images")):
        build(tmp_path / "isprs" / city, size=24, kinds=[image, "no_boundary"], content=contents[city])
    options = {"source": source, "baseline": baseline, "gsd": 0.09}
    prepared = prepare(archive_section("isprs_shift", tmp_path / "isprs", **options), "x")
    require_secret(prepared, opened, lambda name: "noboundary" in name and target in name.rpartition("/")[0])


def test_changed_labels_of_the_target_change_nothing(tmp_path, monkeypatch) -> None:
    section = archive_section("loveda", tmp_path / "a", domain="rural-to-urban", complete=False)
    prepared = prepare(_loveda(section, content=None), "x")
    monkeypatch.setattr(conversion, "convert_scene", None)
    for path in section.root.rglob("*/Urban/masks_png/*.png"):
        path.write_bytes(SECRET)
    assert prepare(section, "x") == prepared


def _loveda(section, **options):
    loveda_archives(section.root, size=32, zipped=False, **options)
    return section


def test_who_may_see_the_targets_labels_does_read_them(tmp_path) -> None:
    """The secret would be noticed: an oracle, and validation on the target, fail over it."""
    options = {"domain": "rural-to-urban", "complete": False}

    def secret(kind, key):
        return SECRET if kind == "masks" and key[1] == "urban" else None

    root = loveda_archives(tmp_path / "a", size=32, content=secret)
    for allowed in ({"baseline": "oracle"}, {"validate_on": "target"}):
        with pytest.raises(SceneError, match=r"Urban/masks_png/\d+\.png cannot be opened"):
            prepare(archive_section("loveda", root, **options, **allowed), "x")


def test_validation_on_the_target_opens_no_label_but_those_it_validates_on(tmp_path, opened) -> None:
    def secret(kind, key):
        return SECRET if kind == "masks" and key[:2] == ("train", "urban") else None

    root = loveda_archives(tmp_path / "a", size=32, content=secret)
    options = {"domain": "rural-to-urban", "validate_on": "target", "complete": False}
    prepared = prepare(archive_section("loveda", root, **options), "x")
    require_secret(prepared, opened, lambda name: "train/urban/masks_png" in name)


def test_hidden_scenes_can_be_judged_all_the_same(tmp_path) -> None:
    root = loveda_archives(tmp_path / "a", size=32)
    dataset = open_dataset(archive_section("loveda", root, domain="rural-to-urban", complete=False))
    for scene in dataset.scenes("test"):
        with Scene.open(scene.label) as label:
            assert label.read(label.grid.window).values.max() == 7

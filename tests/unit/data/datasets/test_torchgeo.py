"""Datasets of torchgeo: names stand on the right pixels, whatever torchgeo calls them, and nothing is fetched unasked."""

import pickle
import shutil
import zipfile
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from helpers.archives import archive_section, loveda_archives
from helpers.prepared import striped
from helpers.rasters import make_raster, noise
from PIL import Image

from geoseg.config.load import parse_recipe
from geoseg.data.datasets import datasets
from geoseg.data.datasets.loveda import download_loveda
from geoseg.data.memory_scenes import materialize
from geoseg.data.preparation.conversion_record import fingerprint_sources
from geoseg.data.preparation.prepare import prepare
from geoseg.data.preparation.validate_labels import validate_labels
from geoseg.data.torchgeo.dataset_factory import open_cached
from geoseg.errors import ConfigError, DataError
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene

FETCHING = "torchvision.datasets.utils"
POLAND = {"crs": "EPSG:2180", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 300_000)}
COLOURS = np.array(
    [[0, 255, 255], [255, 255, 0], [255, 0, 255], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [9, 9, 9]]
)
"""DeepGlobe's, in the order of its classes, and one that is none of them."""


def build(root, name, **options):
    return datasets.build("torchgeo", {"name": name, **options}, root=root)


def read(dataset, split="train", index=0):
    raster, labels = dataset.scenes(split)[index].source.read()
    return raster.values, labels


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture(scope="session")
def published():
    """torchgeo's own classes; their import takes five seconds."""
    return pytest.importorskip("torchgeo.datasets")


@pytest.fixture
def offline(published, monkeypatch):
    """No server answers."""

    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(f"{FETCHING}._get_redirect_url", refuse)


@pytest.fixture
def loveda(tmp_path):
    """LoveDA, unpacked, with three images in each domain of each split."""
    return loveda_archives(tmp_path / "loveda", size=16, zipped=False)


@pytest.fixture
def chips(tmp_path):
    """LandCover.ai as torchgeo publishes it: chips, and lists of their names."""
    for number in range(6):
        save(tmp_path / f"chips/output/M_{number}.jpg", noise(8, 8, 3) // 9 * 9)
        save(tmp_path / f"chips/output/M_{number}_m.png", striped(8, 8, 5, side=1 + number % 2))
    for split, numbers in (("train", "0123"), ("val", "4"), ("test", "5")):
        (tmp_path / f"chips/{split}.txt").write_text("".join(f"M_{n}\n" for n in numbers))
    return tmp_path / "chips"


@pytest.fixture
def places(tmp_path):
    """LandCover.ai as its owners publish it: rasters with coordinates, one beside the other and two on each other."""
    for n, left in enumerate((0, 16, 32, 40)):
        place = POLAND | {"transform": POLAND["transform"] @ Affine.translation(left, 0)}
        for kind, values in (("images", np.full((3, 12, 16), 10 * n + 1)), ("masks", np.full((1, 12, 16), n + 1))):
            values[:, :4] += 100 if kind == "images" else 0
            path = tmp_path / f"places/{kind}/N-{n}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            make_raster(path, values.astype(np.uint8), **place)
    return tmp_path / "places"


@pytest.fixture
def deepglobe(tmp_path):
    """DeepGlobe's land cover: two training images and one to test."""
    for split, numbers in (("training_data", (1, 2)), ("test_data", (3,))):
        for number in numbers:
            folder = tmp_path / "deepglobe/data" / split
            save(folder / f"images/{number}_sat.jpg", noise(8, 8, 3))
            save(folder / f"masks/{number}_mask.png", COLOURS[striped(8, 8, 7, side=1)].astype(np.uint8))
    return tmp_path / "deepglobe"


def test_loveda_is_the_same_by_torchgeo_and_from_its_own_files(loveda, tmp_path):
    """Had torchgeo's names been believed, every class would bear the next one's."""
    section = archive_section("torchgeo", loveda, name="LoveDA")
    by_torchgeo = prepare(section, "torchgeo", folder=tmp_path / "a")
    own = prepare(archive_section("loveda", loveda, complete=False), "own", folder=tmp_path / "b")
    assert by_torchgeo.legend.names == ("background", "building", "road", "water", "barren", "forest", "agriculture")
    assert by_torchgeo.bands == own.bands
    assert by_torchgeo.dtype == own.dtype == "uint8"
    assert [band.mean for band in by_torchgeo.statistics] == [band.mean for band in own.statistics]
    for split in ("train", "val"):
        mine, theirs = ({scene.name.split("/")[-1]: scene for scene in p.scenes(split)} for p in (by_torchgeo, own))
        assert mine.keys() == theirs.keys()
        for name, scene in mine.items():
            assert (scene.digests, scene.class_pixels) == (theirs[name].digests, theirs[name].class_pixels)


def test_what_is_prepared_is_used_again_and_changed_files_are_noticed(loveda, tmp_path):
    section = archive_section("torchgeo", loveda, name="LoveDA")
    before = prepare(section, "mine", folder=tmp_path / "a")
    assert prepare(section, "mine", folder=tmp_path / "a").sources == before.sources
    scene = build(loveda, "LoveDA").scenes("train")[0]
    assert fingerprint_sources(scene) == fingerprint_sources(build(loveda, "LoveDA").scenes("train")[0])
    save(Path(str(scene.source.files[1])), np.full((16, 16), 7, np.uint8))
    assert fingerprint_sources(scene) != fingerprint_sources(build(loveda, "LoveDA").scenes("train")[1])
    assert prepare(section, "mine", folder=tmp_path / "a").digest != before.digest


def test_splits_are_what_the_class_is_called_with(loveda):
    dataset = build(loveda, "LoveDA", splits={"train": ["train", "val"], "val": {"split": "test", "scene": ["urban"]}})
    assert [scene.name for scene in dataset.scenes("train")][:4:3] == ["train/0", "train/1366"]
    assert len(dataset.scenes("train")) == 12
    assert [scene.name for scene in dataset.scenes("val")] == ["test-urban/5167", "test-urban/5168", "test-urban/5169"]
    assert dataset.scenes("val")[0].label is None
    assert len(build(loveda, "LoveDA", options={"scene": ["rural"]}).scenes("train")) == 3


def test_a_split_that_is_not_there_is_left_out_and_said(loveda):
    shutil.rmtree(loveda / "Test")
    dataset = build(loveda, "LoveDA")
    assert sorted(dataset.splits) == ["train", "val"]
    assert dataset.remarks == (f"{loveda} does not contain the files of the torchgeo dataset LoveDA",)
    with pytest.raises(DataError, match="does not contain the files of the torchgeo dataset LoveDA"):
        build(loveda, "LoveDA", splits={"train": "train", "test": "test"})


def test_training_images_in_another_split_are_refused(loveda):
    with pytest.raises(DataError, match="the scene train/0 is in two splits"):
        build(loveda, "LoveDA", splits={"train": "train", "val": "train"})


def test_landcover_has_its_names_and_colours(chips):
    dataset = build(chips, "LandCoverAI")
    assert dataset.legend.names == ("Background", "Building", "Woodland", "Water", "Road")
    assert dataset.legend.entries[2].colour == (38, 115, 0)
    assert [len(dataset.scenes(split)) for split in ("train", "val", "test")] == [4, 1, 1]
    image, labels = read(dataset)
    assert image.dtype == np.uint8
    assert np.array_equal(image, np.asarray(Image.open(chips / "output/M_0.jpg")).transpose(2, 0, 1))
    assert np.array_equal(labels, striped(8, 8, 5, side=1))


def test_landcover_is_prepared_though_torchgeo_lists_no_files(chips, tmp_path):
    prepared = prepare(archive_section("torchgeo", chips, name="LandCoverAI"), "mine", folder=tmp_path / "a")
    assert prepared.bands == ("red", "green", "blue")
    assert prepared.dtype == "uint8"
    assert np.array_equal(prepared.scenes("val")[0].mask, striped(8, 8, 5, side=1))


def test_what_torchgeo_gives_is_checked_like_files(chips):
    checked = validate_labels(archive_section("torchgeo", chips, name="LandCoverAI"))
    assert checked.error_count == 0
    assert checked.class_pixels("val").tolist() == np.bincount(striped(8, 8, 5, side=1).ravel()).tolist()


def test_ignored_numbers_are_no_classes(chips):
    dataset = build(chips, "LandCoverAI", ignore=[0])
    assert dataset.legend.names == ("Building", "Woodland", "Water", "Road")
    truth = striped(8, 8, 5, side=1)
    assert np.array_equal(read(dataset)[1], np.where(truth == 0, IGNORE_INDEX, truth - 1))


def test_a_legend_names_the_numbers_in_their_order_and_values_can_put_them_together(chips):
    names = {"land": "#ffffff", "house": None, "wood": None, "water": None, "road": None}
    assert build(chips, "LandCoverAI", legend=names).legend.names == tuple(names)
    dataset = build(chips, "LandCoverAI", legend=["land", "built"], values={"land": [0, 2, 3], "built": [1, 4]})
    assert np.array_equal(read(dataset)[1], np.array([0, 1, 0, 0, 1])[striped(8, 8, 5, side=1)])


def test_numbers_without_a_name_are_found_as_undeclared(chips):
    dataset = build(chips, "LandCoverAI", legend=["land", "house", "wood"])
    truth = striped(8, 8, 5, side=1)
    assert np.array_equal(read(dataset)[1], truth)


def test_splits_are_taken_out_of_train_by_share_and_by_name(chips):
    drawn = build(chips, "LandCoverAI", splits={"train": "train", "val": {"share": 0.5}})
    names = [{scene.name for scene in drawn.scenes(split)} for split in ("train", "val")]
    assert names[0] | names[1] == {f"train/{number}" for number in range(4)}
    assert len(names[0]) == len(names[1]) == 2
    named = build(chips, "LandCoverAI", splits={"val": {"names": ["[02]"]}, "train": "train"})
    assert [scene.name for scene in named.scenes("val")] == ["train/0", "train/2"]
    for rule in ({"share": 2.0}, {"share": 0.5, "names": ["*"]}):
        with pytest.raises(ConfigError, match=r"cannot take .* from train"):
            build(chips, "LandCoverAI", splits={"train": "train", "val": rule})


def test_a_dataset_with_places_gives_a_scene_for_each_file(places, tmp_path):
    splits = {"train": {}, "val": {"names": ["N-0", "N-1"]}}
    section = archive_section("torchgeo", places, name="LandCoverAIGeo", splits=splits)
    prepared = prepare(section, "mine", folder=tmp_path / "a")
    assert prepared.legend.names == ("Background", "Building", "Woodland", "Water", "Road")
    assert prepared.gsd == pytest.approx(0.5, rel=1e-3)
    assert [(scene.name, scene.split) for scene in prepared.all_scenes] == [
        ("LandCoverAIGeo/N-2", "train"), ("LandCoverAIGeo/N-3", "train"),
        ("LandCoverAIGeo/N-0", "val"), ("LandCoverAIGeo/N-1", "val"),
    ]  # fmt: skip
    for scene in prepared.all_scenes:
        number = int(scene.name[-1])
        with Scene.open(scene.image_path) as mine, Scene.open(places / f"images/N-{number}.tif") as file:
            assert mine.grid.matches(file.grid)
            window = file.grid.window
            assert np.array_equal(mine.read(window).values, file.read(window).values)  # of this file alone
        assert (np.array(scene.mask) == number + 1).all()


def test_while_one_file_is_asked_for_the_index_is_whole_again_afterwards(places):
    dataset = build(places, "LandCoverAIGeo")
    source = dataset.scenes("train")[1].source
    index = open_cached(source.factory).index
    source.read()
    assert open_cached(source.factory).index is index


def test_colours_outside_torchgeos_table_are_undeclared_and_no_class(deepglobe):
    stray = striped(8, 8, 7, side=1)
    stray[0] = 7
    save(deepglobe / "data/training_data/masks/1_mask.png", COLOURS[stray].astype(np.uint8))
    dataset = build(deepglobe, "DeepGlobeLandCover")
    assert dataset.legend.names[:2] == ("Urban land", "Agriculture land")
    assert "Unknown" not in dataset.legend.names
    assert [entry.colour for entry in dataset.legend.entries] == [tuple(colour) for colour in COLOURS[:6]]
    expected = np.array([0, 1, 2, 3, 4, 5, IGNORE_INDEX, 254])[stray]
    assert np.array_equal(read(dataset)[1], expected)
    assert np.array_equal(read(dataset)[1], expected)  # the table is changed once
    ignoring = build(deepglobe, "DeepGlobeLandCover", ignore=[254])
    assert np.array_equal(read(ignoring)[1], np.where(expected == 254, IGNORE_INDEX, expected))


def test_the_layouts_that_torchgeo_tests_itself_with_are_read(shared_data):
    layouts = shared_data / "torchgeo_layouts"
    _, labels = read(build(layouts / "loveda", "LoveDA"))
    assert (labels == IGNORE_INDEX).all()  # these masks hold 0, which torchgeo's names call background
    for folder, name, bands in (
        ("potsdam", "Potsdam2D", "red green blue nir"),
        ("vaihingen", "Vaihingen2D", "nir red green"),
    ):
        dataset = build(layouts / folder, name)
        image, labels = read(dataset)
        assert labels.tolist() == [[0, 1], [2, 3]]
        assert dataset.legend.names[:2] == ("Clutter/background", "Impervious surfaces")
        assert dataset.legend.entries[0].hex == "#ff0000"
        assert dataset.bands == tuple(bands.split())
        assert image[0].tolist() == [[0, 1], [2, 3]]
        assert sorted(dataset.splits) == ["test", "train"]


def test_the_pixel_type_is_that_of_the_first_images_and_others_are_refused(deepglobe, published, monkeypatch):
    kind = published.DeepGlobeLandCover
    plain = kind.__getitem__

    def brighten(factors):
        monkeypatch.setattr(kind, "__getitem__", lambda *at: (s := plain(*at)) | {"image": s["image"] * factors[at[1]]})

    brighten([1, 300])
    with pytest.raises(DataError, match="sample 1 of torchgeo's DeepGlobeLandCover does not fit into uint8") as refused:
        read(build(deepglobe, "DeepGlobeLandCover"), index=1)
    assert "data.dtype" in refused.value.hint
    assert read(build(deepglobe, "DeepGlobeLandCover", dtype="float32"), index=1)[0].max() > 65_535
    brighten([200, 1])
    assert read(build(deepglobe, "DeepGlobeLandCover"), index=1)[0].dtype == np.uint16
    brighten([0.5, 1])
    assert read(build(deepglobe, "DeepGlobeLandCover"))[0].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"mask": None}, ConfigError, "samples of .* have no mask"),
        ({"image": None}, ConfigError, "have mask, but no image"),
        ({"mask": np.zeros((2, 8, 8))}, ConfigError, "returns 2 masks with each image"),
        ({"mask": np.full((8, 8), 0.5)}, ConfigError, "mask has no classes"),
        ({"mask": np.zeros((4, 8))}, ConfigError, "mask has no classes"),
        (OSError("truncated"), DataError, "cannot read sample 0 of LandCoverAI: truncated"),
    ],
)  # fmt: skip
def test_samples_that_nothing_can_be_learnt_from_are_refused(chips, published, monkeypatch, change, error, said):
    def sample(self, place):
        if isinstance(change, Exception):
            raise change
        whole = {"image": np.zeros((3, 8, 8), np.float32), "mask": np.zeros((8, 8), np.int64)} | change
        return {key: value for key, value in whole.items() if value is not None}

    monkeypatch.setattr(published.LandCoverAI, "__getitem__", sample)
    with pytest.raises(error, match=said):
        build(chips, "LandCoverAI")


def test_one_of_several_masks_and_points_in_time_become_a_scene(chips, published, monkeypatch):
    masks = np.stack([striped(8, 8, 2), striped(8, 8, 5)])
    sample = {"image": noise(4, 2, 8, 8).astype(np.float32), "zones": masks}
    monkeypatch.setattr(published.LandCoverAI, "__getitem__", lambda *_: sample)
    dataset = build(chips, "LandCoverAI", mask="zones", mask_layer=1)
    image, labels = read(dataset)
    assert np.array_equal(image, sample["image"].reshape(8, 8, 8))
    assert np.array_equal(labels, masks[1])
    assert dataset.bands == tuple(f"band_{number}" for number in range(1, 9))


@pytest.mark.parametrize(
    ("options", "error", "said", "hint"),
    [
        ({"name": "LovDA"}, ConfigError, "torchgeo has no dataset 'LovDA'", "did you mean LoveDA"),
        ({"name": "LoveDA", "options": {"scen": []}}, ConfigError, "has no argument 'scen'", "did you mean scene"),
        ({"name": "LoveDA", "splits": {"train": "trian"}}, ConfigError, "cannot be called with .*trian", "documentation"),
        ({"name": "LoveDA", "splits": {"val": "val"}}, DataError, "does not contain the files of the torchgeo", "root"),
        ({"name": "LoveDA"}, DataError, "does not contain the files of the torchgeo dataset", "data.download=true"),
        ({"name": "LoveDA", "download": True}, DataError, "torchgeo cannot download LoveDA: no network", "by hand"),
        ({"name": "Potsdam2D", "download": True}, ConfigError, "has no argument 'download'", "root"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_sentence_and_a_hint(offline, tmp_path, options, error, said, hint):
    with pytest.raises(error, match=said) as refused:
        datasets.build("torchgeo", options, root=tmp_path / "none")
    assert "\n" not in refused.value.message
    assert hint in refused.value.hint


def test_train_must_be_said(loveda):
    with pytest.raises(ConfigError, match="has no split train"):
        build(loveda, "LoveDA", splits={"val": "val"})


def test_a_legend_is_asked_for_where_torchgeo_names_no_classes(loveda, published, monkeypatch):
    monkeypatch.delattr(published.LoveDA, "classes")
    with pytest.raises(
        ConfigError, match="does not name the classes of LoveDA; the first mask has the values 0, 1"
    ) as refused:
        build(loveda, "LoveDA")
    assert "data.legend" in refused.value.hint


def test_an_empty_folder_of_images_is_said(shared_data, tmp_path):
    (tmp_path / "4_Ortho_RGBIR").mkdir()
    with pytest.raises(DataError, match="torchgeo finds no image of Potsdam2D"):
        build(tmp_path, "Potsdam2D")


def test_sources_travel_to_other_processes_and_open_their_dataset_there(chips):
    source = pickle.loads(pickle.dumps(build(chips, "LandCoverAI").scenes("val")[0].source))
    open_cached.cache_clear()
    assert np.array_equal(source.read()[1], striped(8, 8, 5, side=1))


def test_the_fingerprint_of_a_source_keeps_the_words_of_earlier_records(chips):
    source = build(chips, "LandCoverAI").scenes("val")[0].source
    assert source.fingerprint()[0] == (
        f"TorchgeoSource(call=Call(name='LandCoverAI', root={chips!r}, arguments='{{\"split\": \"val\"}}', words='val'), "
        "place=0, reading=Reading(mask='mask', layer=None, by_colour=False), keeping=Keeping(bands=3, dtype='uint8', "
        "nodata=None, meaning=((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (255, 255)), classes=5))"
    )


def test_a_scene_without_listed_files_becomes_files(chips):
    scene = build(chips, "LandCoverAI").scenes("val")[0]
    with materialize(scene) as files, Scene.open(files.image) as opened:
        assert opened.bands == ("red", "green", "blue")


def test_a_recipe_names_it():
    section = parse_recipe({"data": {"dataset": "torchgeo", "name": "LandCoverAI"}}).data
    assert section.options == {"name": "LandCoverAI"}


def archive_of(folder, split):
    path = folder / f"{split}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for domain in ("Urban", "Rural"):
            file.writestr(f"{split}/{domain}/images_png/1.png", b"")
    return {"url": path.as_uri(), "filename": path.name, "md5": md5(path.read_bytes()).hexdigest()}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_loveda_is_fetched_whole_and_checked(tmp_path, published, monkeypatch):
    web, root = tmp_path / "web", tmp_path / "loveda"
    there = {split: archive_of(web, split.title()) for split in ("train", "val", "test")}
    monkeypatch.setattr(published.LoveDA, "info_dict", there)
    monkeypatch.setattr(f"{FETCHING}._urlretrieve", lambda _, path: shutil.copy(web / Path(path).name, path))
    download_loveda(root)
    assert names_in(root) == ["Test.zip", "Train.zip", "Val.zip"]
    assert all((root / name).read_bytes() == (web / name).read_bytes() for name in names_in(root))
    (root / "Test.zip").unlink()
    (web / "Test.zip").write_bytes((web / "Test.zip").read_bytes()[:50])
    with pytest.raises(DataError, match="torchgeo cannot download LoveDA: File not found or corrupted"):
        download_loveda(root)
    assert names_in(root) == ["Train.zip", "Val.zip"]


def test_without_a_network_the_record_is_named_and_nothing_is_left(offline, tmp_path):
    with pytest.raises(DataError, match="torchgeo cannot download LoveDA: no network") as refused:
        download_loveda(tmp_path / "loveda")
    assert "https://zenodo.org/records/5706578" in refused.value.hint
    assert names_in(tmp_path / "loveda") == []

"""The torch dataset from files: its items suit any training loop, and do not depend on the workers that make them."""

import subprocess
import sys
import warnings

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import torch
from helpers.prepared import labelled_folder, striped
from helpers.rasters import UTM, make_raster, noise
from rasterio.errors import NotGeoreferencedWarning
from torch.utils.data import DataLoader

from geoseg.config.recipe import AugmentSection, DataSection, TrainSection
from geoseg.data import SegmentationDataset
from geoseg.errors import ConfigError, DataError, SceneError
from geoseg.legend import IGNORE_INDEX, Legend

CLASSES = ["one", "two", "three"]
MASK = striped(40, 70)
WORKERS = pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # Python 3.12, forks of threaded processes


@pytest.fixture
def files(tmp_path):
    """Two images of 40 x 70 pixels with masks."""
    return labelled_folder(tmp_path / "data", label=MASK, image=noise(3, 40, 70, low=1))


def built(root, cache, **options):
    given = {"images": root / "images", "labels": root / "labels", "classes": CLASSES, "crop": 16, "cache": cache}
    return SegmentationDataset(**(given | options))


def equal(one, other) -> bool:
    return all(torch.equal(a[key], b[key]) for a, b in zip(one, other, strict=True) for key in ("image", "mask"))


def test_an_item_is_a_float_image_and_a_mask_of_class_indices(files, tmp_path) -> None:
    dataset = built(files, tmp_path / "cache", sampler="grid", length=30)
    item = dataset[0]
    assert set(item) == {"image", "mask"}
    assert (item["image"].shape, item["image"].dtype) == ((3, 16, 16), torch.float32)
    assert (item["mask"].shape, item["mask"].dtype) == ((16, 16), torch.int64)
    assert set(item["mask"].unique().tolist()) <= {0, 1, 2, dataset.ignore_index}
    assert dataset.legend.names == tuple(CLASSES)
    assert (len(dataset.bands), len(dataset.scenes), len(dataset)) == (3, 2, 30)


def test_a_grid_shows_every_pixel_once_per_epoch(files, tmp_path) -> None:
    dataset = built(files, tmp_path / "cache", sampler="grid")
    counts = sum(torch.bincount(item["mask"].flatten(), minlength=256)[:3] for item in dataset)
    assert counts.tolist() == (2 * np.bincount(MASK.ravel())).tolist()
    assert len(dataset) == 2 * 3 * 5


@pytest.mark.parametrize("sampler", ["random", {"name": "balanced", "temperature": 0.5}])
def test_crops_hold_the_pixels_of_the_files(files, tmp_path, sampler) -> None:
    dataset = built(files, tmp_path / "cache", sampler=sampler, crop=8)
    with rasterio.open(files / "images/a.tif") as file:
        image = file.read()
    windows = np.lib.stride_tricks.sliding_window_view(image, (8, 8), axis=(1, 2))
    for index in range(5):
        item = dataset[index]
        matches = (windows == item["image"].numpy()[:, None, None]).all(axis=(0, 3, 4))
        row, col = np.argwhere(matches)[0]
        assert torch.equal(item["mask"], torch.from_numpy(MASK[row : row + 8, col : col + 8].astype(np.int64)))


@WORKERS
def test_a_few_steps_of_training_are_the_same_with_and_without_workers(files, tmp_path) -> None:
    dataset = built(files, tmp_path / "cache", length=12, augment={"rotate90": 0.5}, normalize=True)
    losses, batches = [], []
    for workers in (0, 2):
        torch.manual_seed(0)
        network = torch.nn.Conv2d(3, 3, 3, padding=1)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        batches.append(list(DataLoader(dataset, batch_size=4, num_workers=workers)))
        for batch in batches[-1]:
            loss = torch.nn.functional.cross_entropy(network(batch["image"]), batch["mask"], ignore_index=IGNORE_INDEX)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert equal(*batches)
    assert losses[:3] == losses[3:]
    assert np.isfinite(losses).all()


@WORKERS
@pytest.mark.parametrize("workers", [0, 2])
def test_another_epoch_has_other_crops_and_the_first_one_can_be_repeated(files, tmp_path, workers) -> None:
    dataset = built(files, tmp_path / "cache", length=4)
    loader = DataLoader(dataset, batch_size=2, num_workers=workers, persistent_workers=workers > 0)
    epochs = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        epochs.append(list(loader))
    assert not equal(epochs[0], epochs[1])
    assert equal(epochs[0], epochs[2])


def test_normalized_images_have_mean_0_and_deviation_1_and_no_data_is_0(tmp_path) -> None:
    image = noise(2, 32, 32, low=50, high=200)
    image[:, :, :8] = 0
    root = labelled_folder(tmp_path / "data", label=striped(32, 32), image=image, image_profile={"nodata": 0})
    items = list(built(root, tmp_path / "cache", sampler="grid", normalize=True))
    images = torch.stack([item["image"] for item in items])
    valid = torch.stack([item["mask"] for item in items]) != IGNORE_INDEX
    values = images.transpose(0, 1)[:, valid]
    assert values.mean(dim=1) == pytest.approx([0, 0], abs=1e-5)
    assert values.std(dim=1, unbiased=False) == pytest.approx([1, 1], abs=1e-4)
    assert not images.transpose(0, 1)[:, ~valid].any()


def test_files_without_a_place_are_enough(tmp_path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        image = make_raster(tmp_path / "a.tif", noise(3, 20, 50, low=1))
        label = make_raster(tmp_path / "l.tif", striped(20, 50)[None])
        dataset = SegmentationDataset([image], [label], CLASSES, crop=32, cache=tmp_path / "cache")
        item = dataset[0]
    assert item["image"].shape == (3, 32, 32)
    assert (item["mask"][20:] == IGNORE_INDEX).all()  # padding


def test_one_file_of_polygons_labels_all_images(tmp_path) -> None:
    image = make_raster(tmp_path / "a.tif", noise(3, 20, 30, low=1), **UTM)
    with rasterio.open(image) as file:
        left, bottom, right, top = file.bounds
    polygons = shapely.box(left, bottom, (left + right) / 2, top), shapely.box((left + right) / 2, bottom, right, top)
    frame = gpd.GeoDataFrame({"kind": ["wood", "lake"]}, geometry=list(polygons), crs=UTM["crs"])
    frame.to_crs(4326).to_file(tmp_path / "labels.gpkg")
    dataset = SegmentationDataset(
        image, tmp_path / "labels.gpkg", ["water", "forest"], column="kind", sampler="grid", crop=32,
        values={"water": ["lake"], "forest": ["wood"]}, cache=tmp_path / "cache",
    )  # fmt: skip
    mask = dataset[0]["mask"]
    assert (mask[:20, :14] == 1).all()
    assert (mask[:20, 16:30] == 0).all()


def test_colors_and_ignored_values_mean_what_is_declared(tmp_path) -> None:
    mask = striped(24, 24)
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 0]], np.uint8)[mask].transpose(2, 0, 1)
    root = labelled_folder(tmp_path / "data", names="a", label=colors, image=noise(1, 24, 24, low=1))
    legend = Legend.of({"red": "#ff0000", "green": "#00ff00"})
    dataset = built(root, tmp_path / "cache", classes=legend, ignore=["#000000"], sampler="grid", crop=24)
    assert torch.equal(dataset[0]["mask"], torch.from_numpy(np.where(mask == 2, IGNORE_INDEX, mask).astype(np.int64)))


def test_converted_scenes_are_used_again(files, tmp_path) -> None:
    first = built(files, tmp_path / "cache").prepared
    assert built(files, tmp_path / "cache", images=str(files / "images/*.tif")).prepared == first
    assert built(files, tmp_path / "cache", classes=CLASSES[::-1]).prepared.folder != first.folder


@pytest.mark.parametrize(
    ("options", "error", "message", "hint"),
    [
        ({"images": ["none.tif"], "labels": ["l.tif"]}, DataError, "none.tif does not exist", "path"),
        ({"images": "none/*.tif"}, SceneError, "no file matches", "path"),
        ({"labels": ["l.tif"]}, DataError, "there are 2 images and 1 labels", "same order"),
        ({"classes": ["one", "two"]}, DataError, "not in the legend: 2", "data.ignore"),
        ({"sampler": "rnadom"}, ConfigError, "rnadom", "random"),
        ({"sampler": {"attempts": 3}}, ConfigError, "has no name", "balanced"),
        ({"crop": 0}, ConfigError, "crop is 0", "at least 1"),
        ({"gsd": -1}, ConfigError, "gsd: -1 is not valid", "greater than 0"),
        ({"values": {"four": [4]}}, ConfigError, "names 'four', which is not in the legend", "legend"),
        ({"augment": {"rotate": 0.5}}, ConfigError, "rotate: unknown key", "rotate90"),
        ({"augment": AugmentSection(photometric="openmmlab")}, DataError, "requires three uint8 bands", "linear"),
    ],
)
def test_what_cannot_work_is_one_sentence_and_a_hint(tmp_path, options, error, message, hint) -> None:
    root = labelled_folder(tmp_path / "data", label=MASK, image=noise(4, 40, 70, low=1))
    with pytest.raises(error, match=message) as refused:
        built(root, tmp_path / "cache", **options)
    assert hint in refused.value.hint


def test_labels_are_matched_by_name(tmp_path) -> None:
    root = labelled_folder(tmp_path / "data", label=MASK, image=noise(3, 40, 70, low=1))
    (root / "labels/a.tif").rename(root / "labels/a_mask.tif")
    scenes = built(root, tmp_path / "cache").scenes
    assert [scene.name for scene in scenes] == ["a", "b"]
    (root / "labels/b.tif").unlink()
    with pytest.raises(DataError, match=r"has no label for b\.tif"):
        built(root, tmp_path / "other")


def test_an_index_out_of_range_ends_iteration(files, tmp_path) -> None:
    dataset = built(files, tmp_path / "cache", length=3)
    assert len(list(dataset)) == 3
    assert equal([dataset[-1]], [dataset[2]])
    with pytest.raises(IndexError, match="index 3 is out of range for 3 items"):
        dataset[3]


def test_defaults_are_those_of_recipes(files, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = SegmentationDataset(files / "images", files / "labels", CLASSES)
    assert dataset[0]["image"].shape[1:] == (TrainSection().crop, TrainSection().crop)
    assert dataset.prepared.folder.parent == DataSection().prepared
    defaults = SegmentationDataset.__init__.__kwdefaults__
    assert (defaults["sampler"], defaults["seed"]) == (TrainSection().sampler.name, TrainSection().seed)
    assert defaults["unknown_share"] == DataSection().unknown_share


def test_the_package_is_imported_without_torch() -> None:
    command = (
        "import sys, geoseg.data; assert 'torch' not in sys.modules; print(geoseg.data.SegmentationDataset.__name__)"
    )
    ran = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "SegmentationDataset"

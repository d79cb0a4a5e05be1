"""Every raster we could find: it is described and predicted, or refused in one sentence with nothing written."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from helpers.rasters import UTM, make_raster, noise

from geoseg.bundle import Bundle
from geoseg.config.recipe import ModelSection
from geoseg.errors import GeosegError
from geoseg.inference.predict import predict
from geoseg.legend import Legend
from geoseg.model_card import ModelCard
from geoseg.models.build import build_network
from geoseg.raster.scene import Scene

TWO_CLASSES = Legend.of({"field": "#00ff00", "town": "#ff0000"})
LARGEST = 600 * 600


@pytest.fixture(scope="module")
def bundle_for(tmp_path_factory):
    """A small untrained model that suits a raster: same number of bands, same pixel type."""
    folder = tmp_path_factory.mktemp("models")
    made: dict[tuple[int, str], Path] = {}

    def make(bands: int, dtype: str) -> Path:
        if (bands, dtype) not in made:
            head = {"name": "deeplabv3plus", "channels": 16, "low_level_channels": 8}
            model = ModelSection(
                backbone={"name": "mobilenetv3_small_050"}, head=head, output_stride=16, auxiliary_weight=0
            )
            numbers = {
                name: (float(value),) * bands
                for name, value in {"mean": 90, "std": 50, "minimum": 0, "maximum": 255}.items()
            }
            names = tuple(f"band_{number + 1}" for number in range(bands))
            card = ModelCard(model, TWO_CLASSES, names, **numbers, dtype=dtype, gsd=None, crop=128, tile=256, halo=32)
            network = build_network(model, bands=bands, classes=2)
            made[bands, dtype] = Bundle(network, card).save(folder / f"{bands}_{dtype}.safetensors")
        return made[bands, dtype]

    return make


def rasters(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*.tif") if "torchgeo_layouts" not in path.parts]
    one_of_each = [folder.glob("dubai_hitl/*/images/*_001.jpg"), folder.glob("torchgeo_layouts/**/*2_10*.tif")]
    return sorted(found) + [path for some in one_of_each for path in sorted(some)[:1]]


def test_every_raster_of_the_shared_folder_works_or_says_why(geoseg, bundle_for, shared_data, tmp_path):
    for number, path in enumerate(rasters(shared_data)):
        output = tmp_path / f"{number}.tif"
        info = geoseg("info", path)
        assert info.exit_code == 0, f"{path}: {info.stderr}"
        with Scene.open(path) as scene:
            if scene.grid.height * scene.grid.width > LARGEST:
                continue
            model, grid, gcps = bundle_for(len(scene.bands), scene.dtype.name), scene.grid, scene.gcps
        result = geoseg("predict", path, "-o", output, "--model", model)
        assert result.exit_code == 0, f"{path}: {result.stderr}"
        with Scene.open(output) as mask:
            assert mask.grid.matches(grid), path
            assert (mask.gcps is None) == (gcps is None), path


def test_a_scene_without_a_valid_pixel_gives_an_empty_mask(geoseg, bundle_for, tmp_path):
    scene = make_raster(tmp_path / "empty.tif", np.zeros((3, 40, 50), np.uint8), nodata=0, **UTM)
    assert geoseg("predict", scene, "-o", tmp_path / "mask.tif", "--model", bundle_for(3, "uint8")).exit_code == 0
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert (mask.read(1) == 255).all()


def truncated(folder: Path) -> Path:
    path = make_raster(folder / "truncated.tif", noise(3, 900, 900), tiled=True, **UTM)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def text(folder: Path) -> Path:
    path = folder / "text.tif"
    path.write_text("this is no raster")
    return path


def a_folder(folder: Path) -> Path:
    path = folder / "folder.tif"
    path.mkdir()
    return path


def missing(folder: Path) -> Path:
    return folder / "missing.tif"


def complex_numbers(folder: Path) -> Path:
    return make_raster(folder / "complex.tif", np.ones((3, 20, 20), np.complex64), **UTM)


@pytest.mark.parametrize("make", [truncated, text, a_folder, missing, complex_numbers])
def test_what_is_no_scene_ends_in_one_sentence_with_nothing_written(geoseg, bundle_for, tmp_path, make):
    scene = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = geoseg("predict", scene, "-o", tmp_path / "mask.tif", "--model", bundle_for(3, "uint8"))
    assert result.exit_code == 1
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error:")]) == 1
    assert len([line for line in result.stderr.splitlines() if line.startswith("Hint:")]) == 1
    assert "Traceback" not in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("bands", "dtype", "flag"), [(4, "uint8", "--bands"), (2, "uint8", "--bands"), (3, "uint16", "--any-dtype")]
)
def test_a_scene_that_does_not_suit_the_model_is_refused_with_the_flag_that_overrides(
    geoseg, bundle_for, tmp_path, bands, dtype, flag
):
    scene = make_raster(tmp_path / "scene.tif", noise(bands, 40, 40, dtype=dtype), **UTM)
    result = geoseg("predict", scene, "-o", tmp_path / "mask.tif", "--model", bundle_for(3, "uint8"))
    assert result.exit_code == 1
    assert flag in result.stderr
    assert not (tmp_path / "mask.tif").exists()


@pytest.mark.parametrize("place", ["nowhere/mask.tif", "mask.png"])
def test_a_place_where_no_mask_can_be_written_is_refused_before_any_work(geoseg, bundle_for, tmp_path, place):
    scene = make_raster(tmp_path / "scene.tif", noise(3, 40, 40), **UTM)
    result = geoseg("predict", scene, "-o", tmp_path / place, "--model", bundle_for(3, "uint8"))
    assert result.exit_code == 1
    assert "Hint:" in result.stderr


def test_a_recipe_with_an_unknown_key_is_answered_with_the_nearest(geoseg, tmp_path):
    recipe = tmp_path / "bad.yaml"
    recipe.write_text("data: {root: .}\ntrain: {iteration: 5}\n")
    result = geoseg("train", recipe)
    assert result.exit_code == 1
    assert "train.iteration: unknown key" in result.stderr
    assert "did you mean iterations?" in result.stderr


def test_the_library_raises_what_the_command_says(bundle_for, tmp_path):
    with pytest.raises(GeosegError) as caught:
        predict(missing(tmp_path), tmp_path / "mask.tif", model=bundle_for(3, "uint8"))
    assert caught.value.hint

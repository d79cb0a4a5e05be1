"""From a mask's file to a layer's file."""

import subprocess
import sys

import numpy as np
import pyogrio
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.transform import Affine
from strategies_vector import FIVE_METRES, LEGEND, smooth_mask

from geoseg.errors import ConfigError, OutputError, SceneError
from geoseg.raster.scene import Scene
from geoseg.vector.polygonize import polygonize

MASK = np.array([[0, 0, 1], [0, 255, 1], [3, 3, 1]], np.uint8)


@pytest.fixture
def write(tmp_path):
    def written(values, *, tags=None, **options):
        path = tmp_path / "mask.tif"
        values = values if values.ndim == 3 else values[None]
        profile = {"count": len(values), "height": values.shape[1], "width": values.shape[2], "dtype": values.dtype}
        profile |= {"crs": "EPSG:32633", "transform": FIVE_METRES} | options
        with rasterio.open(path, "w", driver="GTiff", **profile) as dataset:
            dataset.write(values)
            dataset.update_tags(**(tags or {}))
        return path

    return written


def test_the_layer_lies_beside_the_mask_and_is_returned(write):
    path = write(MASK, tags={"GEOSEG_CLASSES": LEGEND.to_json()})
    layer = polygonize(path)
    back = pyogrio.read_dataframe(path.with_suffix(".gpkg"), layer="polygons")
    assert layer.frame["class_name"].tolist() == back["class_name"].tolist() == ["water", "forest", "roof"]
    assert (len(layer), layer.path, layer.notes) == (3, path.with_suffix(".gpkg"), ())


def test_without_a_legend_classes_are_called_by_their_values(write, tmp_path):
    layer = polygonize(write(MASK), tmp_path / "a.fgb")
    assert sorted(layer.frame["class_name"]) == ["0", "1", "3"]
    assert "no legend" in layer.notes[0]


def test_nodata_is_left_out(write, tmp_path):
    layer = polygonize(write(MASK, nodata=3), tmp_path / "a.gpkg")
    assert layer.frame["class_index"].tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int32, np.uint32])
def test_wider_integers_are_masks_too(write, tmp_path, dtype):
    values = np.where(MASK == 255, 0, MASK).astype(dtype)
    assert polygonize(write(values), tmp_path / "a.gpkg").frame["class_index"].tolist() == [0, 1, 3]


def test_values_that_are_no_class_indices_are_named_and_noted(write, tmp_path):
    layer = polygonize(write(np.array([[-5, 70_000]], np.int32)), tmp_path / "a.gpkg")
    assert layer.frame["class_name"].tolist() == ["-5", "70000"]
    assert "layer_styles" not in pyogrio.list_layers(layer.path)
    assert "no class indices" in layer.notes[0]


def test_values_beyond_the_legend_are_noted(write, tmp_path):
    layer = polygonize(
        write(np.array([[0, 9]], np.uint8), tags={"GEOSEG_CLASSES": LEGEND.to_json()}), tmp_path / "a.gpkg"
    )
    assert layer.frame["class_name"].tolist() == ["water", "9"]
    assert "does not know" in layer.notes[0]


def test_all_wishes_together(write, tmp_path):
    path = write(smooth_mask(80), tags={"GEOSEG_CLASSES": LEGEND.to_json()})
    plain = polygonize(path, tmp_path / "a.gpkg")
    wished = polygonize(
        path, tmp_path / "b.gpkg", connectivity=8, min_area_m2=500, simplify_m=5, classes=["water", "roof"]
    )
    assert 0 < len(wished) < len(plain)
    assert set(wished.frame["class_name"]) == {"water", "roof"}


@pytest.mark.parametrize(
    "wishes",
    [{}, {"min_area_m2": 300, "fill_holes_m2": 600, "simplify_m": 8}, {"connectivity": 8, "smooth": True}],
    ids=["exact", "generalised", "smooth"],
)
def test_strips_leave_no_trace_in_the_file(write, tmp_path, monkeypatch, wishes):
    monkeypatch.setattr("geoseg.vector.mask_source.STRIP_PIXELS", 1)
    monkeypatch.setattr("geoseg.vector.tracing.trace_raster.JOINED", 2)
    path = write(smooth_mask(100), tiled=True, blockxsize=16, blockysize=16)
    cut = polygonize(path, tmp_path / "a.gpkg", **wishes)
    monkeypatch.undo()
    whole = polygonize(path, tmp_path / "b.gpkg", **wishes)
    assert cut.frame.equals(whole.frame)


def test_progress_counts_every_strip(write, tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.vector.mask_source.STRIP_PIXELS", 1)
    seen = []

    class Counting:
        def __call__(self, total, _description):
            seen.append(total)
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def advance(self, steps=1):
            seen.append(steps)

    path = write(smooth_mask(48), tiled=True, blockxsize=16, blockysize=16)
    polygonize(path, tmp_path / "a.gpkg", progress=Counting())
    assert seen == [3, 1, 1, 1]


def test_an_open_scene_is_taken_too(write, tmp_path):
    with Scene.open(write(MASK)) as scene:
        assert len(polygonize(scene, tmp_path / "a.gpkg")) == 3
        assert scene.read(scene.grid.window).valid.all()


def test_an_empty_mask_gives_an_empty_layer(write, tmp_path):
    assert len(polygonize(write(np.full((4, 4), 255, np.uint8)), tmp_path / "a.gpkg")) == 0
    assert len(pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="polygons")) == 0


def test_a_mask_without_crs_stays_in_its_own_coordinates_and_says_so(write, tmp_path):
    layer = polygonize(write(MASK, crs=None, transform=Affine(1, 0, 0, 0, -1, 3)), tmp_path / "a.gpkg")
    assert any("no CRS" in note for note in layer.notes)
    assert layer.frame.total_bounds.tolist() == [0, 0, 3, 3]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_mask_placed_by_points_comes_in_pixels_and_says_so(write, tmp_path):
    points = [GroundControlPoint(row, col, 10 + col, 50 - row) for row, col in ((0, 0), (0, 3), (3, 0), (3, 3))]
    layer = polygonize(write(MASK, transform=None, gcps=points), tmp_path / "a.gpkg")
    assert "ground control points" in layer.notes[0]


@pytest.mark.parametrize(
    ("values", "words"),
    [(np.zeros((3, 4, 4), np.uint8), "3 bands"), (np.zeros((4, 4), np.float32), "float32")],
    ids=["image", "heights"],
)
def test_other_rasters_are_refused(write, tmp_path, values, words):
    with pytest.raises(SceneError, match=words):
        polygonize(write(values), tmp_path / "a.gpkg")
    assert not (tmp_path / "a.gpkg").exists()


def test_a_bad_target_is_said_before_the_work(write, tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.vector.polygonize.traced", lambda *_, **__: pytest.fail("began to work"))
    with pytest.raises(OutputError, match="dxf"):
        polygonize(write(MASK), tmp_path / "a.dxf")
    with pytest.raises(ConfigError, match="4 or 8"):
        polygonize(write(MASK), tmp_path / "a.gpkg", connectivity=6)


def test_polygonizing_imports_no_torch():
    modules = "geoseg.vector.polygonize, geoseg.vector.rasterize, geoseg.plotting.panels"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

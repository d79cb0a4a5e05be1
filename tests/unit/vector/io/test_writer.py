"""Writers of polygons: what ends the stream is what the caller sees, and every class gets its own name."""

import json
import signal

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
from click.testing import CliRunner
from geoseg_cli.main import main
from helpers.rasters import UTM, make_raster
from pyogrio.errors import DataLayerError

from geoseg.errors import OutputError
from geoseg.vector.io.writer import _gdal_errors, _make_distinct, _to_layer_name
from geoseg.vector.polygonize import polygonize

SUFFIXES = [".gpkg", ".fgb", ".geojson", ".shp", ".parquet"]

NAMES = [
    "<script>",
    "../../x",
    "a b",
    "A B",
    "a_b",
    "gpkg_x",
    "layer_styles",
    "'; DROP TABLE x;--",
    '"',
    "[br]%s%n",
    "ü",
]
"""Class names of which many are no names of layers or files, and some differ in upper and lower case only."""


@pytest.fixture
def mask(tmp_path):
    values = np.arange(11, dtype=np.uint8).reshape(1, 1, 11)
    path = make_raster(tmp_path / "mask.tif", values, nodata=255, **UTM)
    rows = [{"index": k, "name": name, "colour": f"#0000{k:02x}"} for k, name in enumerate(NAMES)]
    with rasterio.open(path, "r+") as file:
        file.update_tags(GEOSEG_CLASSES=json.dumps(rows))
    return path


class Interrupted:
    """A progress during which the user presses Ctrl-C."""

    def __call__(self, _total, _description):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def advance(self, _steps=1):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_ctrl_c_is_no_full_disk_and_leaves_nothing(mask, tmp_path, suffix, per_class) -> None:
    with pytest.raises(KeyboardInterrupt):
        polygonize(mask, tmp_path / f"a{suffix}", per_class=per_class, progress=Interrupted())
    assert list(tmp_path.iterdir()) == [mask]


def test_ctrl_c_in_polygonize_ends_with_130(mask, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("geoseg_cli.polygonize.current_progress", Interrupted)
    result = CliRunner().invoke(main, ["polygonize", str(mask), "-o", str(tmp_path / "a.gpkg")])
    assert result.exit_code == 130
    assert "stopped by the user" in result.stderr
    assert list(tmp_path.iterdir()) == [mask]


def test_any_class_name_gets_a_layer_with_its_polygons(mask, tmp_path) -> None:
    polygons = polygonize(mask, tmp_path / "a.gpkg", per_class=True)
    layers = [name for name, geometry in pyogrio.list_layers(polygons.path) if geometry is not None]
    classes = [set(pyogrio.read_dataframe(polygons.path, layer=name)["class_name"]) for name in layers]
    assert sorted(name for names in classes for name in names) == sorted(NAMES)
    assert all(len(names) == 1 for names in classes)
    styles = pyogrio.read_dataframe(polygons.path, layer="layer_styles")
    assert sorted(styles["f_table_name"]) == sorted(layers)


@pytest.mark.parametrize("suffix", [".fgb", ".geojson"])
def test_any_class_name_gets_a_file_with_its_polygons(mask, tmp_path, suffix) -> None:
    polygonize(mask, tmp_path / f"a{suffix}", per_class=True)
    classes = [set(gpd.read_file(path)["class_name"]) for path in tmp_path.glob(f"a_*{suffix}")]
    assert sorted(name for names in classes for name in names) == sorted(NAMES)


def test_ordinary_class_names_are_the_names_of_the_layers() -> None:
    names = ["low vegetation", "Straße", "car-park", "2nd growth", "_x"]
    assert [_to_layer_name(name) for name in names] == names
    assert _make_distinct(["a", "b", "A", "a_2", "a"]) == ["a", "b", "A_2", "a_2_2", "a_3"]


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("database or disk is full", "free some space"),
        ("attempt to write a readonly database", "check the permissions"),
        ("The layer name may not contain special characters or spaces", "check the permissions of the folder and"),
    ],
)
def test_the_hint_follows_from_gdals_error_which_is_kept_as_the_cause(tmp_path, message, hint) -> None:
    error = DataLayerError(message)
    with pytest.raises(OutputError, match=message) as caught, _gdal_errors(tmp_path / "a.gpkg"):
        raise error
    assert caught.value.hint.startswith(hint)
    assert caught.value.__cause__ is error

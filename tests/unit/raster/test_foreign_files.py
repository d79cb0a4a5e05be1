"""Files made by others: whatever GDAL or PROJ says while a file is described is one sentence, and memory is bounded."""

import json
import math
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.memory import run_and_measure
from helpers.rasters import UTM, make_raster, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj.exceptions import ProjError
from rasterio._err import CPLE_AppDefinedError
from rasterio.errors import CRSError, RasterioIOError, RPCError
from rasterio.transform import from_origin

from geoseg.errors import GeosegError, SceneError
from geoseg.file_info import describe_raster
from geoseg.file_info.describe import describe
from geoseg.raster import metadata
from geoseg.raster.scene import Scene

LAMBERT = (
    "+proj=lcc +lat_1=40 +lat_2=50 +lat_0=45 +lon_0=10 +x_0=500000 +y_0=100 +a=6378000 +rf=290 +units=us-ft +no_defs"
)
PLACE = from_origin(400_000, 5_800_000, 0.3, 0.3)

DESCRIBE = """
import sys
from geoseg.errors import GeosegError
from geoseg.file_info.describe import describe
try:
    print(describe(sys.argv[1]).kind)
except GeosegError as error:
    print(error.message)
"""


def replace_bytes(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    return path


def make_sparse(path: Path, height: int, width: int, **profile) -> Path:
    """A TIFF whose blocks are declared and not stored."""
    profile |= {"driver": "GTiff", "dtype": "uint8", "crs": "EPSG:25833", "transform": PLACE, "SPARSE_OK": True}
    with rasterio.open(path, "w", height=height, width=width, compress="deflate", **{"count": 1} | profile):
        pass
    assert path.stat().st_size < 1_000_000
    return path


def test_a_crs_that_proj_rejects_is_a_scene_error_with_a_hint_about_the_crs(tmp_path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(3, 4, 4), crs=LAMBERT, transform=PLACE)
    replace_bytes(path, struct.pack("<d", 10.0), struct.pack("<d", math.nan))
    with pytest.raises(SceneError, match=r"the CRS of .*a\.tif is invalid") as caught:
        Scene.open(path)
    assert "gdal_edit -a_srs" in caught.value.hint
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    "error",
    [
        CPLE_AppDefinedError(3, 1, "Key 2049 of unknown type."),
        CRSError("The WKT could not be parsed. OGR Error code 5"),
        ProjError("proj_create failed"),
        RPCError("no such line"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        RasterioIOError("Read failed"),
        OverflowError("cannot convert float infinity to integer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_error_of_gdal_and_proj_while_a_file_is_described_is_a_scene_error(tmp_path, monkeypatch, error) -> None:
    path = make_raster(tmp_path / "a.tif", noise(3, 4, 4), **UTM)

    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr(metadata, "_read_grid", fail)
    with pytest.raises(SceneError, match=r"a\.tif") as caught:
        describe(path)
    assert caught.value.__cause__ is error
    assert (
        ("CRS" in caught.value.message) == ("gdal_edit" in caught.value.hint) == isinstance(error, CRSError | ProjError)
    )


@pytest.mark.parametrize("size", [math.nan, math.inf, 1e-300, 1e300])
def test_a_transform_without_area_is_refused(tmp_path, size) -> None:
    path = make_raster(tmp_path / "a.tif", noise(3, 4, 4), crs="EPSG:25833", transform=PLACE)
    old = struct.pack("<dd", 0.3, 0.3)
    replace_bytes(path, old, struct.pack("<dd", size, size))
    with pytest.raises(SceneError, match="singular or not finite"):
        Scene.open(path)


def describe_or_explain(path: Path) -> tuple[str, str]:
    """The message and hint of the error while a file is described; both empty if there is none."""
    try:
        json.dumps(describe(path).to_json())
    except GeosegError as error:
        return error.message, error.hint
    return "", ""


@pytest.fixture(scope="module")
def places_of_keys(tmp_path_factory):
    """A small TIFF, and the (offset, length) of the values of its georeferencing tags."""
    path = make_raster(tmp_path_factory.mktemp("keys") / "a.tif", noise(3, 4, 4), crs=LAMBERT, transform=PLACE)
    content = path.read_bytes()
    (start,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, start)
    found = []
    for k in range(entries):
        tag, kind, count, offset = struct.unpack_from("<HHII", content, start + 2 + 12 * k)
        if tag in (33550, 33922, 34735, 34736, 34737):
            found += range(offset, offset + count * {2: 1, 3: 2, 12: 8}[kind])
    return path, content, found


@settings(max_examples=60)
@given(data=st.data())
def test_any_georeferencing_is_described_or_refused_in_a_sentence(places_of_keys, data) -> None:
    path, content, places = places_of_keys
    changed = bytearray(content)
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    path.write_bytes(changed)
    message, hint = describe_or_explain(path)
    assert (str(path) in message and hint) or not message


def test_blocks_of_gigabytes_are_refused_before_they_are_read(tmp_path) -> None:
    path = make_sparse(tmp_path / "a.tif", 1, 2**31 - 1, blockysize=1)
    text, peak_mb = run_and_measure(DESCRIBE, path)
    assert "stores its pixels in blocks of" in text
    assert peak_mb < 400


def test_bands_interleaved_by_pixel_share_a_block(tmp_path) -> None:
    path = make_sparse(tmp_path / "a.tif", 1, 2**28, count=5, blockysize=1, interleave="pixel")
    with pytest.raises(SceneError, match=r"needs 1\.3 GB"):
        Scene.open(path)


def test_a_wide_sparse_mask_is_counted_in_bounded_memory(tmp_path) -> None:
    path = make_sparse(tmp_path / "a.tif", 512, 400_000, tiled=True, blockxsize=512, blockysize=512)
    text, peak_mb = run_and_measure(DESCRIBE, path)
    assert text == "label raster"
    assert peak_mb < 600


def test_counting_windows_cover_each_pixel_once(tmp_path, monkeypatch) -> None:
    values = noise(1, 40, 100, high=3)
    path = make_raster(tmp_path / "a.tif", values, **UTM, tiled=True, blockxsize=16, blockysize=16)
    whole = describe(path)
    monkeypatch.setattr(describe_raster, "STRIP_PIXELS", 16 * 32)
    assert [(row.index, row.count) for row in describe(path).classes] == [
        (row.index, row.count) for row in whole.classes
    ]
    assert [row.count for row in whole.classes] == np.bincount(values.ravel()).tolist()


def test_a_mask_of_terapixels_is_described_and_not_counted(tmp_path) -> None:
    vrt = tmp_path / "a.vrt"
    side = 2**31 - 1
    vrt.write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    assert "not counted" in describe(vrt).notes[-1]


def test_lines_of_libtiff_are_not_printed_before_the_message(tmp_path) -> None:
    path = make_raster(
        tmp_path / "a.tif", noise(3, 300, 300), crs="EPSG:25833", transform=Affine(0.3, 0, 0, 0, -0.3, 0)
    )
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 300 * 3])
    damaged = re.sub(struct.pack("<HH", 34735, 3), struct.pack("<HH", 34735, 99), path.read_bytes())
    path.write_bytes(damaged)
    ended = subprocess.run(
        [sys.executable, "-c", "from geoseg_cli.main import main; main()", "info", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, 1)
    assert "Warning 1" not in ended.stderr
    assert "TIFF" not in ended.stderr.split("Error:")[0]

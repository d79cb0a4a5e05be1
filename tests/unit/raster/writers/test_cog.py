"""The mask on disk: the right pixels in the right place, with colours and names, whole or not at all."""

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from helpers.rasters import make_raster, noise
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rio_cogeo.cogeo import cog_validate
from strategies import partitions

from geoseg.errors import OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import tiles
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.raster.scene import Scene
from geoseg.raster.writers import partial as slabs
from geoseg.raster.writers.base import open_writer
from geoseg.raster.writers.cog import CogWriter

LEGEND = Legend.of({"ground": "#ffffff", "building & wall": "#ff0000", "Bäume": "#00ff00"})
UTM = Grid(CRS("EPSG:32633"), Affine(0.5, 0, 400_000, 0, -0.5, 5_800_000), 700, 900)
PIXELS = noise(700, 900, high=3)


def write_mask(path: Path, grid: Grid = UTM, pixels: NDArray[np.uint8] = PIXELS, **options: object) -> Path:
    with open_writer(CogWriter(path, **options), grid, LEGEND) as sink:
        sink.write(grid.window, {"mask": pixels[np.newaxis, : grid.height, : grid.width]})
    return path


def test_the_mask_reads_back_with_its_legend(tmp_path: Path) -> None:
    with Scene.open(write_mask(tmp_path / "mask.tif")) as mask:
        assert np.array_equal(mask.read(mask.grid.window).values[0], PIXELS)
        assert mask.grid == UTM
        assert (mask.legend, mask.nodata, mask.bands, mask.notes) == (LEGEND, 255, ("class",), ())


def test_it_is_a_cloud_optimized_geotiff_of_blocks_of_512(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "mask.tif")
    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(path) as file:
        assert file.block_shapes == [(512, 512)]
        assert file.compression.value == "DEFLATE"
        assert file.overviews(1) == [2]


def test_overviews_hold_the_most_frequent_class_and_never_a_mean(tmp_path: Path) -> None:
    pixels = np.tile(np.array([[0, 2], [2, 2]], np.uint8), (350, 450))
    with rasterio.open(write_mask(tmp_path / "mask.tif", pixels=pixels), overview_level=0) as file:
        assert (file.read(1) == 2).all()


def test_colours_are_the_legends(tmp_path: Path) -> None:
    with rasterio.open(write_mask(tmp_path / "mask.tif")) as file:
        assert file.colorinterp == (ColorInterp.palette,)
        assert [file.colormap(1)[n] for n in range(3)] == [(*entry.colour, 255) for entry in LEGEND.entries]


def test_pixels_never_written_are_nodata_and_cost_nothing(tmp_path: Path) -> None:
    grid = Grid(UTM.crs, UTM.transform, 5000, 6000)
    with open_writer(CogWriter(tmp_path / "mask.tif"), grid, LEGEND) as sink:
        sink.write(Window(700, 800, 10, 10), {"mask": np.ones((1, 10, 10), np.uint8)})
    with Scene.open(tmp_path / "mask.tif") as mask:
        raster = mask.read(Window(695, 795, 20, 20))
        assert raster.valid.sum() == 100
        assert (raster.fill(255)[0][~raster.valid] == 255).all()
    assert (tmp_path / "mask.tif").stat().st_size < 20_000


def table_of(path: Path) -> list[list[str]]:
    root = ET.parse(path.with_name(path.name + ".aux.xml")).getroot()
    table = root.find("PAMRasterBand[@band='1']/GDALRasterAttributeTable")
    columns = [[field.findtext(tag) for tag in ("Name", "Usage")] for field in table.findall("FieldDefn")]
    assert columns == [["VALUE", "5"], ["CLASS", "2"], ["RED", "6"], ["GREEN", "7"], ["BLUE", "8"], ["COUNT", "1"]]
    return [[cell.text for cell in row.findall("F")] for row in table.findall("Row")]


def test_the_attribute_table_names_colours_and_counts_every_class(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    with open_writer(CogWriter(path), UTM, LEGEND) as sink:
        sink.write(Window(0, 0, 5, 10), {"mask": np.full((1, 5, 10), 1, np.uint8)})
        sink.write(Window(5, 0, 5, 10), {"mask": np.full((1, 5, 10), 2, np.uint8)})
    names = [[*row[:2], str(float(row[5]))] for row in table_of(path)]
    assert names == [["0", "ground", "0.0"], ["1", "building & wall", "50.0"], ["2", "Bäume", "50.0"]]
    assert table_of(path)[1][2:5] == ["255", "0", "0"]


def test_gdal_itself_finds_the_attribute_table(tmp_path: Path) -> None:
    mask = write_mask(tmp_path / "mask.tif")
    rasterio.shutil.copy(mask, tmp_path / "copy.tif", driver="GTiff")
    assert table_of(tmp_path / "copy.tif") == table_of(mask)


def test_tags_are_kept_but_none_that_moves_the_mask(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "mask.tif", tags={"GEOSEG_MODEL": "abc", "AREA_OR_POINT": "Point"})
    with Scene.open(path) as mask:
        assert (mask.tags["GEOSEG_MODEL"], mask.tags["AREA_OR_POINT"]) == ("abc", "Area")
        assert mask.grid.transform == UTM.transform


@pytest.mark.parametrize("crs", [CRS("EPSG:32633"), CRS("EPSG:4326"), CRS("EPSG:3857"), CRS("EPSG:2036"), None])
@pytest.mark.parametrize(
    "transform",
    [
        Affine(0.5, 0, 400, 0, -0.5, 50),
        Affine(0.5, 0, 400, 0, 0.5, 50),  # south-up
        Affine(0.4, 0.3, 400, 0.3, -0.4, 50),  # rotated
    ],
    ids=["north-up", "south-up", "rotated"],
)
def test_masks_lie_where_their_scenes_lie(tmp_path: Path, crs: CRS | None, transform: Affine) -> None:
    grid = Grid(crs, transform, 51, 40)
    with Scene.open(write_mask(tmp_path / "mask.tif", grid)) as mask:
        assert mask.grid == grid


def test_a_scene_that_lies_nowhere_gives_a_mask_that_lies_nowhere(tmp_path: Path) -> None:
    grid = Grid(None, Affine.identity(), 51, 40)
    with Scene.open(write_mask(tmp_path / "mask.tif", grid)) as mask:
        assert mask.grid == grid


def test_ground_control_points_come_along(tmp_path: Path) -> None:
    points = [GroundControlPoint(0, 0, 15, 50, 3), GroundControlPoint(0, 8, 16, 50), GroundControlPoint(8, 0, 15, 49)]
    with Scene.open(make_raster(tmp_path / "scene.tif", noise(1, 20, 20), gcps=points, crs="EPSG:4326")) as scene:
        path = write_mask(tmp_path / "mask.tif", scene.grid, gcps=scene.gcps)
    with Scene.open(path) as mask:
        assert mask.gcps is not None
        assert [(p.row, p.col, p.x, p.y, p.z) for p in mask.gcps[0]] == [
            (p.row, p.col, p.x, p.y, p.z or 0) for p in points
        ]
        assert mask.gcps[1] == CRS("EPSG:4326")


def test_real_scenes_give_masks_on_their_grids(tmp_path: Path, shared_data: Path) -> None:
    for file in sorted(shared_data.rglob("*.tif")):
        with Scene.open(file) as scene:
            pixels = noise(*scene.grid.shape, high=3)
            path = write_mask(tmp_path / "mask.tif", scene.grid, pixels, overwrite=True, gcps=scene.gcps)
            with Scene.open(path) as mask:
                assert mask.grid == scene.grid, file
                assert (mask.gcps is None) == (scene.gcps is None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=8)
@given(pieces=partitions(700, 900))
def test_the_order_of_windows_does_not_change_the_file(tmp_path: Path, pieces: list[Window]) -> None:
    with open_writer(CogWriter(tmp_path / "pieces.tif", overwrite=True), UTM, LEGEND) as sink:
        for piece in pieces:
            sink.write(piece, {"mask": PIXELS[np.newaxis, *piece.slices()]})
    write_mask(tmp_path / "whole.tif", overwrite=True)
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("pieces.tif", "whole.tif")}
    assert len(digests) == 1


def test_the_cores_of_tiles_make_the_whole_mask(tmp_path: Path) -> None:
    with open_writer(CogWriter(tmp_path / "mask.tif"), UTM, LEGEND) as sink:
        for tile in tiles(700, 900, 128, 16):
            sink.write(tile.core, {"mask": PIXELS[np.newaxis, *tile.core.slices()]})
    with Scene.open(tmp_path / "mask.tif") as mask:
        assert np.array_equal(mask.read(mask.grid.window).values[0], PIXELS)


def test_nothing_but_mask_and_table_is_left(tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.tif")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mask.tif", "mask.tif.aux.xml"]


def test_abandoning_leaves_nothing_new_and_the_old_mask_untouched(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "mask.tif")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    sink = CogWriter(path, overwrite=True)
    sink.open(UTM, LEGEND)
    sink.write(Window(0, 0, 300, 900), {"mask": PIXELS[np.newaxis, :300]})
    sink.abandon()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_a_killed_run_left_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ".mask.tif.part"
    folder.mkdir()
    (folder / "mask-000000000.12.part").write_text("half a file")
    (folder / "settings.json").write_text("{")
    write_mask(tmp_path / "mask.tif")
    assert len(list(tmp_path.iterdir())) == 2


def test_existing_masks_and_strange_names_are_refused_at_once(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "mask.tif")
    with pytest.raises(OutputError, match="exists already") as caught:
        CogWriter(path)
    assert "--overwrite" in caught.value.hint
    with pytest.raises(OutputError, match="not a GeoTIFF file name"):
        CogWriter(tmp_path / "mask.png")
    with pytest.raises(OutputError, match="does not exist"):
        CogWriter(tmp_path / "no" / "mask.tif")


def test_without_zstd_the_file_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_zstd = write_mask(tmp_path / "a.tif").read_bytes()
    monkeypatch.setattr(slabs, "fast_compression", lambda: {"compress": "DEFLATE", "zlevel": 1})
    assert write_mask(tmp_path / "b.tif").read_bytes() == with_zstd


FULL_DISK = """
import resource, signal, sys
import numpy as np
from affine import Affine
from geoseg.errors import OutputError
from geoseg.grid.grid import Grid
from geoseg.legend import make_numbered_legend
from geoseg.raster.writers.base import open_writer
from geoseg.raster.writers.cog import CogWriter

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing beyond the limit fails instead of killing
grid = Grid(None, Affine.identity(), 700, 900)
for limit in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        with open_writer(CogWriter(sys.argv[1], overwrite=True), grid, make_numbered_legend([2])) as sink:
            sink.write(grid.window, {"mask": np.random.default_rng(7).integers(0, 3, (1, *grid.shape)).astype(np.uint8)})
    except OutputError:
        print(limit)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to play a full disk with")
def test_a_disk_that_fills_up_is_an_error_at_every_stage_and_leaves_no_mask(tmp_path: Path) -> None:
    size = len(write_mask(tmp_path / "whole.tif", Grid(None, Affine.identity(), 700, 900)).read_bytes())
    limits = [0, size // 4, size // 2, 3 * size // 4, size - 9_000, size - 400]
    target = tmp_path / "full" / "mask.tif"
    target.parent.mkdir()
    command = [sys.executable, "-c", FULL_DISK, str(target), *map(str, limits)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == [str(limit) for limit in limits]
    assert not target.exists()
    left = [file for file in target.parent.rglob("*") if file.is_file() and file.suffix == ".tif"]
    assert all(file.name.startswith("mask-") for file in left), "nothing but whole slabs"


def test_no_warning_about_georeference_leaks(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotGeoreferencedWarning)
        write_mask(tmp_path / "mask.tif", Grid(None, Affine.identity(), 20, 20))


# Shares beside the mask

SHARED = {"mask": PIXELS[np.newaxis].copy(), "probabilities": noise(3, 700, 900, high=255)}
SHARED |= {"confidence": SHARED["probabilities"][:1], "entropy": SHARED["probabilities"][1:2]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of all products, by name; some pixels of the shares are nodata."""
    folder = tmp_path_factory.mktemp("shared")
    for values in SHARED.values():
        values[:, 600:, 800:] = 255
    paths = {name: folder / f"{name}.tif" for name in SHARED}
    shares = {name: path for name, path in paths.items() if name != "mask"}
    with open_writer(CogWriter(paths["mask"], shares=shares, tags={"GEOSEG_MODEL": "abc"}), UTM, LEGEND) as sink:
        sink.write(UTM.window, SHARED)
    assert sorted(file.name for file in folder.iterdir()) == sorted([*(f"{n}.tif" for n in SHARED), "mask.tif.aux.xml"])
    return paths


@pytest.mark.parametrize("name", ["probabilities", "confidence", "entropy"])
def test_shares_are_cloud_optimized_and_say_what_their_bytes_mean(shared: dict[str, Path], name: str) -> None:
    assert cog_validate(shared[name], strict=True) == (True, [], [])
    with rasterio.open(shared[name]) as file:
        bands = LEGEND.names if name == "probabilities" else (name,)
        assert file.descriptions == tuple(bands)
        assert file.dtypes == ("uint8",) * len(bands)
        assert file.nodatavals == (255,) * len(bands)
        assert file.scales == pytest.approx([1 / 254] * len(bands), rel=1e-12)
        assert file.offsets == (0,) * len(bands)
        assert file.crs == UTM.crs
        assert file.transform == UTM.transform
        assert file.block_shapes == [(512, 512)] * len(bands)
        assert file.overviews(1) == [2]
        assert file.tags()["GEOSEG_MODEL"] == "abc"
        np.testing.assert_array_equal(file.read(), SHARED[name])


def test_overviews_of_shares_are_means_of_what_is_valid(shared: dict[str, Path]) -> None:
    with rasterio.open(shared["confidence"], overview_level=0) as file:
        reduced = file.read(1)
    squares = SHARED["confidence"][0].reshape(350, 2, 450, 2).astype(float)
    squares[squares == 255] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means = np.nanmean(squares, axis=(1, 3))
    np.testing.assert_array_equal(reduced == 255, np.isnan(means))
    assert np.abs(reduced - means)[~np.isnan(means)].max() <= 1


def test_a_mask_is_the_same_with_shares_and_without(shared: dict[str, Path], tmp_path: Path) -> None:
    alone = write_mask(tmp_path / "mask.tif", pixels=SHARED["mask"][0], tags={"GEOSEG_MODEL": "abc"})
    assert alone.read_bytes() == shared["mask"].read_bytes()


def test_gdal_users_see_shares_from_0_to_1(shared: dict[str, Path]) -> None:
    with rasterio.open(shared["entropy"]) as file:
        seen = file.read(1, masked=True) * file.scales[0] + file.offsets[0]
    assert (seen.min(), seen.max()) == (0, pytest.approx(1))
    assert seen.mask.sum() == 100 * 100


@pytest.mark.parametrize("shares", [{"confidence": "c.png"}, {"confidence": "no/c.tif"}, {"confidence": "mask.tif"}])
def test_shares_that_could_not_be_written_are_refused_at_once(tmp_path: Path, shares: dict[str, str]) -> None:
    with pytest.raises(OutputError):
        CogWriter(tmp_path / "mask.tif", shares={name: tmp_path / path for name, path in shares.items()})
    assert list(tmp_path.iterdir()) == []

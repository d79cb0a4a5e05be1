"""What a scene says of itself, for ordinary and awkward files."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC
from strategies_raster import UTM, make_raster, noise

from geoseg.errors import SceneError
from geoseg.legend import Legend
from geoseg.raster.scene import Scene

RGB = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]


def opened(path: Path, **options: bool) -> Scene:
    with Scene.open(path, **options) as scene:
        return scene


def test_a_plain_scene_has_nothing_to_remark(tmp_path: Path) -> None:
    scene = opened(make_raster(tmp_path / "town.tif", noise(3, 40, 50), **UTM, photometric="RGB"))
    assert (scene.name, scene.bands, scene.dtype) == ("town", ("red", "green", "blue"), np.uint8)
    assert scene.grid.shape == (40, 50)
    assert scene.grid.crs == CRS("EPSG:32633")
    assert scene.grid.transform == UTM["transform"]
    assert (scene.validity, scene.nodata, scene.legend, scene.gcps, scene.notes) == (
        "every pixel",
        None,
        None,
        None,
        (),
    )


def test_blocks_are_those_of_the_file(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(1, 90, 80), **UTM, tiled=True, blockxsize=32, blockysize=16)
    assert opened(path).block == (16, 32)


def test_band_names_are_descriptions_then_colours_then_numbers_and_never_twice(tmp_path: Path) -> None:
    colours = [ColorInterp.red, ColorInterp.red, ColorInterp.nir, ColorInterp.undefined]
    path = make_raster(tmp_path / "a.tif", noise(4, 8, 8), **UTM, colours=colours)
    with rasterio.open(path, "r+") as file:
        file.set_band_description(1, "edge")
    assert opened(path).bands == ("edge", "red", "nir", "band_4")
    twice = make_raster(tmp_path / "b.tif", noise(3, 8, 8), **UTM, colours=[ColorInterp.red] * 3)
    assert opened(twice).bands == ("red", "red_2", "red_3")


def test_bands_are_found_by_name(tmp_path: Path) -> None:
    scene = opened(make_raster(tmp_path / "a.tif", noise(3, 8, 8), **UTM, photometric="RGB"))
    assert scene.band_positions(["blue", "red"]) == [2, 0]
    with pytest.raises(SceneError, match="no band 'gren'") as caught:
        scene.band_positions(["gren"])
    assert caught.value.hint == "did you mean green?"


def test_alpha_is_validity_and_no_band(tmp_path: Path) -> None:
    alpha = np.where(np.arange(20) < 9, 255, 0) * np.ones((1, 20, 1))
    path = make_raster(
        tmp_path / "a.tif",
        np.concatenate([noise(3, 20, 20), alpha]).astype(np.uint8),
        **UTM,
        colours=[*RGB, ColorInterp.alpha],
    )
    scene = opened(path)
    assert (scene.bands, scene.validity, scene.notes) == (("red", "green", "blue"), "alpha band", ())


def test_near_infrared_marked_as_alpha_is_a_band(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(4, 20, 20), **UTM, colours=[*RGB, ColorInterp.alpha])
    scene = opened(path)
    assert (scene.bands[3], scene.validity) == ("band_4", "every pixel")
    assert "marked as alpha but holds an image" in scene.notes[0]


def test_the_user_may_decide_what_alpha_is(tmp_path: Path) -> None:
    image = make_raster(tmp_path / "a.tif", noise(4, 20, 20), **UTM, colours=[*RGB, ColorInterp.alpha])
    assert opened(image, alpha=True).validity == "alpha band"
    full = np.concatenate([noise(3, 20, 20), np.full((1, 20, 20), 255, np.uint8)])
    real = make_raster(tmp_path / "b.tif", full, **UTM, colours=[*RGB, ColorInterp.alpha])
    assert opened(real, alpha=False).bands == ("red", "green", "blue", "band_4")


def test_a_mask_in_the_file_is_validity(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(3, 20, 20), **UTM, mask=np.eye(20, dtype=bool))
    assert opened(path).validity == "internal mask"


@pytest.mark.parametrize(("nodata", "words"), [(0, "nodata 0"), (-9999, "nodata -9999"), (np.nan, "nodata nan")])
def test_nodata_is_validity(tmp_path: Path, nodata: float, words: str) -> None:
    path = make_raster(tmp_path / "a.tif", noise(1, 8, 8, dtype=np.float32), **UTM, nodata=nodata)
    assert opened(path).validity == words


def test_without_crs_the_note_says_what_is_missing(tmp_path: Path) -> None:
    scene = opened(make_raster(tmp_path / "a.tif", noise(1, 8, 8), transform=Affine(2, 0, 5, 0, -2, 9)))
    assert scene.grid.crs is None
    assert scene.grid.transform == Affine(2, 0, 5, 0, -2, 9)
    assert scene.notes[0].startswith("no CRS")


def test_ground_control_points_are_carried_and_the_grid_is_in_pixels(tmp_path: Path) -> None:
    points = [GroundControlPoint(0, 0, 15, 50), GroundControlPoint(0, 8, 16, 50), GroundControlPoint(8, 0, 15, 49)]
    scene = opened(make_raster(tmp_path / "a.tif", noise(1, 8, 8), gcps=points, crs="EPSG:4326"))
    assert scene.grid.crs is None
    assert scene.grid.transform == Affine.identity()
    assert scene.gcps is not None
    assert [(p.row, p.col, p.x, p.y) for p in scene.gcps[0]] == [(p.row, p.col, p.x, p.y) for p in points]
    assert scene.gcps[1] == CRS("EPSG:4326")
    assert "3 ground control points only" in scene.notes[0]
    assert "gdalwarp" in scene.notes[0]


def test_rational_polynomials_are_noted(tmp_path: Path) -> None:
    numbers = dict.fromkeys(("height_off", "lat_off", "line_off", "long_off", "samp_off"), 0.0)
    scales = dict.fromkeys(("height_scale", "lat_scale", "line_scale", "long_scale", "samp_scale"), 1.0)
    lists = {f"{name}_coeff": [1.0] * 20 for name in ("line_den", "line_num", "samp_den", "samp_num")}
    scene = opened(make_raster(tmp_path / "a.tif", noise(1, 8, 8), rpcs=RPC(**numbers, **scales, **lists)))
    assert any("gdalwarp -rpc" in note for note in scene.notes)


def test_a_palette_is_noted_and_stays_one_band(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(1, 8, 8), **UTM, photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (255, 0, 0, 255)})
    scene = opened(path)
    assert scene.bands == ("band_1",)
    assert "palette" in scene.notes[0]


def test_a_crs_without_a_transform_places_nothing(tmp_path: Path) -> None:
    scene = opened(make_raster(tmp_path / "a.tif", noise(1, 8, 8), crs="EPSG:32633"))
    assert scene.grid.crs is None
    assert "no transform" in scene.notes[0]


def test_pixels_without_a_size_are_refused(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(1, 8, 8), crs="EPSG:32633", transform=Affine(0, 0, 5, 0, 0, 6))
    with pytest.raises(SceneError, match="no size"):
        opened(path)


def test_the_legend_is_read_from_our_tag_and_a_broken_one_is_noted(tmp_path: Path) -> None:
    legend = Legend.of({"ground": "#ffffff", "Häuser": "#ff0000"})
    path = make_raster(tmp_path / "a.tif", noise(1, 8, 8), **UTM)
    with rasterio.open(path, "r+") as file:
        file.update_tags(GEOSEG_CLASSES=legend.to_json(), ORIGIN="test")
    scene = opened(path)
    assert (scene.legend, scene.tags["ORIGIN"]) == (legend, "test")
    with rasterio.open(path, "r+") as file:
        file.update_tags(GEOSEG_CLASSES='[{"name": 1}]')
    assert opened(path).legend is None
    assert "GEOSEG_CLASSES" in opened(path).notes[0]


@pytest.mark.parametrize("driver", ["PNG", "JPEG"])
def test_pictures_without_georeference_are_scenes(tmp_path: Path, driver: str) -> None:
    scene = opened(make_raster(tmp_path / f"a.{driver.lower()}", noise(3, 20, 30), driver=driver))
    assert scene.bands == ("red", "green", "blue")
    assert scene.grid.crs is None


def test_bands_of_different_types_share_the_wider_one(tmp_path: Path) -> None:
    low = make_raster(tmp_path / "low.tif", noise(1, 8, 8), **UTM)
    high = make_raster(tmp_path / "high.tif", noise(1, 8, 8, dtype=np.uint16, high=4000), **UTM)
    rows = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{n}"><SimpleSource><SourceFilename>{file}</SourceFilename>'
        f"<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for n, (kind, file) in enumerate([("Byte", low), ("UInt16", high)], start=1)
    )
    mixed = tmp_path / "mixed.vrt"
    mixed.write_text(f'<VRTDataset rasterXSize="8" rasterYSize="8">{rows}</VRTDataset>')
    with Scene.open(mixed) as scene:
        assert scene.dtype == np.uint16
        expected = np.concatenate([noise(1, 8, 8), noise(1, 8, 8, dtype=np.uint16, high=4000)])
        assert np.array_equal(scene.read(scene.grid.window).values, expected)


def test_a_scene_can_be_sent_to_another_process(tmp_path: Path) -> None:
    with Scene.open(make_raster(tmp_path / "a.tif", noise(2, 8, 9), **UTM)) as scene:
        twin = pickle.loads(pickle.dumps(scene))
        assert np.array_equal(twin.read(twin.grid.window).values, scene.read(scene.grid.window).values)
        twin.close()

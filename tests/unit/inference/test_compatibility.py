import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.models import card, pixels, write_scene
from helpers.rasters import UTM, make_raster
from rasterio.enums import ColorInterp

from geoseg.errors import BundleError, ConfigError
from geoseg.grid.grid import GSD_RATIO
from geoseg.grid.window import Window
from geoseg.inference.compatibility import MAX_GSD_RATIO, choose_bands, find_resampling_factor, make_input_plan
from geoseg.raster.scene import Scene

RGB = ("red", "green", "blue")


@pytest.fixture
def scene_of(tmp_path):
    """Makes open scenes of 8 x 8 pixels from band names."""

    def make(names, **profile):
        values = pixels(8, 8, bands=len(names), dtype=profile.pop("dtype", np.uint8))
        return Scene.open(write_scene(tmp_path / "scene.tif", values, names=names, **profile))

    return make


def test_bands_are_taken_by_name_wherever_they_lie(scene_of):
    positions, notes = choose_bands(scene_of(("nir", "blue", "Green", "red")), card(RGB))
    assert positions == (3, 2, 1)
    assert notes == ["using the bands red, Green, blue of the scene's bands nir, blue, Green, red"]


def test_bands_that_are_the_models_need_no_note(scene_of):
    assert choose_bands(scene_of(RGB), card(RGB)) == ((0, 1, 2), [])


def test_bands_of_other_names_are_taken_in_order_and_that_is_said(scene_of):
    positions, notes = choose_bands(scene_of(("a", "b", "c")), card(RGB))
    assert positions == (0, 1, 2)
    assert notes == ["using scene bands a, b, c as model inputs red, green, blue"]


def test_another_number_of_bands_is_refused_with_the_bands_to_choose_from(scene_of):
    with pytest.raises(BundleError, match="4 bands, but the model needs 3") as caught:
        choose_bands(scene_of(("a", "b", "c", "d")), card(RGB))
    assert "--bands" in caught.value.hint
    assert "1 = a, 2 = b" in caught.value.hint


@pytest.mark.parametrize("wanted", ["nir,red,green", "4, 1, 2", ("NIR", "1", "green")])
def test_bands_may_be_given_by_name_and_by_number(scene_of, wanted):
    positions, notes = choose_bands(scene_of((*RGB, "nir")), card(RGB), wanted)
    assert positions == (3, 0, 1)
    assert notes == ["using scene bands nir, red, green as model inputs red, green, blue"]


@pytest.mark.parametrize("wanted", ["reed,green,blue", "0,1,2", "3,4,5", "1,,2"])
def test_bands_that_are_not_there_are_refused(scene_of, wanted):
    with pytest.raises(BundleError, match="has no band"):
        choose_bands(scene_of(RGB), card(RGB), wanted)


def test_a_wrong_number_of_given_bands_is_refused(scene_of):
    with pytest.raises(BundleError, match="2 bands selected") as caught:
        choose_bands(scene_of(RGB), card(RGB), "red,green")
    assert "--bands" in caught.value.hint


def test_another_pixel_type_is_refused_and_may_be_insisted_on(scene_of):
    scene = scene_of(RGB, dtype=np.uint16)
    with pytest.raises(BundleError, match="uint16") as caught:
        make_input_plan(scene, card(RGB))
    assert "--any-dtype" in caught.value.hint
    assert "used unchanged" in make_input_plan(scene, card(RGB), any_dtype=True).notes[0]


def test_a_scene_at_half_the_models_gsd_is_planned_in_twice_as_many_pixels(scene_of):
    plan = make_input_plan(scene_of(RGB), card(RGB, gsd=0.6, tile=16, halo=3))
    assert (plan.tile, plan.halo, plan.scene_tile, plan.scene_halo) == (16, 3, (32, 32), (6, 6))
    assert plan.gsd == 0.6
    assert plan.notes == ("scene 0.3 m, model 0.6 m: resampled while reading",)


@pytest.mark.parametrize("factor", [1 / GSD_RATIO + 0.01, 1.0, GSD_RATIO - 0.01])
def test_a_gsd_near_the_models_is_left_as_it_is(factor):
    assert find_resampling_factor(0.3, 0.3 * factor) == (1.0, [])


@pytest.mark.parametrize("factor", [1 / GSD_RATIO - 0.01, GSD_RATIO + 0.01])
def test_a_gsd_further_off_is_bridged(factor):
    assert find_resampling_factor(0.3, 0.3 * factor)[0] == pytest.approx(factor)


@pytest.mark.parametrize("factor", [MAX_GSD_RATIO * 1.01, 1 / MAX_GSD_RATIO / 1.01])
def test_a_gsd_too_far_off_is_refused(factor):
    with pytest.raises(BundleError, match="differ too much") as caught:
        find_resampling_factor(0.3, 0.3 * factor)
    assert "gdalwarp" in caught.value.hint


def test_a_scene_without_crs_is_taken_as_it_is_and_that_is_said(scene_of):
    plan = make_input_plan(scene_of(RGB, crs=None), card(RGB, gsd=0.6))
    assert not plan.resamples
    assert "GSD is unknown" in plan.notes[0]


def test_a_gsd_that_is_not_used_is_said(scene_of):
    scene = scene_of(RGB)
    plan = make_input_plan(scene, card(RGB, gsd=0.3), gsd=0.5)
    assert plan.notes == ("the scene has a CRS, so its GSD of 0.3 m is used, and not 0.5 m (--gsd)",)
    assert make_input_plan(scene, card(RGB, gsd=0.3), gsd=0.3).notes == ()


def test_a_smaller_tile_brings_a_smaller_halo(scene_of):
    scene = scene_of(RGB)
    assert make_input_plan(scene, card(RGB, tile=512, halo=64), tile=128).halo == 32
    assert make_input_plan(scene, card(RGB, tile=512, halo=64), tile=1024).halo == 64


@pytest.mark.parametrize(("tile", "halo"), [(16, 8), (16, -1), (0, None), (-4, None)])
def test_tiles_without_a_core_are_refused(scene_of, tile, halo):
    with pytest.raises(ConfigError, match="no core"):
        make_input_plan(scene_of(RGB), card(RGB), tile=tile, halo=halo)


def test_bands_without_a_known_name_are_used_by_position_and_the_files_claims_are_said(scene_of):
    positions, notes = choose_bands(scene_of(("a", "b", "c"), dtype=np.uint16), card(RGB))
    assert positions == (0, 1, 2)
    assert notes == [
        (
            "using scene bands a, b, c as model inputs red, green, blue, by position: the file states "
            "descriptions a, b, c (use --bands to choose)"
        )
    ]


def test_bands_of_a_sensor_are_found_and_the_sensor_is_said(scene_of):
    positions, notes = choose_bands(scene_of(("B02", "B03", "B04"), dtype=np.uint16), card(RGB))
    assert positions == (2, 1, 0)
    assert notes == [
        "using scene bands B04, B03, B02 as model inputs red, green, blue, by the band names of Sentinel-2"
    ]


def test_bands_may_be_given_by_the_name_that_a_sensor_has_for_them(scene_of):
    assert choose_bands(scene_of(("B02", "B03", "B04", "B08"), dtype=np.uint16), card(RGB), "nir,red,B03")[0] == (
        3,
        2,
        1,
    )


def test_a_file_that_declares_its_colours_is_read_by_them(tmp_path):
    colours = [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    path = make_raster(tmp_path / "scene.tif", pixels(8, 8, bands=3), **UTM, colours=colours)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("Band 1", "Band 2", "Band 3")
    with Scene.open(path) as scene:
        positions, notes = choose_bands(scene, card(RGB))
    assert positions == (2, 1, 0)
    assert notes == ["using the bands red, green, blue of the scene's bands blue, green, red"]


def stretched(folder, height, width, *, crs="EPSG:32633", **options):
    """An input plan for 40 x 40 pixels of these sides in meters and a model of 0.3 m."""
    transform = Affine(width, 0, 421200, 0, -height, 5412090)
    path = make_raster(folder / "scene.tif", pixels(40, 40, bands=3), crs=crs, transform=transform)
    with Scene.open(path) as scene:
        return make_input_plan(scene, card(RGB, gsd=0.3, tile=16, halo=3), **options)


@pytest.mark.parametrize(
    ("height", "width", "tile", "halo"),
    [
        (0.6, 0.3, (8, 16), (2, 3)),
        (0.3, 0.6, (16, 8), (3, 2)),
        (0.15, 0.6, (32, 8), (6, 2)),
        (0.3, 0.3, (16, 16), (3, 3)),
        (0.32, 0.29, (16, 16), (3, 3)),
    ],
)
def test_each_axis_is_resampled_by_its_own_factor(tmp_path, height, width, tile, halo):
    plan = stretched(tmp_path, height, width)
    assert (plan.scene_tile, plan.scene_halo) == (tile, halo)
    assert plan.resamples == (tile != (16, 16))
    assert plan.input_shape(Window(0, 0, *tile)) == (16, 16)
    sides = f"{height:g} m x {width:g} m (height x width)"
    note = f"scene {sides}, model 0.3 m: pixels are not square, so each axis has its own resampling factor"
    assert plan.notes == ((note,) if plan.resamples else ())


def test_the_transform_states_the_shape_of_pixels_without_a_crs(tmp_path):
    plan = stretched(tmp_path, 2.0, 1.0, crs=None, gsd=0.3 * 2**0.5)
    assert plan.scene_tile == (8, 16)


def test_an_axis_too_far_off_is_refused(tmp_path):
    with pytest.raises(BundleError, match="differ too much: scene 3 m"):
        stretched(tmp_path, 3.0, 0.3)

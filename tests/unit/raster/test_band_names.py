"""What bands are: names, color interpretation, names of sensors, in this order."""

from pathlib import Path

import pytest
import rasterio
from helpers.rasters import UTM, make_raster, noise
from hypothesis import given
from hypothesis import strategies as st
from rasterio.enums import ColorInterp

from geoseg.raster.band_names import SENSOR_BANDS, BandNames, FoundBands, common_name, find_bands, is_generic
from geoseg.raster.scene import Scene

RGB = ("red", "green", "blue")


def find(wanted, names, colours=None, origin="") -> tuple[int, ...] | None:
    names = names.split()
    found = find_bands(wanted.split(), BandNames(names, names, colours or [""] * len(names), origin))
    return None if found is None else found.positions


@pytest.mark.parametrize(
    ("wanted", "names", "positions"),
    [
        ("red green blue", "B02 B03 B04", (2, 1, 0)),
        ("red green blue nir", "B02 B03 B04 B08", (2, 1, 0, 3)),
        ("red green blue", "SR_B1 SR_B2 SR_B3 SR_B4 SR_B5 SR_B7", None),  # Landsat 7 or Landsat 8
        ("red green blue", "B2 B3 B4", (2, 1, 0)),  # there is no blue among these of Landsat 7
        ("nir red green", "B0 B1 B2 B3", (3, 2, 1)),  # Pleiades
        ("red green blue nir", "coastal_blue blue green_i green yellow red rededge nir", (5, 3, 1, 7)),  # PlanetScope
        ("red green blue nir", "R G B N", (0, 1, 2, 3)),  # NAIP
        ("nir red", "B8A B04 B03", None),  # the narrow band is not what models call near infrared
        ("nir08 swir16", "B8A B11 B03", (0, 1)),
        ("B04 B03 B02", "blue green red", (2, 1, 0)),  # a model that was trained on Sentinel-2
        ("B4 B3 B2", "B02 B03 B04", None),  # red, green and blue or another sensor's
        ("dsm red", "red dsm", (1, 0)),
        ("red green", "a b", None),
        ("red red", "red green", None),
    ],
)
def test_names_of_sensors_are_known(wanted: str, names: str, positions: tuple[int, ...] | None) -> None:
    assert find(wanted, names) == positions


@pytest.mark.parametrize(
    ("origin", "positions"),
    [("LC08_L2SP_193024_20200101.tif", (3, 2, 1)), ("LE07_L1TP_x.tif", (2, 1, 0)), ("x.tif LANDSAT_9", (3, 2, 1))],
)
def test_a_sensor_that_the_file_names_settles_its_numbers(origin: str, positions: tuple[int, ...]) -> None:
    assert find("red green blue", "B1 B2 B3 B4 B5 B6 B7", origin=origin) == positions


def test_own_names_come_before_colours_and_colours_before_sensors() -> None:
    colours = ["blue", "green", "red"]
    assert find("B02 B03 B04", "B04 B03 B02", colours) == (2, 1, 0)
    found = find_bands(RGB, BandNames(["B04", "B03", "B02"], ["B04", "B03", "B02"], colours))
    assert found is not None
    assert (found.positions, found.evidence) == ((2, 1, 0), "by color interpretation")
    assert "contradict" in found.notes[0]


def test_colours_and_names_complete_each_other() -> None:
    assert find("red green blue nir", "a b c NIR", ["blue", "green", "red", ""]) == (2, 1, 0, 3)


def test_the_colours_that_gdal_writes_unasked_do_not_choose_among_named_bands() -> None:
    assert find("red green blue", "a b c d", ["red", "green", "blue", ""]) is None
    assert find("red green blue", "a b c d", ["blue", "green", "red", ""]) == (2, 1, 0)


@pytest.mark.parametrize("text", ["Band 1", "band_2", "Layer 3", "4", "channel-5"])
def test_numbers_alone_are_no_names(text: str) -> None:
    assert is_generic(text)


@pytest.mark.parametrize("text", ["B02", "red", "dsm", "Band 4 (Red)"])
def test_names_are_more_than_numbers(text: str) -> None:
    assert not is_generic(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [("Near Infrared", "nir"), ("Band 4 (Red)", "red"), ("Red band", "red"), ("SWIR-1", "swir16"), ("infra", "")],
)
def test_words_are_common_names(text: str, name: str) -> None:
    assert common_name(text) == name


@given(sensor=st.sampled_from(sorted(SENSOR_BANDS)), data=st.data())
def test_every_reading_is_of_the_table_and_never_a_band_twice(sensor: str, data: st.DataObject) -> None:
    bands = SENSOR_BANDS[sensor]
    names = data.draw(st.lists(st.sampled_from(sorted(bands)), min_size=1, unique=True))
    wanted = data.draw(st.lists(st.sampled_from(sorted(set(bands.values()))), min_size=1, max_size=4, unique=True))
    found = find_bands(wanted, BandNames(names, names, [""] * len(names)))
    if found is not None:
        assert len(set(found.positions)) == len(wanted)
        readings = [
            [table.get(names[position]) for position in found.positions]
            for table in SENSOR_BANDS.values()
            if set(names) <= set(table)
        ]
        assert list(wanted) in readings


def test_bands_that_are_only_numbered_are_named_by_their_colours(tmp_path: Path) -> None:
    colours = [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    path = make_raster(tmp_path / "a.tif", noise(3, 8, 8), **UTM, colours=colours)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("Band 1", "Band 2", "Band 3")
    with Scene.open(path) as scene:
        assert scene.bands == ("blue", "green", "red")
        assert find_bands(("Band 3", "Band 1"), scene.band_names) == FoundBands((2, 0), "")
        assert scene.band_names.claims() == (
            "color interpretation blue, green, red and descriptions Band 1, Band 2, Band 3"
        )

"""The code of a CRS, and the most similar code of a CRS without one."""

import pytest
from pyproj import CRS

from geoseg.file_info.crs_facts import crs_facts

FEET = CRS("+proj=utm +zone=33 +datum=WGS84 +units=us-ft +type=crs")
"""UTM zone 33N in feet, which has no code."""


def texts(crs):
    return {fact.label: fact.text for fact in crs_facts(crs)}


def test_a_crs_with_a_code_has_its_name():
    assert texts(CRS(32633)) == {"CRS": "EPSG:32633 (WGS 84 / UTM zone 33N)"}
    assert texts(None) == {"CRS": "none"}


def test_a_crs_without_a_code_has_the_most_similar_one():
    assert FEET.to_epsg() is None
    assert texts(FEET)["nearest EPSG code"] == "EPSG:32633 (WGS 84 / UTM zone 33N): similar, not identical"


@pytest.mark.parametrize("text", ['LOCAL_CS["site",UNIT["metre",1]]', "+proj=tmerc +lat_0=10 +lon_0=13.37 +x_0=1"])
def test_a_crs_that_resembles_no_code_has_no_such_fact(text):
    assert list(texts(CRS(text))) == ["CRS"]


def test_codes_that_are_equally_near_are_all_given():
    """Rasterio's RGB.byte.tif: UTM on an unnamed datum with the WGS 84 ellipsoid was called a CRS of Jamaica."""
    crs = CRS(
        'PROJCS["UTM Zone 18, Northern Hemisphere",GEOGCS["Unknown datum based upon the WGS 84 ellipsoid",'
        'DATUM["Not_specified_based_on_WGS_84_spheroid",SPHEROID["WGS 84",6378137,298.257223563]],'
        'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
        'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",-75],PARAMETER["scale_factor",0.9996],'
        'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1],'
        'AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
    )
    nearest = texts(crs)["nearest EPSG code"]
    assert "EPSG:32618 (WGS 84 / UTM zone 18N)" in nearest
    assert nearest.endswith(": similar, not identical")

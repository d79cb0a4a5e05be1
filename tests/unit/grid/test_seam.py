"""The seam of a CRS is where PROJ's x jumps; the oracle projects points on both sides of it."""

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS, Transformer

from geoseg.grid.grid import Grid
from geoseg.grid.seam import crosses_seam, find_seam

OLD_WEB_MERCATOR = (
    "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=@null +no_defs"
)
CYLINDRICAL = {
    "EPSG:4326": 180,
    "EPSG:3857": 180,
    "EPSG:3395": 180,
    "EPSG:6933": 180,
    "EPSG:3832": -30,
    "EPSG:3857+5773": 180,
    OLD_WEB_MERCATOR: 180,
}
OTHERS = {"EPSG:8857": 180, "EPSG:8859": -30, "ESRI:54009": 180, "ESRI:54030": 180, "EPSG:5070": 84}
WITHOUT = ["EPSG:32660", "EPSG:2193", "EPSG:3413", "EPSG:3031", "EPSG:3571", "EPSG:3035", "EPSG:4978", "EPSG:5773"]


def project(crs, lon, lat):
    return Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat)


@pytest.mark.parametrize(("crs", "meridian"), [*CYLINDRICAL.items(), *OTHERS.items()])
def test_x_jumps_at_the_seam_and_nowhere_else(crs, meridian):
    seam = find_seam(CRS(crs))
    assert seam is not None
    assert (seam.central_meridian + 180 - meridian) % 360 == pytest.approx(0)
    west, east = (seam.from_relative(np.array([[sign * 180, 40.0]]))[0] for sign in (-1, 1))
    for point, beside in ((west, meridian + 1e-9), (east, meridian - 1e-9)):
        np.testing.assert_allclose(point, project(crs, (beside + 180) % 360 - 180, 40.0), atol=1e-3)
    assert np.hypot(*(east - west)) > (300 if crs == "EPSG:4326" else 1e6)


@pytest.mark.parametrize("crs", WITHOUT)
def test_utm_polar_and_vertical_crss_have_no_seam(crs):
    assert find_seam(CRS(crs)) is None
    assert find_seam(None) is None


@pytest.mark.parametrize("crs", CYLINDRICAL)
def test_x_repeats_in_a_cylindrical_projection(crs):
    seam = find_seam(CRS(crs))
    assert seam is not None
    (east, _), (west, _) = seam.from_relative(np.array([[180, 10.0], [-180, 10.0]]))
    assert seam.period == pytest.approx(east - west, rel=1e-9)


@pytest.mark.parametrize("crs", OTHERS)
def test_x_does_not_repeat_in_other_projections(crs):
    seam = find_seam(CRS(crs))
    assert seam is not None
    assert seam.period is None


@pytest.mark.parametrize(
    ("lon", "crs", "expected"),
    [
        (180, "EPSG:3857", True),
        (179.5, "EPSG:3857", False),
        (180, "EPSG:8857", True),
        (180, "EPSG:3832", False),
        (-30, "EPSG:3832", True),
        (-30, "EPSG:4326", False),
        (180, "EPSG:32760", False),
    ],
)
def test_a_grid_crosses_a_seam(lon, crs, expected):
    grid = Grid(CRS(4326), Affine(0.001, 0, lon - 0.05, 0, -0.001, -17), 100, 100)
    assert crosses_seam(grid, CRS(crs)) is expected


def test_a_grid_around_a_pole_crosses_every_seam():
    grid = Grid(CRS(3413), Affine(1000, 0, -50_000, 0, -1000, 50_000), 100, 100)
    assert all(crosses_seam(grid, CRS(crs)) for crs in (*CYLINDRICAL, *OTHERS))


@pytest.mark.parametrize(("crs", "longitude"), [("EPSG:4326", 180), ("EPSG:3832", -30), ("EPSG:2154", -177)])
def test_the_longitude_of_a_seam(crs, longitude):
    seam = find_seam(CRS(crs))
    assert seam is not None
    assert seam.longitude == pytest.approx(longitude)


@pytest.mark.parametrize(
    ("crs", "bounds", "expected"),
    [
        ("EPSG:2154", (1e5, 6e6, 1.2e6, 7.2e6), True),  # France
        ("EPSG:3978", (-2.7e6, -9e5, 3.1e6, 2.5e6), True),  # Canada, south of the pole
        ("EPSG:3978", (-2.7e6, -9e5, 3.1e6, 4.6e6), False),  # the pole is inside
        ("EPSG:5070", (-2.5e6, 2e5, 2.3e6, 3.2e6), True),  # the contiguous United States
        ("EPSG:8857", (1.6e7, 0, 1.8e7, 1e6), False),  # the border of the map is inside
        ("EPSG:8857", (1.65e7, 0, 1.7e7, 1e6), False),  # close to the border
        ("EPSG:8857", (-1.2e7, 0, 1.2e7, 1e6), False),  # more than half a turn wide
        ("EPSG:8857", (0, 8.1e6, 1e6, 8.3e6), False),  # close to the pole, which is a line
    ],
)
def test_bounds_far_from_the_seam_and_the_poles(crs, bounds, expected):
    seam = find_seam(CRS(crs))
    assert seam is not None
    assert seam.is_far_from(bounds) is expected

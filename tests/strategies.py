"""Hypothesis strategies for the lowest layers: windows, grids, tilings, legends, masks."""

import math
import random
from itertools import pairwise

import numpy as np
from affine import Affine
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pyproj import CRS

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend

PLACES = {
    "EPSG:32633": (400_000.0, 5_800_000.0, 0.5),
    "EPSG:4326": (13.4, 52.5, 2.0**-17),
    "EPSG:3857": (1_500_000.0, 6_900_000.0, 2.0),
    "EPSG:3031": (-500_000.0, 1_200_000.0, 32.0),
    "EPSG:2056": (2_600_000.0, 1_200_000.0, 0.125),
    "EPSG:2263": (980_000.0, 195_000.0, 1.0),
}
"""For each CRS a point (x, y) where it is at home, and a usual pixel size in its units."""


def windows(reach: int = 20, *, least: int = 0) -> st.SearchStrategy[Window]:
    """Windows anywhere around pixel 0, with sides of ``least`` to ``reach`` pixels."""
    place, side = st.integers(-reach, reach), st.integers(least, reach)
    return st.builds(Window, place, place, side, side)


@st.composite
def grids(draw: st.DrawFn, *, crs: str | None = "any", turned: bool = True, largest: int = 300) -> Grid:
    """Grids north-up and south-up, with pixels that are no squares and, if ``turned``, rotated ones."""
    code = draw(st.sampled_from([*PLACES, None])) if crs == "any" else crs
    x, y, size = PLACES[code] if code else (0.0, 0.0, 1.0)
    across, down = size * draw(st.sampled_from([1, 2])), size * draw(st.sampled_from([-1, 1, -2]))
    angle = math.radians(draw(st.integers(-180, 180))) if turned else 0.0
    cosine, sine = math.cos(angle), math.sin(angle)
    x += size * draw(st.integers(-1000, 1000))
    transform = Affine(across * cosine, -down * sine, x, across * sine, down * cosine, y)
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    return Grid(CRS(code) if code else None, transform, height, width)


@st.composite
def tilings(draw: st.DrawFn, *, largest: int = 90) -> tuple[int, int, int, int]:
    """(height, width, size, halo) that :func:`geoseg.grid.tiling.tiles` accepts."""
    size = draw(st.integers(1, 40))
    halo = draw(st.integers(0, (size - 1) // 2))
    side = st.integers(1, largest if size - 2 * halo > 3 else 12)
    return draw(side), draw(side), size, halo


def legends(most: int = 12) -> st.SearchStrategy[Legend]:
    """Legends with any names and colours, no two alike."""
    name = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(str.strip)
    colour = st.tuples(*[st.integers(0, 255)] * 3)
    rows = st.lists(st.tuples(name, colour), min_size=1, max_size=most, unique_by=(lambda r: r[0], lambda r: r[1]))
    return rows.map(lambda listed: Legend.of(dict(listed)))


def masks(classes: int, *, largest: int = 24) -> st.SearchStrategy[np.ndarray]:
    """Class indices (row, col) with some pixels not labelled."""
    values = st.sampled_from([*range(classes), IGNORE_INDEX])
    return hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=largest), elements=values)


def windows_around(height: int, width: int, reach: int = 9) -> st.SearchStrategy[Window]:
    """Windows inside, across and beyond the edges of a raster, never empty."""
    return st.builds(
        Window,
        st.integers(-reach, height + reach),
        st.integers(-reach, width + reach),
        st.integers(1, height + reach),
        st.integers(1, width + reach),
    )


@st.composite
def partitions(draw: st.DrawFn, height: int, width: int) -> list[Window]:
    """Windows that cover a raster once, in any order."""
    rows = sorted({0, height, *draw(st.lists(st.integers(1, height - 1), max_size=3))})
    cols = sorted({0, width, *draw(st.lists(st.integers(1, width - 1), max_size=3))})
    pieces = [
        Window(top, left, bottom - top, right - left)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(cols)
    ]
    random.Random(draw(st.integers(0, 99))).shuffle(pieces)
    return pieces

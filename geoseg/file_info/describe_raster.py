"""Describe a raster: a scene, a mask (it has a legend) or a label raster (one band of few integers)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from geoseg.file_info.info import ClassRow, Fact, FileInfo, gsd_text, make_fact
from geoseg.grid.grid import Grid, crs_name
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.progress import Progress, silent
from geoseg.raster.metadata import CLASSES_TAG
from geoseg.raster.scene import Scene

MAX_LABEL_VALUES = 32
"""A single uint8 band with at most this many values is a label raster."""
OVERVIEW_SIZE = 512
"""Longest side of the reduced image in which values are counted, pixels."""
STRIP_PIXELS = 2**24
"""Pixels per window when a mask is counted."""
MAX_COUNTED_PIXELS = 2**40
"""Pixels above which a mask is not counted, because it takes hours."""


def describe_scene(path: str, *, progress: Progress = silent) -> FileInfo:
    """Describe a raster file; masks and label rasters with the pixels of each class.

    Args:
        path: The file.
        progress: Called with the number of windows while pixels are counted.
    """
    with Scene.open(path) as scene:
        facts = (*_grid_facts(scene.grid), *_pixel_facts(scene))
        if not _holds_labels(scene):
            return FileInfo("scene", path, facts, notes=scene.notes)
        if scene.grid.height * scene.grid.width > MAX_COUNTED_PIXELS:
            note = f"its pixels are not counted, because there are more than {MAX_COUNTED_PIXELS:,}"
            return FileInfo("scene", path, facts, notes=(*scene.notes, note))
        pixels, areas_m2 = _count(scene, progress)
        empty = int(pixels[IGNORE_INDEX])
        rest = make_fact("unlabelled", empty, f"{empty:,} pixels (not valid, or {IGNORE_INDEX})")
        made = tuple(make_fact(f"tag {key}", value) for key, value in sorted(_own_tags(scene).items()))
        kind = "label raster" if scene.legend is None else "mask"
        rows = _class_rows(scene, pixels, areas_m2)
        return FileInfo(kind, path, (*facts, rest, *made), rows, "pixels", scene.notes)


def _grid_facts(grid: Grid) -> tuple[Fact, ...]:
    """Return size, CRS, GSD, bounds and orientation."""
    crs = None if grid.crs is None else crs_name(grid.crs)
    named = "none" if grid.crs is None else crs if crs == grid.crs.name else f"{crs} ({grid.crs.name})"
    gsd = grid.gsd
    bounds = list(grid.bounds)
    return (
        make_fact("size", [grid.height, grid.width], f"{grid.height} x {grid.width} pixels (height x width)"),
        make_fact("CRS", crs, named),
        make_fact("GSD", gsd, gsd_text(gsd)),
        make_fact("bounds", bounds, ", ".join(f"{value:.10g}" for value in bounds) + " (left, bottom, right, top)"),
        make_fact("orientation", _orientation(grid)),
    )


def _orientation(grid: Grid) -> str:
    """Return how rows and columns are oriented in the CRS."""
    t = grid.transform
    if t.is_identity:
        return "unknown: coordinates are pixels"
    if abs(t.b) + abs(t.d) > 1e-9 * (abs(t.a) + abs(t.e)):
        return "rotated"
    return "north-up" if t.e < 0 else "south-up"


def _pixel_facts(scene: Scene) -> tuple[Fact, ...]:
    """Return bands, type, validity and block size."""
    height, width = scene.block_shape
    return (
        make_fact("bands", list(scene.bands), f"{len(scene.bands)}: {', '.join(scene.bands)}"),
        make_fact("pixel type", scene.dtype.name),
        make_fact("valid pixels", scene.validity, f"by {scene.validity}" if scene.validity != "every pixel" else None),
        make_fact("blocks", [height, width], f"{height} x {width} pixels"),
    )


def _own_tags(scene: Scene) -> dict[str, str]:
    """Return the tags that geoseg wrote into a mask, except the legend."""
    own = {key: value for key, value in scene.tags.items() if key.startswith("GEOSEG_") and key != CLASSES_TAG}
    return {key.removeprefix("GEOSEG_").replace("_", " ").lower(): value for key, value in own.items()}


def _holds_labels(scene: Scene) -> bool:
    if scene.legend is not None or scene.palette is not None:
        return scene.dtype == np.uint8
    if len(scene.bands) != 1 or scene.dtype != np.uint8:
        return False
    side = max(scene.grid.shape)
    shape = tuple(max(length * OVERVIEW_SIZE // max(side, OVERVIEW_SIZE), 1) for length in scene.grid.shape)
    overview = scene.read(scene.grid.window, shape=(shape[0], shape[1]), nearest=True)
    return len(np.unique(overview.values[0][overview.valid])) <= MAX_LABEL_VALUES


def _count(scene: Scene, progress: Progress) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """Return pixels per value (256,), and their area in square meters, from one window at a time.

    Pixels that are not valid count as the ignore index. Areas are computed window by window, because the area of a pixel
    in a geographic CRS changes with latitude.
    """
    pixels = np.zeros(IGNORE_INDEX + 1, np.int64)
    areas_m2 = np.zeros(IGNORE_INDEX + 1)
    rows, cols = _window_shape(scene)
    height, width = scene.grid.shape
    with progress(-(-height // rows) * -(-width // cols), "counting pixels") as task:
        for window in _count_windows(height, width, rows, cols):
            raster = scene.read(window, [0])
            counts = np.bincount(raster.fill(IGNORE_INDEX)[0].ravel(), minlength=IGNORE_INDEX + 1)
            pixels += counts
            if raster.grid.crs is not None:
                areas_m2 += counts * raster.grid.pixel_area_m2()
            task.advance()
    return pixels, None if scene.grid.crs is None else areas_m2


def _window_shape(scene: Scene) -> tuple[int, int]:
    """Return the rows and columns of a window: whole blocks, about :data:`STRIP_PIXELS` pixels, as wide as possible."""
    height, width = scene.block_shape
    cols = min(max(STRIP_PIXELS // (height * width), 1) * width, scene.grid.width)
    return max(STRIP_PIXELS // (height * cols), 1) * height, cols


def _count_windows(height: int, width: int, rows: int, cols: int) -> Iterator[Window]:
    """Divide a raster into windows of at most ``rows`` x ``cols`` pixels, row by row."""
    for row in range(0, height, rows):
        for col in range(0, width, cols):
            yield Window(row, col, min(rows, height - row), min(cols, width - col))


def _names_and_colours(scene: Scene) -> dict[int, tuple[str, str | None]]:
    """Return name and color by pixel value, from the legend or the palette."""
    if scene.legend is not None:
        return {entry.index: (entry.name, entry.hex) for entry in scene.legend.entries}
    if scene.palette is None:
        return {}
    return {
        value: (str(value), "#{:02x}{:02x}{:02x}".format(*colour[:3])) for value, colour in enumerate(scene.palette)
    }


def _class_rows(scene: Scene, pixels: NDArray[np.int64], areas_m2: NDArray[np.float64] | None) -> tuple[ClassRow, ...]:
    """Return the classes of the legend and all other values that occur, with pixels, share and area."""
    known = _names_and_colours(scene)
    declared = set() if scene.legend is None else set(known)
    occurring = {int(value) for value in np.flatnonzero(pixels[:IGNORE_INDEX])}
    labelled = int(pixels[:IGNORE_INDEX].sum())
    return tuple(
        ClassRow(
            index,
            *known.get(index, (str(index), None)),
            int(pixels[index]),
            pixels[index].item() / labelled if labelled else 0.0,
            None if areas_m2 is None else areas_m2[index].item(),
        )
        for index in sorted(occurring | declared)
    )

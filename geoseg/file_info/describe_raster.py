"""Describe a raster: a scene, a mask (which has a legend) or a label raster (one band with few distinct integers)."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from geoseg._text import count
from geoseg.file_info.crs_facts import crs_facts
from geoseg.file_info.info import ClassRow, Fact, FileInfo, gsd_text, make_fact
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.progress import Progress, silent
from geoseg.raster.class_values import count_array
from geoseg.raster.metadata import CLASSES_TAG
from geoseg.raster.scene import Scene

MAX_LABEL_VALUES = 32
"""Maximum number of distinct integers in the single band of a label raster."""
MAX_VALUES = 256
"""Maximum number of distinct values that are counted."""
OVERVIEW_SIZE = 512
"""Longer side, in pixels, of the reduced image that is used to decide whether a raster contains labels."""
STRIP_PIXELS = 2**24
"""Number of pixels per window when the pixels of a mask are counted."""
MAX_COUNTED_PIXELS = 2**40
"""Size in pixels of the largest mask whose pixels are counted; counting more would take hours."""


def describe_scene(path: str, *, progress: Progress = silent) -> FileInfo:
    """Describe a raster file; for masks and label rasters, include the pixel count of each class.

    Args:
        path: The file.
        progress: Progress reporter for counting pixels; each step is one window.
    """
    with Scene.open(path) as scene:
        facts = (*_grid_facts(scene.grid), *_pixel_facts(scene))
        if not _holds_labels(scene):
            return FileInfo("scene", path, facts, notes=scene.notes)
        if scene.grid.height * scene.grid.width > MAX_COUNTED_PIXELS:
            note = f"pixels are not counted, because the raster has more than {MAX_COUNTED_PIXELS:,} of them"
            return FileInfo("scene", path, facts, notes=(*scene.notes, note))
        values = _count(scene, progress)
        if values is None:
            return FileInfo("scene", path, facts, notes=scene.notes)
        reason = "not valid" if scene.legend is None else f"not valid, or {IGNORE_INDEX}"
        rest = make_fact("unlabelled", values.unlabeled, f"{count(values.unlabeled, 'pixel')} ({reason})")
        made = tuple(make_fact(f"tag {key}", value) for key, value in sorted(_own_tags(scene).items()))
        kind = "label raster" if scene.legend is None else "mask"
        rows = _class_rows(scene, values)
        return FileInfo(kind, path, (*facts, rest, *made), rows, "pixels", (*scene.notes, *_value_notes(scene, values)))


def _grid_facts(grid: Grid) -> tuple[Fact, ...]:
    """Return the size, CRS, GSD, bounds and orientation."""
    gsd = grid.gsd
    bounds = list(grid.bounds)
    return (
        make_fact("size", [grid.height, grid.width], f"{grid.height} x {grid.width} pixels (height x width)"),
        *crs_facts(grid.crs),
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
    """Return the bands, pixel type, source of validity, and block size."""
    height, width = scene.block_shape
    return (
        make_fact("bands", list(scene.bands), f"{len(scene.bands)}: {', '.join(scene.bands)}"),
        make_fact("pixel type", scene.dtype.name),
        make_fact("valid pixels", scene.validity, f"by {scene.validity}" if scene.validity != "every pixel" else None),
        make_fact("blocks", [height, width], f"{height} x {width} pixels"),
    )


def _own_tags(scene: Scene) -> dict[str, str]:
    """Return the tags that geoseg wrote to a mask, except the legend."""
    own = {key: value for key, value in scene.tags.items() if key.startswith("GEOSEG_") and key != CLASSES_TAG}
    return {key.removeprefix("GEOSEG_").replace("_", " ").lower(): value for key, value in own.items()}


def _holds_labels(scene: Scene) -> bool:
    if scene.legend is not None or scene.palette is not None:
        return scene.dtype == np.uint8
    if len(scene.bands) != 1 or scene.dtype.kind not in "iub":
        return False
    side = max(scene.grid.shape)
    shape = tuple(max(length * OVERVIEW_SIZE // max(side, OVERVIEW_SIZE), 1) for length in scene.grid.shape)
    overview = scene.read(scene.grid.window, shape=(shape[0], shape[1]), nearest=True)
    return len(np.unique(overview.values[0][overview.valid])) <= MAX_LABEL_VALUES


@dataclass
class _Values:
    """Pixel counts and areas by class value."""

    pixels: Counter[int] = field(default_factory=Counter)
    """Number of pixels by value."""
    areas_m2: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    """Area in square meters by value; empty if there is no CRS."""
    unlabeled: int = 0
    """Number of pixels without a class."""


def _count(scene: Scene, progress: Progress) -> _Values | None:
    """Count the pixels with each value, one window at a time; return None if there are too many values to be classes.

    255 is treated like any other value, except in files that have a legend because they were written by geoseg. Areas
    are computed window by window, because the area of a pixel in a geographic CRS depends on the latitude.
    """
    counted = _Values()
    rows, cols = _window_shape(scene)
    height, width = scene.grid.shape
    with progress(-(-height // rows) * -(-width // cols), "counting pixels") as task:
        for window in _count_windows(height, width, rows, cols):
            raster = scene.read(window, [0])
            pixels = count_array(raster.values[0][raster.valid])
            if scene.legend is not None:
                pixels.pop(IGNORE_INDEX, None)
            counted.unlabeled += window.height * window.width - sum(pixels.values())
            counted.pixels.update(pixels)
            if len(counted.pixels) > MAX_VALUES:
                return None
            if raster.grid.crs is not None:
                area_m2 = raster.grid.pixel_area_m2()
                for value, number in pixels.items():
                    counted.areas_m2[value] += number * area_m2
            task.advance()
    return counted


def _value_notes(scene: Scene, values: _Values) -> list[str]:
    is_undeclared = scene.legend is None and scene.nodata is None and IGNORE_INDEX in values.pixels
    return [f"{IGNORE_INDEX} is counted as a class: the file does not declare it as nodata"] if is_undeclared else []


def _window_shape(scene: Scene) -> tuple[int, int]:
    """Return the (height, width) of windows of whole blocks: as wide as possible, about :data:`STRIP_PIXELS` pixels."""
    height, width = scene.block_shape
    cols = min(max(STRIP_PIXELS // (height * width), 1) * width, scene.grid.width)
    return max(STRIP_PIXELS // (height * cols), 1) * height, cols


def _count_windows(height: int, width: int, rows: int, cols: int) -> Iterator[Window]:
    """Divide a raster into windows of at most ``rows`` x ``cols`` pixels, row by row."""
    for row in range(0, height, rows):
        for col in range(0, width, cols):
            yield Window(row, col, min(rows, height - row), min(cols, width - col))


def _names_and_colours(scene: Scene) -> dict[int, tuple[str, str | None]]:
    """Return the name and color of each pixel value, from the legend or the palette."""
    if scene.legend is not None:
        return {entry.index: (entry.name, entry.hex) for entry in scene.legend.entries}
    if scene.palette is None:
        return {}
    return {
        value: (str(value), "#{:02x}{:02x}{:02x}".format(*colour[:3])) for value, colour in enumerate(scene.palette)
    }


def _class_rows(scene: Scene, values: _Values) -> tuple[ClassRow, ...]:
    """Return the classes in the legend and all other values that occur, with pixel counts, fractions and areas."""
    known = _names_and_colours(scene)
    declared = set() if scene.legend is None else set(known)
    labeled = values.pixels.total()
    return tuple(
        ClassRow(
            value,
            *known.get(value, (str(value), None)),
            values.pixels[value],
            values.pixels[value] / labeled if labeled else 0.0,
            None if scene.grid.crs is None else values.areas_m2[value],
        )
        for value in sorted(declared | set(values.pixels))
    )

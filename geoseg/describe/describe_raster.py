"""What a raster is: a scene, a mask (it carries a legend) or a label raster (one band of few whole numbers)."""

import numpy as np
from numpy.typing import NDArray

from geoseg.describe.summary import ClassRow, Fact, Summary, fact, metres_per_pixel
from geoseg.grid.grid import Grid, crs_name
from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX
from geoseg.progress import Progress, silent
from geoseg.raster.metadata import CLASSES_TAG
from geoseg.raster.scene import Scene

FEW = 32
"""A single uint8 band with at most this many values is taken for labels, unless it says what it is."""
LOOK = 512
"""Longest side of the reduced picture that is looked at to count values, pixels."""
STRIP_PIXELS = 2**24
"""Pixels read at a time when a whole mask is counted."""


def describe_scene(path: str, *, progress: Progress = silent) -> Summary:
    """What a raster file is and where it lies; masks and labels with their pixels per class."""
    with Scene.open(path) as scene:
        facts = (*_place(scene.grid), *_pixels(scene))
        if not _holds_labels(scene):
            return Summary("scene", path, facts, notes=scene.notes)
        pixels, areas_m2 = _count(scene, progress)
        empty = int(pixels[IGNORE_INDEX])
        rest = fact("unlabelled", empty, f"{empty:,} pixels (not valid, or {IGNORE_INDEX})")
        made = tuple(fact(f"tag {key}", value) for key, value in sorted(_own_tags(scene).items()))
        kind = "label raster" if scene.legend is None else "mask"
        rows = _class_rows(scene, pixels, areas_m2)
        return Summary(kind, path, (*facts, rest, *made), rows, "pixels", scene.notes)


def _place(grid: Grid) -> tuple[Fact, ...]:
    """Size, CRS, GSD and bounds."""
    crs = None if grid.crs is None else crs_name(grid.crs)
    named = "none" if grid.crs is None else crs if crs == grid.crs.name else f"{crs} ({grid.crs.name})"
    gsd = grid.gsd
    bounds = list(grid.bounds)
    return (
        fact("size", [grid.height, grid.width], f"{grid.height} x {grid.width} pixels (height x width)"),
        fact("CRS", crs, named),
        fact("GSD", gsd, metres_per_pixel(gsd)),
        fact("bounds", bounds, ", ".join(f"{value:.10g}" for value in bounds) + " (left, bottom, right, top)"),
        fact("orientation", _orientation(grid)),
    )


def _orientation(grid: Grid) -> str:
    """How rows and columns lie in the CRS."""
    t = grid.transform
    if t.is_identity:
        return "unknown: coordinates are pixels"
    if abs(t.b) + abs(t.d) > 1e-9 * (abs(t.a) + abs(t.e)):
        return "rotated"
    return "north-up" if t.e < 0 else "south-up"


def _pixels(scene: Scene) -> tuple[Fact, ...]:
    """Bands, type, validity and how the file stores them."""
    height, width = scene.block
    return (
        fact("bands", list(scene.bands), f"{len(scene.bands)}: {', '.join(scene.bands)}"),
        fact("pixel type", scene.dtype.name),
        fact("valid pixels", scene.validity, f"by {scene.validity}" if scene.validity != "every pixel" else None),
        fact("blocks", [height, width], f"{height} x {width} pixels"),
    )


def _own_tags(scene: Scene) -> dict[str, str]:
    """What geoseg wrote into a mask about its making."""
    own = {key: value for key, value in scene.tags.items() if key.startswith("GEOSEG_") and key != CLASSES_TAG}
    return {key.removeprefix("GEOSEG_").replace("_", " ").lower(): value for key, value in own.items()}


def _holds_labels(scene: Scene) -> bool:
    if scene.legend is not None or scene.palette is not None:
        return scene.dtype == np.uint8
    if len(scene.bands) != 1 or scene.dtype != np.uint8:
        return False
    side = max(scene.grid.shape)
    shape = tuple(max(length * LOOK // max(side, LOOK), 1) for length in scene.grid.shape)
    look = scene.read(scene.grid.window, shape=(shape[0], shape[1]), nearest=True)
    return len(np.unique(look.values[0][look.valid])) <= FEW


def _count(scene: Scene, progress: Progress) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """Pixels per value (256,), and their area in square metres; one strip of rows in memory at a time.

    Pixels that are not valid count as the ignore index. Areas are computed strip by strip: in a geographic CRS the area
    of a pixel changes with latitude.
    """
    pixels = np.zeros(IGNORE_INDEX + 1, np.int64)
    areas_m2 = np.zeros(IGNORE_INDEX + 1)
    windows = list(strips(*scene.grid.shape, _strip_rows(scene)))
    with progress(len(windows), "counting pixels") as task:
        for window in windows:
            raster = scene.read(window, [0])
            here = np.bincount(raster.fill(IGNORE_INDEX)[0].ravel(), minlength=IGNORE_INDEX + 1)
            pixels += here
            if raster.grid.crs is not None:
                areas_m2 += here * raster.grid.pixel_area_m2()
            task.advance()
    return pixels, None if scene.grid.crs is None else areas_m2


def _strip_rows(scene: Scene) -> int:
    """Rows per strip: whole blocks, about ``STRIP_PIXELS`` pixels."""
    blocks = STRIP_PIXELS // (scene.block[0] * scene.grid.width)
    return max(blocks, 1) * scene.block[0]


def _colours(scene: Scene) -> dict[int, tuple[str, str | None]]:
    """Name and colour by pixel value, as far as the file tells them: from its legend, else from its palette."""
    if scene.legend is not None:
        return {entry.index: (entry.name, entry.hex) for entry in scene.legend.entries}
    if scene.palette is None:
        return {}
    return {
        value: (str(value), "#{:02x}{:02x}{:02x}".format(*colour[:3])) for value, colour in enumerate(scene.palette)
    }


def _class_rows(scene: Scene, pixels: NDArray[np.int64], areas_m2: NDArray[np.float64] | None) -> tuple[ClassRow, ...]:
    """The legend's classes and every other value that occurs, with pixels, share and area."""
    known = _colours(scene)
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

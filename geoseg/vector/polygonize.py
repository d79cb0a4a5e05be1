"""Mask to polygons: the whole way from a file of class indices to a layer in a GIS.

The mask passes in strips of rows, and polygons are written as they end: memory grows with what lies open between two
strips, and with the number of polygons where they are asked about each other, never with the number of pixels.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import shapely

from geoseg.errors import ConfigError, LayerError, OutputError
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene
from geoseg.vector.confidence import Confidence
from geoseg.vector.io.arrow import to_frame
from geoseg.vector.io.reader import is_layer, read_layer
from geoseg.vector.io.writer import Target
from geoseg.vector.layer import PolygonLayer
from geoseg.vector.mask_source import Mask
from geoseg.vector.options import Wishes, parse_crs
from geoseg.vector.polygonize_pipeline import classes_of, traced
from geoseg.vector.tracing.trace_raster import Connectivity


@dataclass(frozen=True)
class Polygons:
    """A layer that was written."""

    path: Path
    """The file; a folder's worth of them beside it with ``per_class``."""
    count: int
    """How many polygons there are."""
    notes: tuple[str, ...]
    """What a user should know, one sentence each."""

    def __len__(self) -> int:
        return self.count

    @property
    def frame(self) -> gpd.GeoDataFrame:
        """The polygons, read back from the file."""
        return read_layer(self.path)


def polygonize(
    mask: str | Path | Scene,
    output: str | Path | None = None,
    *,
    connectivity: Connectivity = 4,
    fill_holes_m2: float = 0.0,
    min_area_m2: float = 0.0,
    simplify_m: float = 0.0,
    smooth: bool = False,
    orthogonalize: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    dissolve: bool = False,
    per_class: bool = False,
    confidence: str | Path | None = None,
    crs: str | None = None,
    overwrite: bool = False,
    append: bool = False,
    progress: Progress = silent,
) -> Polygons:
    """Polygons of the classes in a mask, written to ``output`` (the mask's name with ``.gpkg`` if None).

    The mask has one band of whole numbers; its nodata and 255 are left out. Names and colours come from its legend if
    geoseg wrote it, else classes are called by their values. With ``connectivity`` 4, pixels of a class that touch at
    corners only are two polygons, with 8 one of two parts. ``Wishes`` says what the following do, in their order;
    ``per_class`` makes a layer (GeoPackage) or file (``NAME_class``) of each class. ``confidence`` is a raster of
    probabilities (see ``confidence``), ``crs`` what the file is written in (None: the mask's own). What is there already is
    replaced with ``overwrite``, added to with ``append``. A ``mask`` may also be a vector file, to be generalised.

    :class:`SceneError` if the raster is no mask, :class:`OutputError` if the result cannot be written (said before the
    work begins), :class:`ConfigError` for unknown classes, :class:`LayerError` for metres without CRS.
    """
    wishes = Wishes(connectivity, fill_holes_m2, min_area_m2, simplify_m, smooth, orthogonalize, classes, dissolve)
    path = Path(mask.path if isinstance(mask, Scene) else mask)
    target = Target(Path(output or _beside(path)), parse_crs(crs), overwrite, append, per_class)
    if target.path.resolve() == path.resolve():
        raise OutputError(f"{path} would replace itself", "give another output")
    if not isinstance(mask, Scene) and is_layer(path):
        if confidence is not None:
            raise ConfigError(f"{path} holds polygons already, and no pixels to be sure of", "leave out --confidence")
        return _of_layer(PolygonLayer.read(path), wishes, target)
    with ExitStack() as stack:
        scene = mask if isinstance(mask, Scene) else stack.enter_context(Scene.open(mask))
        found = Mask(scene, progress)
        _check_wishes(scene, wishes)
        target.check(scene.grid.crs)
        sure = None if confidence is None else stack.enter_context(Confidence.open(confidence, scene))
        return _of_mask(found, sure, wishes, target)


def _of_mask(mask: Mask, confidence: Confidence | None, wishes: Wishes, target: Target) -> Polygons:
    grid = mask.scene.grid
    outlines = mask.seen(traced(classes_of(mask, wishes), grid, wishes, confidence))
    if wishes.in_memory:
        whole = to_frame(mask.rows(outlines, crs=None, several=wishes.connectivity == 8))
        layer = PolygonLayer(whole, mask.legend())
        image = shapely.Polygon(grid.corners)
        layer = layer.orthogonal(wishes.orthogonalize, _tolerance(wishes, grid.gsd), within=image)
        layer = layer if wishes.classes is None else layer.selected(wishes.classes)
        rows = (layer.dissolved() if wishes.dissolve else layer).stream(target.crs_for(grid.crs))
    else:
        chosen = mask.chosen(outlines, wishes.classes)
        rows = mask.rows(chosen, crs=target.crs_for(grid.crs), several=wishes.connectivity == 8)
    return Polygons(target.path, target.write(rows), (*mask.notes(), *target.notes()))


def _of_layer(layer: PolygonLayer, wishes: Wishes, target: Target) -> Polygons:
    target.check(layer.crs)
    layer = layer.without_holes(wishes.fill_holes_m2).without_small(wishes.min_area_m2)
    layer = layer.reshaped(tolerance_m=wishes.simplify_m, smooth=wishes.smooth)
    layer = layer.orthogonal(wishes.orthogonalize, _tolerance(wishes, None))
    layer = layer if wishes.classes is None else layer.selected(wishes.classes)
    layer = layer.dissolved() if wishes.dissolve else layer
    count = target.write(layer.stream(target.crs_for(layer.crs)))
    return Polygons(target.path, count, (*layer.notes, *target.notes()))


def _tolerance(wishes: Wishes, gsd: float | None) -> float:
    """How far outlines may move to have right angles, in metres: one and a half pixels, or a metre if there are none."""
    return max(wishes.simplify_m, 1.0 if gsd is None else 1.5 * gsd)


def _beside(path: Path) -> Path:
    """Where polygons go if nobody says: a GeoPackage beside the mask."""
    return path.with_name(f"{path.stem}_polygons.gpkg") if path.suffix.lower() == ".gpkg" else path.with_suffix(".gpkg")


def _check_wishes(scene: Scene, wishes: Wishes) -> None:
    """Refuses before the work what could only fail after it."""
    if scene.grid.crs is None and wishes.in_metres:
        raise LayerError(f"{scene.path} has no CRS, so metres mean nothing", "give it one first (gdal_edit -a_srs)")
    for name in (*(wishes.classes or ()), *wishes.orthogonalize):
        if scene.legend is not None:
            scene.legend.index_of(name)

"""Convert masks to polygons: :func:`polygonize` turns a raster of class indices into a layer for a GIS.

The mask is read in strips of rows, and polygons are written as soon as they are complete. Memory use depends on how
many polygons are incomplete at the end of a strip or, for options that compare polygons, on the total number of
polygons. It does not depend on the number of pixels.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg._output_files import LAYER_SUFFIXES, check_writable
from geoseg.errors import ConfigError, LayerError, OutputError
from geoseg.progress import Progress, silent
from geoseg.raster.class_values import IgnoredValues, open_values
from geoseg.raster.read_confidence import open_confidence
from geoseg.raster.scene import Scene
from geoseg.vector.io.output_spec import OutputSpec, parse_crs
from geoseg.vector.mask_source import MaskSource
from geoseg.vector.options import PolygonizeOptions
from geoseg.vector.tracing.trace_raster import Connectivity

if TYPE_CHECKING:
    from geoseg.vector.polygonize_result import Polygons


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
    ignore: Sequence[str] = (),
    dissolve: bool = False,
    per_class: bool = False,
    confidence: str | Path | None = None,
    crs: str | None = None,
    overwrite: bool = False,
    append: bool = False,
    progress: Progress = silent,
) -> "Polygons":
    """Convert a mask to polygons with class, area and perimeter.

    Class names and colors are taken from the legend that geoseg stores in masks; in masks without a legend, classes are
    named by their values. Adjacent polygons have identical shared borders, even after generalization, whose steps are
    performed in the order of the parameters.

    Args:
        mask: A raster with one band of class values, in which nodata pixels do not become polygons; or a vector file
            whose polygons are generalized.
        output: The file to write (.gpkg, .parquet, .fgb, .geojson or .shp); None keeps the polygons in memory.
        connectivity: 4: pixels in a polygon are connected through shared sides. 8: also through shared corners, so
            polygons may have several parts.
        fill_holes_m2: Fill holes smaller than this area, in square meters.
        min_area_m2: Merge polygons smaller than this area, in square meters, into the neighbor with the longest shared
            border.
        simplify_m: Remove vertices; borders move by at most this distance, in meters.
        smooth: Round corners.
        orthogonalize: Names of the classes whose polygon corners are made right-angled, such as buildings.
        classes: Names of the classes to keep; None to keep all.
        ignore: Pixel values that do not become polygons, in addition to a declared nodata value; with ``("none",)``, a
            declared nodata value is also a class.
        dissolve: Unite all polygons of a class into one polygon with many parts.
        per_class: Write each class to a separate layer (.gpkg) or file (``NAME_class``, other formats).
        confidence: A raster of confidences or probabilities on the mask's grid, which is averaged over each polygon.
        crs: CRS of the coordinates, such as ``EPSG:25832``; None to use the CRS of the mask.
        overwrite: Replace an existing file.
        append: Add the polygons to an existing file, in its CRS.
        progress: Progress reporter; each step is one strip.

    Returns:
        The polygons, with notes for the user.

    Raises:
        SceneError: If the raster is not a mask.
        GridMismatch: If the confidence raster has a different grid.
        OutputError: If the output cannot be written; where possible, this is checked before processing starts.
        ConfigError: If a class is unknown, or if options contradict each other.
        LayerError: If an option in meters or square meters is used, but the mask has no CRS.
    """
    options = PolygonizeOptions(
        connectivity=connectivity,
        fill_holes_m2=fill_holes_m2,
        min_area_m2=min_area_m2,
        simplify_m=simplify_m,
        smooth=smooth,
        orthogonalize=orthogonalize,
        classes=classes,
        dissolve=dissolve,
    )
    target = OutputSpec(
        path=None if output is None else Path(output),
        crs=parse_crs(crs),
        overwrite=overwrite,
        append=append,
        per_class=per_class,
    )
    path = Path(mask.path if isinstance(mask, Scene) else mask)
    if target.path is not None and os.path.realpath(target.path) == os.path.realpath(path):
        raise OutputError(f"the output would replace its source {path}", "choose a different output")
    if target.path is not None:
        check_writable(target.path, overwrite or append)
    if not isinstance(mask, Scene) and _is_vector_layer(path):
        if confidence is not None or ignore:
            name = "confidence" if confidence is not None else "ignore"
            raise ConfigError(f"{path} contains polygons, but {name} applies to pixels", f"leave out --{name}")
        from geoseg.vector.polygonize_pipeline import polygonize_layer

        return polygonize_layer(path, options, target)
    with ExitStack() as files:
        scene = mask if isinstance(mask, Scene) else files.enter_context(Scene.open(mask))
        ignored = IgnoredValues.parse(ignore)
        source = MaskSource(files.enter_context(open_values(scene, ignored)), ignored, progress)
        _check_options(source.scene, options)
        target.check(source.scene.grid.crs)
        probabilities = None
        if confidence is not None:
            probabilities = files.enter_context(open_confidence(confidence, source.scene.grid, source.scene.legend))
            names = f"the mask {source.scene.path}", f"the confidence raster {confidence}"
            source.scene.grid.require_match(probabilities.scene.grid, *names)
        from geoseg.vector.polygonize_pipeline import polygonize_mask  # this imports GeoPandas and numba

        return polygonize_mask(source, probabilities, options, target)


def _is_vector_layer(path: Path) -> bool:
    if path.suffix.lower() not in LAYER_SUFFIXES:
        return False
    from geoseg.vector.io.reader import is_vector_layer

    return is_vector_layer(path)


def _check_options(scene: Scene, options: PolygonizeOptions) -> None:
    """Raise errors before processing starts that would otherwise be raised at the end."""
    if scene.grid.crs is None and options.needs_crs:
        raise LayerError(
            f"{scene.path} has no CRS, which is required for options in meters", "assign a CRS (gdal_edit -a_srs)"
        )
    if scene.legend is not None:
        for name in (*(options.classes or ()), *options.orthogonalize):
            scene.legend.index_of(name)

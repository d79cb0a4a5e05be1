"""Convert masks to polygons and polygons to masks.

:func:`geoseg.polygonize` is the public function. ``tracing`` traces outlines, ``generalize`` simplifies them, and ``io``
reads and writes vector files.
"""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.vector.area_of_interest import AreaOfInterest as AreaOfInterest
    from geoseg.vector.layer import PolygonLayer as PolygonLayer
    from geoseg.vector.measure import LocalMetric as LocalMetric
    from geoseg.vector.options import PolygonizeOptions as PolygonizeOptions
    from geoseg.vector.polygonize_result import Polygons as Polygons
    from geoseg.vector.tracing.trace_raster import trace_mask as trace_mask

_MODULES = {
    "AreaOfInterest": "geoseg.vector.area_of_interest",
    "LocalMetric": "geoseg.vector.measure",
    "PolygonLayer": "geoseg.vector.layer",
    "PolygonizeOptions": "geoseg.vector.options",
    "Polygons": "geoseg.vector.polygonize_result",
    "trace_mask": "geoseg.vector.tracing.trace_raster",
}

__all__ = [
    "AreaOfInterest",
    "LocalMetric",
    "PolygonLayer",
    "PolygonizeOptions",
    "Polygons",
    "trace_mask",
]

__getattr__, __dir__ = attach(__name__, _MODULES)

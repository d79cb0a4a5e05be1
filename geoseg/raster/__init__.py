"""Raster files and arrays: scenes, mosaics, metadata, band statistics, and prediction outputs."""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.raster.metadata import RasterMetadata as RasterMetadata
    from geoseg.raster.metadata import read_metadata as read_metadata
    from geoseg.raster.mosaic import open_mosaic as open_mosaic
    from geoseg.raster.raster import Raster as Raster
    from geoseg.raster.scene import Scene as Scene
    from geoseg.raster.statistics import RunningStatistics as RunningStatistics
    from geoseg.raster.writers.base import RasterWriter as RasterWriter
    from geoseg.raster.writers.cog import CogWriter as CogWriter
    from geoseg.raster.writers.memory import MemoryWriter as MemoryWriter

_MODULES = {
    "CogWriter": "geoseg.raster.writers.cog",
    "MemoryWriter": "geoseg.raster.writers.memory",
    "Raster": "geoseg.raster.raster",
    "RasterMetadata": "geoseg.raster.metadata",
    "RasterWriter": "geoseg.raster.writers.base",
    "RunningStatistics": "geoseg.raster.statistics",
    "Scene": "geoseg.raster.scene",
    "open_mosaic": "geoseg.raster.mosaic",
    "read_metadata": "geoseg.raster.metadata",
}

__all__ = [
    "CogWriter",
    "MemoryWriter",
    "Raster",
    "RasterMetadata",
    "RasterWriter",
    "RunningStatistics",
    "Scene",
    "open_mosaic",
    "read_metadata",
]

__getattr__, __dir__ = attach(__name__, _MODULES)

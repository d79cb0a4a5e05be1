"""Raster writers: Cloud Optimized GeoTIFF, in-memory rasters, unfinished rasters on disk, and single crops."""

"""Raster formats of prepared scenes: memory-mappable and compressed GeoTIFF."""

"""Writers of rasters: Cloud Optimized GeoTIFF, memory, unfinished rasters on disk, single crops."""

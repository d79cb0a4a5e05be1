"""GeoTIFF layouts for prepared scenes: memory-mappable, or tiled and compressed."""

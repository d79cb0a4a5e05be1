"""GeoTIFF layouts of prepared scenes: memory-mappable, or compressed in tiles."""

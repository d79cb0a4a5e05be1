"""Draw scenes, masks and polygons as images."""

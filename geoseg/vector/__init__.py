"""Masks to polygons: `trace`, `polygonize`, `layer`, `simplify`, `style`, `rasterize`, `picture`."""
